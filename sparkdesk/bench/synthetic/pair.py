"""Writes a target and a DSpark draft of any shape whose greedy acceptance is known beforehand.

No trained weights are needed to measure speed honestly; only the text is meaningless. See weights.py.

    python -m sparkdesk.bench.synthetic.pair --out /tmp/half                # 0.5B-shaped, F16, then Q4_K_M + Q8_0
"""

import argparse
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters import ConversionError, ConversionProgress
from converters.output_file import check_output, finish, unfinished_file
from converters.output_types import output_type_named
from converters.plan import FilePlan
from converters.quantize import quantize
from converters.writer import write_gguf
from sparkdesk.bench.synthetic import plans, weights
from sparkdesk.bench.synthetic.arguments import add_shape, shape_of
from sparkdesk.bench.synthetic.shape import PROMPT_TOKENS, SyntheticShape
from sparkdesk.errors import ConvertError, UsageError
from sparkdesk.events import Progress
from sparkdesk.machine import hardware

__all__ = [
    "PROMPT_TOKENS",
    "SyntheticPair",
    "expected_text",
    "make_pairs",
    "needed_bytes",
    "quantize_pair",
    "write_pair",
]

TARGET_TYPE, DRAFT_TYPE = "Q4_K_M", "Q8_0"
_F16_BITS = 16
_SPARE_BYTES = 64 * 1024 * 1024  # vocabulary, headers, and whatever else the system writes meanwhile


@dataclass(frozen=True, slots=True)
class SyntheticPair:
    target: Path
    draft: Path
    prompt_tokens: tuple[int, ...]
    """A start from which the text follows the chain."""


def make_pairs(
    out_prefix: Path, shape: SyntheticShape, *, f16_only: bool = False
) -> Generator[Progress | SyntheticPair, None, None]:
    """Write PREFIX-target.gguf and PREFIX-draft.gguf in F16, and both in smaller types beside them.

    All files appear at the end or none does. Raises UsageError for an impossible shape, and ConvertError where
    something is in the way: a file of that name, too little space, a folder that cannot be written to.
    """
    if shape.problem():
        raise UsageError(shape.problem())
    pairs = _named(out_prefix, shape, f16_only=f16_only)
    try:
        _check_room(pairs, shape)
        with ExitStack() as stack:
            parts = {path: stack.enter_context(unfinished_file(path)) for path in _files(pairs)}
            yield from _write_f16(pairs[0], shape, parts)
            for smaller in pairs[1:]:
                yield from _shrink(parts[pairs[0].target], parts[smaller.target], TARGET_TYPE, "the target")
                yield from _shrink(parts[pairs[0].draft], parts[smaller.draft], DRAFT_TYPE, "the draft")
            for path, part in parts.items():
                finish(part, path)
    except ConversionError as error:
        raise ConvertError(error.message, error.hint) from error
    yield from pairs


def needed_bytes(shape: SyntheticShape, *, f16_only: bool) -> int:
    """Of all files together."""
    needed = shape.target_bytes + shape.draft_bytes
    if not f16_only:
        needed += round(shape.target_bytes * output_type_named(TARGET_TYPE).bits_per_weight / _F16_BITS)
        needed += round(shape.draft_bytes * output_type_named(DRAFT_TYPE).bits_per_weight / _F16_BITS)
    return needed + _SPARE_BYTES


def write_pair(out_prefix: Path, shape: SyntheticShape) -> SyntheticPair:
    """The pair in F16, in place of files of that name."""
    (pair,) = _named(out_prefix, shape, f16_only=True)
    with unfinished_file(pair.target) as target, unfinished_file(pair.draft) as draft:
        for _ in _write_f16(pair, shape, {pair.target: target, pair.draft: draft}):
            pass
        finish(target, pair.target)
        finish(draft, pair.draft)
    return pair


def quantize_pair(
    pair: SyntheticPair, *, target_type: str = TARGET_TYPE, draft_type: str = DRAFT_TYPE
) -> SyntheticPair:
    """The same pair in smaller types, in files beside it."""
    return SyntheticPair(_quantized(pair.target, target_type), _quantized(pair.draft, draft_type), pair.prompt_tokens)


