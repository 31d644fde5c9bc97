"""Asks a hostile hub, seed by seed, as a user would: `python -m tests.attack.fuzz_hub --minutes 5 [--seed N]`.

A finding is printed with its seed, which repeats it: exit code 70 or any that no error has, a traceback, a control
character on stdout or stderr, a file outside the caches, more than 20 seconds, or memory that grows.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.attack.hostile_hub import hostile_bytes, hostile_json, spoil
from tests.hub.server import Hub

_SANE_CODES = (0, 2, 3, 4, 5)
_MOST_SECONDS = 20.0
_MOST_GROWTH_BYTES = 1_000_000_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_GGUF, _CHECKPOINT = "Maker/Small-GGUF", "Maker/Small"
_CONFIG = json.dumps(
    {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 128,
        "vocab_size": 1000,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "text_config": {"hidden_size": 64, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 9},
        "dspark_config": {"block_size": 7, "target_layer_ids": [0, 1]},
    }
).encode()
_COMMANDS = (
    ("pull", _GGUF),
    ("pull", _CHECKPOINT),
    ("pull", _GGUF, "--dry-run"),
    ("pull", f"{_GGUF}/Small-Q4_K_M.gguf", "--json"),
    ("pull", "Maker/Smal-GGUF"),
    ("search", "small"),
    ("search", "small", "--fit"),
    ("search", "small", "--json"),
    ("build", "qwen3-4b", "--dry-run"),
    ("build", "mine", "--target", _GGUF, "--draft", "Maker/Small-dspark", "--dry-run"),
)


@dataclass(frozen=True)
class Finding:
    seed: int
    command: str
    what: str


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--cases", type=int, default=0, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=5.0, help="stop after so long")
    options = parser.parse_args(arguments)
    root = Path(tempfile.mkdtemp(prefix="fuzz-hub-"))
    end_s, count, findings, codes = time.monotonic() + 60 * options.minutes, 0, 0, Counter[int]()
    try:
        with Hub().running() as hub:
            prepare(hub, root)
            while time.monotonic() < end_s and (not options.cases or count < options.cases):
                for finding in case(hub, root, options.seed + count, codes):
                    findings += 1
                    print(f"seed {finding.seed}: {finding.command}: {finding.what}", flush=True)
                count += 1
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{count} cases, {findings} findings; exit codes {dict(sorted(codes.items()))}")
    return int(findings > 0)


def prepare(hub: Hub, root: Path) -> None:
    """The environment is read when huggingface_hub is imported; waits and deadlines are shortened."""
    from tests.library.gguf_samples import write_draft, write_target

    for name in [name for name in os.environ if name.startswith(("HF_", "HTTP", "http", "ALL_PROXY", "all_proxy"))]:
        del os.environ[name]
    os.environ |= {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(root / "hf"),
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "NO_PROXY": "*",
        "SPARKDESK_HOME": str(root / "desk"),
    }
    target = write_target(root / "t.gguf").read_bytes()
    draft = write_draft(root / "d.gguf").read_bytes()
    hub.add(
        _GGUF,
        {"Small-Q4_K_M.gguf": target + bytes(100_000), "README.md": b"# Small\n"},
        tags=("gguf",),
        architecture="qwen3",
    )
    hub.add(_CHECKPOINT, {"config.json": _CONFIG, "model.safetensors": b"w" * 20_000})
    hub.add("Maker/Small-dspark", {"Small-dspark-Q8_0.gguf": draft}, tags=("gguf", "base_model:Maker/Small"))
    for name in ("Qwen/Qwen3-4B", "deepseek-ai/dspark_qwen3_4b_block7"):
        hub.add(name, {"config.json": _CONFIG, "model.safetensors": b"w" * 20_000})

    hub.proper = {name: dict(model.files) for name, model in hub.models.items()}

    from sparkdesk.hub import transport
    from sparkdesk.hub.retry import RetryPolicy

    waits = RetryPolicy.wait_s

    def shorter(self: RetryPolicy, *given: object) -> float | None:
        wait_s = waits(self, *given)  # type: ignore[arg-type]
        return None if wait_s is None else wait_s / 1000

    RetryPolicy.wait_s = shorter  # type: ignore[method-assign, assignment]
    begin = transport.Transport.__init__
    transport.Transport.__init__ = lambda self, read_timeout_s: begin(self, 0.3)  # type: ignore[method-assign]
    transport._STALL_S, transport._HEADERS_DEADLINE_S = 0.3, 0.6


def _fill(hub: Hub, seeded: random.Random, *, is_hostile: bool) -> None:
    """A hub that means harm gives true checksums of its hostile files."""
    for name, files in hub.proper.items():
        changed = dict(files)
        for path, data in files.items() if is_hostile else ():
            if path == "config.json":
                changed[path] = hostile_json(seeded, data)
            elif path.endswith(".gguf"):
                changed[path] = hostile_bytes(seeded, data, within=1000)
        hub.models[name].files = changed


def case(hub: Hub, root: Path, seed: int, codes: "Counter[int]") -> Iterator[Finding]:
    from sparkdesk.cli.app import run

    command = random.Random(seed).choice(_COMMANDS)
    for name in ("hf", "desk"):
        shutil.rmtree(root / name, ignore_errors=True)
    hub.spoil = spoil(seed) if seed % 3 else None
    _fill(hub, random.Random(seed), is_hostile=not seed % 3)
    before, size_before, began_s = _outside(root), _peak_bytes(), time.monotonic()
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = run(command)
    codes[code] += 1
    took_s, text = time.monotonic() - began_s, out.getvalue() + said.getvalue()

    def finding(what: str) -> Finding:
        return Finding(seed, " ".join(command), what)

    if code not in _SANE_CODES:
        yield finding(f"exit code {code}: {text[-600:]!r}{_log(root)}")
    if "Traceback" in text:
        yield finding(f"a traceback: {text[-600:]!r}")
    if found := _CONTROL.search(text):
        yield finding(f"prints {found[0]!r}: {text[max(0, found.start() - 100) : found.end() + 20]!r}")
    if code and len(said.getvalue().splitlines()) == 0:
        yield finding(f"exit code {code} without a word")
    if took_s > _MOST_SECONDS:
        yield finding(f"took {took_s:.0f} s")
    if strangers := (_outside(root) - before) | set(_leaving(root)):
        yield finding(f"writes outside: {sorted(strangers)[:3]}")
    if _peak_bytes() - size_before > _MOST_GROWTH_BYTES:
        yield finding(f"takes {(_peak_bytes() - size_before) / 1e6:.0f} MB")


def _outside(root: Path) -> set[str]:
    """Everything that lies where nothing may be written."""
    caches = (root / "hf" / "hub", root / "desk")
    places = [*root.rglob("*"), *Path("/tmp").glob("owned*"), *root.parent.glob("owned*")]
    return {str(path) for path in places if not any(cache == path or cache in path.parents for cache in caches)} - {
        str(root / "hf")
    }


def _leaving(root: Path) -> Iterator[str]:
    """Links in the caches that lead out of them."""
    for path in (root / "hf").rglob("*"):
        if not path.resolve().is_relative_to((root / "hf").resolve()):
            yield str(path)


def _peak_bytes() -> int:
    """0 where the system does not say."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _log(root: Path) -> str:
    found = next(root.rglob("errors.log"), None)
    return "\n" + found.read_text()[-2500:] if found is not None else ""


if __name__ == "__main__":
    sys.exit(main())
