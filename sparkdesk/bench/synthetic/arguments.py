"""The options that describe a synthetic pair on a command line: one for each field of its shape."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

from sparkdesk.bench.synthetic.shape import SyntheticShape

_MEANINGS = {
    "hidden": "width of a layer",
    "layers": "of the target, at least 3",
    "feed_forward": "width of the feed-forward part",
    "draft_layers": "layers of the draft",
    "block_size": "most tokens drafted at once",
    "phases": "chance of a drafted token being right in each stretch of text, such as 0.9,0.3",
    "phase_length": "tokens in a stretch",
    "confidence_noise": "0: the confidence head knows; 5: it guesses",
    "confidence_shift": "above 0: overconfident",
}


def add_shape(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="PREFIX", help="start of the files' names")
    parser.add_argument("--f16-only", action="store_true", help="leave out Q4_K_M and Q8_0")
    group = parser.add_argument_group("shape")
    for entry in fields(SyntheticShape):
        kind: Any = _phases if entry.name == "phases" else type(entry.default)
        usual = ",".join(map(str, entry.default)) if isinstance(entry.default, tuple) else entry.default
        meaning = f"{_MEANINGS[entry.name]}; " if entry.name in _MEANINGS else ""
        group.add_argument(
            f"--{entry.name.replace('_', '-')}",
            type=kind,
            default=entry.default,
            metavar="A,B" if entry.name == "phases" else "N",
            help=f"{meaning}default {usual}",
        )


def shape_of(options: Namespace) -> SyntheticShape:
    return SyntheticShape(**{entry.name: getattr(options, entry.name) for entry in fields(SyntheticShape)})


def _phases(given: str) -> tuple[float, ...]:
    try:
        return tuple(float(share) for share in given.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{given!r} is not a list of chances such as 0.9,0.3") from None
