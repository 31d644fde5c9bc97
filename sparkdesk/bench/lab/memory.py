"""How well the fit predicts what llama.cpp allocates, over synthetic pairs of many shapes, contexts and types.

python -m sparkdesk.bench.lab.memory                 # small shapes
python -m sparkdesk.bench.lab.memory --half          # and one of 0.5B, in F16 and Q4_K_M
"""

import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.bench.synthetic.pair import SyntheticPair, quantize_pair, write_pair
from sparkdesk.bench.synthetic.shape import SyntheticShape
from sparkdesk.engine.settings import MTP
from sparkdesk.fit import Layout, mtp_size, need_of, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.machine.child_processes import python_command, safe_environment

SMALL_SHAPES = {
    "deep": SyntheticShape(hidden=128, layers=24, feed_forward=384, heads=4, kv_heads=2, head_dim=32, vocabulary=2000),
    "wide": SyntheticShape(
        hidden=1024, layers=4, feed_forward=3072, heads=16, kv_heads=4, head_dim=64, vocabulary=8000
    ),
    "wordy": SyntheticShape(hidden=256, layers=6, feed_forward=768, heads=4, kv_heads=2, head_dim=64, vocabulary=60000),
    "many heads": SyntheticShape(
        hidden=256, layers=16, feed_forward=1024, heads=16, kv_heads=2, head_dim=128, vocabulary=4000
    ),
}
HALF = {"0.5B": SyntheticShape()}
CONTEXTS = (512, 4096, 16384)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load of this very pair allocated."""

    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    resident_bytes: int
    """Of the process that holds it, Python and all; pages of the file that were read count too."""

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.cache_bytes + self.compute_bytes


def measure(target: Path, draft: Path | str | None, context_tokens: int) -> Measured:
    """Load it in a process of its own; "mtp" in the place of a draft is the target's own layer."""
    command = [*python_command("sparkdesk.bench.lab.memory_probe"), str(context_tokens), str(target)]
    command += [str(draft)] if draft is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=safe_environment())
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def predicted_bytes(target: Path, draft: Path | str | None, context_tokens: int) -> int:
    """The same sum, from the headers."""
    header = read_gguf(target)
    beside = mtp_size(header) if draft == MTP else size_from_header(read_gguf(Path(draft))) if draft else None
    need = need_of(size_from_header(header), beside, Layout(context_tokens))
    return need.total_bytes - need.of("features") - need.of("checkpoints")


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--half", action="store_true", help="a 0.5B shape too: 1.5 GB on disk for a while")
    shapes = {**SMALL_SHAPES, **(HALF if parser.parse_args().half else {})}
    print("shape       type    draft   context   predicted   allocated  off by   resident")
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in shapes.items():
            for kind, pair in _pairs(Path(folder) / name.replace(" ", "-"), shape):
                for draft in (None, pair.draft):
                    for tokens in CONTEXTS:
                        errors.append(_line(name, kind, pair.target, draft, tokens))
    worst = max(errors, key=abs)
    print(f"worst of {len(errors)}: {worst:+.1%}")
    sys.exit(int(abs(worst) > 0.1))


def _pairs(prefix: Path, shape: SyntheticShape) -> Iterator[tuple[str, SyntheticPair]]:
    pair = write_pair(prefix, shape)
    yield "F16", pair
    yield "Q4_K_M", quantize_pair(pair)


def _line(name: str, kind: str, target: Path, draft: Path | None, tokens: int) -> float:
    predicted, measured = predicted_bytes(target, draft, tokens), measure(target, draft, tokens)
    off = predicted / measured.total_bytes - 1
    print(
        f"{name:<12}{kind:<8}{'yes' if draft else 'no':<7}{tokens:>8}{predicted / 1e6:>9.1f} MB"
        f"{measured.total_bytes / 1e6:>9.1f} MB{off:>+8.1%}{measured.resident_bytes / 1e6:>8.1f} MB",
        flush=True,
    )
    return off


if __name__ == "__main__":
    main()
