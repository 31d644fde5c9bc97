"""A home that was used, broken by a seed, and what the commands say of it: each in a fork, so that it can be ended."""

import contextlib
import os
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tests.chat.history.fuzz_history import make
from tests.library.gguf_samples import write_draft, write_target

COMMANDS = (
    ("list",), ("list", "--json"), ("doctor",), ("doctor", "--json"), ("paths",), ("history", "list"),
    ("history", "show", "1"), ("history", "search", "question"), ("history", "repair"),
    ("history", "export", "1", "x.md"), ("history", "remove", "2", "--yes"), ("remove", "--incomplete", "--yes"),
    ("remove", "m", "--yes"), ("export", "vllm", "qwen3-8b"), ("chat", "nothing", "--prompt", "x"),
    ("chat", "--target", "x", "--prompt", "x"), ("convert", "target", "x", "y.gguf"),
    ("bench", "card", "--from", "x", "--out", "y.md"),
)  # fmt: skip
PATIENCE_S = 20.0
_PARTS = (
    "config", "config/settings.toml", "config/catalog.toml", "data", "data/conversations.db",
    "data/conversations.db-wal", "data/conversations.db-journal", "data/models", "data/models/m.gguf",
    "data/models/p", "data/models/p/pair.json", "state", "state/machine.json", "state/last_used.json", "state/learnt",
    "state/runs", "state/logs", "state/logs/errors.log", "cache", "cache/headers.json", "",
)  # fmt: skip
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
_TEXTS = (
    b"",
    b"\x00" * 4096,
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"{}",
    b'{"format": 1e999}',
    b"a = 1\n" * 100_000,
    b"\x1b[2J\n",
)


def make_home(home: Path) -> None:
    for name in ("config", "data/models/p", "state/learnt", "state/runs", "state/logs", "cache"):
        (home / name).mkdir(parents=True)
    make(home / "data/conversations.db")
    write_target(home / "data/models/m.gguf")
    write_draft(home / "data/models/p/d.gguf")
    (home / "config/settings.toml").write_text('threads = 2\ntheme = "dark"\n')
    (home / "data/models/p/pair.json").write_text('{"format": 1}')
    (home / "state/last_used.json").write_text("{}")
    (home / "data/models/.x.gguf.12345678.part").write_bytes(b"x" * 100)


def load_commands() -> None:
    """Once, before the forks."""
    for name in ("list", "doctor", "paths", "history", "remove", "export", "chat", "convert", "bench_card"):
        import_module(f"sparkdesk.cli.{name}")
    for name in ("sparkdesk.doctor.facts", "sparkdesk.chat.history.repair", "sparkdesk.library"):
        import_module(name)


def break_home(home: Path, rng: random.Random) -> str:
    """Returns what was done to what."""
    part, (name, damage) = rng.choice(_PARTS), rng.choice(_DAMAGES)
    with contextlib.suppress(OSError):  # what was broken before may be in the way
        damage(home / part if part else home, rng)
    return f"{name} {part or 'home'}"


def run(arguments: tuple[str, ...], home: Path, folder: Path, outside: Path) -> Iterator[str]:
    """What is wrong with how the command ended; it runs in `outside` and writes what it says into `folder`."""
    said, began_s = folder / "said", time.monotonic()
    child = os.fork()
    if not child:
        _be_the_command(arguments, home, said, outside)
    code, is_late = _wait(child, began_s)
    text = said.read_bytes()
    if is_late:
        yield "hangs"
    elif code not in (0, 1, 2, 3, 4, 5):
        yield f"exit code {code}: {text[-200:]!r}"
    if b"Traceback" in text or b"should not have happened" in text:
        yield f"traceback: {text[-300:]!r}"
    if _CONTROL.search(text):
        yield f"prints control characters: {text[-200:]!r}"


def _be_the_command(arguments: tuple[str, ...], home: Path, said: Path, outside: Path) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(outside)
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(out, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ |= {"SPARKDESK_HOME": str(home), "HF_HOME": str(home.parent / "hf"), "HF_HUB_OFFLINE": "1"}
        sys.stdout, sys.stderr = (
            os.fdopen(os.dup(number), "w", encoding="utf-8", errors="strict") for number in (1, 2)
        )
        from sparkdesk.__main__ import main

        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as done:
        code = int(done.code or 0)
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


def _wait(child: int, began_s: float) -> tuple[int, bool]:
    while time.monotonic() - began_s < PATIENCE_S:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), False
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 0, True


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def _garbage(path: Path, rng: random.Random) -> None:
    _gone(path)
    path.write_bytes(rng.choice((*_TEXTS, rng.randbytes(5000))))


def _flipped(path: Path, rng: random.Random) -> None:
    if path.is_file() and (content := bytearray(path.read_bytes())):
        for _ in range(rng.choice((1, 8, 64))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.randrange(1, len(content) + 1)])
    else:
        _garbage(path, rng)


def _folder(path: Path, rng: random.Random) -> None:
    _gone(path)
    (path / "a" / "\x1b[2J\u202e").mkdir(parents=True)


def _pipe(path: Path, rng: random.Random) -> None:
    _gone(path)
    os.mkfifo(path)


def _link(path: Path, rng: random.Random) -> None:
    _gone(path)
    path.symlink_to(rng.choice(("/etc/passwd", "/dev/zero", path.name, "/nothing/here", "/proc/self/mem", "/", "..")))


def _sparse(path: Path, rng: random.Random) -> None:
    _gone(path)
    with path.open("wb") as file:
        file.truncate(3 << 30)


def _hostile_name(path: Path, rng: random.Random) -> None:
    folder = path if path.is_dir() else path.parent
    folder.mkdir(parents=True, exist_ok=True)
    name = rng.choice(
        (b"\x1b]0;owned\x07.gguf", b"\xff\xfe.gguf", "\u202eabc\x9b.gguf".encode(), b"n" * 250 + b".json", b"\n")
    )
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(rng.randbytes(200))


_DAMAGES: tuple[tuple[str, Callable[[Path, random.Random], None]], ...] = (
    ("garbage", _garbage), ("flipped", _flipped), ("flipped", _flipped), ("folder", _folder), ("pipe", _pipe),
    ("link", _link), ("sparse", _sparse), ("hostile name", _hostile_name),
)  # fmt: skip