def expected_text(shape: SyntheticShape, count: int) -> tuple[int, ...]:
    """What the target says greedily after the prompt tokens of a pair of this shape."""
    chain = weights.make_chain(shape, np.random.default_rng(shape.seed))
    return chain.following(int(chain.cycle[PROMPT_TOKENS - 1]), count)


def _named(prefix: Path, shape: SyntheticShape, *, f16_only: bool) -> tuple[SyntheticPair, ...]:
    """The pairs to be: F16, and the smaller one."""
    chain = weights.make_chain(shape, np.random.default_rng(shape.seed))
    prompt = tuple(int(token) for token in chain.cycle[:PROMPT_TOKENS])
    target, draft = (prefix.with_name(f"{prefix.name}-{role}.gguf") for role in ("target", "draft"))
    f16 = SyntheticPair(target, draft, prompt)
    if f16_only:
        return (f16,)
    return f16, SyntheticPair(_beside(target, TARGET_TYPE), _beside(draft, DRAFT_TYPE), prompt)


def _beside(path: Path, type_name: str) -> Path:
    return path.with_name(f"{path.stem}-{type_name}.gguf")


def _files(pairs: Iterable[SyntheticPair]) -> Iterator[Path]:
    for pair in pairs:
        yield from (pair.target, pair.draft)


def _check_room(pairs: tuple[SyntheticPair, ...], shape: SyntheticShape) -> None:
    for path in _files(pairs):
        check_output(path, 0, overwrite=False)
    folder = pairs[0].target.parent
    needed, free = needed_bytes(shape, f16_only=len(pairs) == 1), hardware.free_bytes(folder)
    if free < needed:
        raise ConvertError(
            f"{folder} has {free / 1e9:.1f} GB free, and the files need {needed / 1e9:.1f} GB.",
            "Choose another folder, a smaller shape, or --f16-only.",
        )


def _write_f16(pair: SyntheticPair, shape: SyntheticShape, parts: dict[Path, Path]) -> Generator[Progress, None, None]:
    """Target and draft take their numbers from one generator, in this order: a seed stands for a pair of files."""
    random = np.random.default_rng(shape.seed)
    chain = weights.make_chain(shape, random)
    yield Progress("Making up the target", 0, 1, "")
    target = plans.target_plan(shape, chain, random=random)
    yield from _written(target, parts[pair.target], "the target")
    del target  # it may be as large as half the memory
    yield Progress("Making up the draft", 0, 1, "")
    yield from _written(plans.draft_plan(shape, chain, random=random), parts[pair.draft], "the draft")


def _written(plan: FilePlan, part: Path, what: str) -> Iterator[Progress]:
    return _told(write_gguf(plan, part), f"Writing {what}")


def _shrink(source: Path, part: Path, type_name: str, what: str) -> Iterator[Progress]:
    return _told(quantize(source, part, output_type_named(type_name)), f"Quantizing {what} to {type_name}")


def _told(events: Iterator[ConversionProgress], step: str) -> Iterator[Progress]:
    began_s = time.monotonic()
    for event in events:
        elapsed_s = time.monotonic() - began_s
        yield Progress(step, event.done, event.total, event.unit, event.done / elapsed_s if elapsed_s > 0 else 0.0)


def _quantized(source: Path, type_name: str) -> Path:
    out = _beside(source, type_name)
    with unfinished_file(out) as part:
        for _ in quantize(source, part, output_type_named(type_name)):
            pass
        finish(part, out)
    return out


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sparkdesk.bench.synthetic.pair", description=__doc__.splitlines()[0]
    )
    add_shape(parser)
    options = parser.parse_args(arguments)
    pair = write_pair(options.out, shape_of(options))
    for each in [pair] if options.f16_only else [pair, quantize_pair(pair)]:
        print(each.target, each.draft, "prompt tokens", ",".join(map(str, each.prompt_tokens)))


if __name__ == "__main__":
    main()
