"""Settings files and catalogues out of hostile parts: read, or refused with one sentence.

python -m tests.config.fuzz_settings --minutes 5
"""

import random
import tempfile
from pathlib import Path

from sparkdesk.catalog.reading import read_catalog
from sparkdesk.config import settings_file
from sparkdesk.config.settings import SETTINGS, read_settings, read_values
from sparkdesk.errors import SparkDeskError
from tests.fuzzing import run

KEPT_SEEDS = (0, 7, 19, 101, 512, 2024)
"""Run by the tests."""
_VALUES = (
    "0", "-1", "1", "1e15", "1000000000000000", "9" * 5000, "inf", "nan", "true", "false", '"auto"', '""', '"\\u0000"',
    '"\\u001b[2J"', '"x"', "[]", '["~"]', '["\\u0000"]', "[1]", "{}", '{a = "b"}', "[" * 2000 + "]" * 2000,
    "{a = " * 400 + "1" + "}" * 400, "2024-01-01", "9999-99-99", "0x" + "f" * 3000, '"' + "x" * 100_000 + '"', "",
)  # fmt: skip
_EXTRA = (
    "\ufeff", "\0", "[keys]\n",
    "[[pair]]\n", 'chat.reload = "f11"\n', 'a.b.c.d.e.f.g.h.i.j.k.l = "f1"\n', "=\n", "[a\n",
    ".".join("a" * 900) + " = 1\n", '[keys]\nchat.new = ""\n', "name = 1\n", "#" * 10_000 + "\n",
)  # fmt: skip


def trial(seed: int, folder: Path) -> None:
    rng, path = random.Random(seed), folder / "settings.toml"
    names = [setting.name for setting in SETTINGS]
    lines = [f"{rng.choice((*names, 'x', 'keys'))} = {rng.choice(_VALUES)}\n" for _ in range(rng.randrange(3))]
    lines += rng.choices(_EXTRA, k=rng.randrange(3))
    rng.shuffle(lines)
    content = bytearray("".join(lines).encode())
    for _ in range(rng.choice((0, 0, 0, 1, 4))):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    for wish in (
        lambda: read_settings(path),
        lambda: read_catalog(path),
        lambda: settings_file.change(path, "threads", rng.randrange(4), shown=read_values(path)),
        lambda: settings_file.change_key(path, "chat.reload", "f12", shown=read_values(path)),
        lambda: settings_file.reset(path, "theme", shown=read_values(path)),
    ):
        try:
            wish()
        except SparkDeskError as error:
            assert len(str(error)) < 2000, len(str(error))
    try:
        settings_file.typed(rng.choice(names), rng.choice(_VALUES))
    except ValueError:
        pass


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return run("settings", lambda seed: trial(seed, Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
