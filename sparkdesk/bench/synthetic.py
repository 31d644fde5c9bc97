"""Writes a target and a DSpark draft of any shape whose greedy acceptance is known beforehand.

No trained weights are needed to measure speed honestly; only the text is meaningless. See synthetic_weights.py.

    python -m sparkdesk.bench.synthetic --out /tmp/half                # 0.5B-shaped, F16, then Q4_K_M + Q8_0
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.metadata import Entry, f32, flag, i32_list, text, text_list, u32
from converters.output_file import finish, unfinished_file
from converters.output_types import output_type_named
from converters.plan import FilePlan, PlannedTensor
from converters.quantize import quantize
from converters.safetensors import StoredTensor
from converters.writer import write_gguf
from sparkdesk.bench import synthetic_weights as weights
from sparkdesk.bench.synthetic_weights import Chain, SyntheticShape

PROMPT_TOKENS = 8
_CONTEXT_TOKENS = 32768
_CONTROL, _NORMAL = 3, 1


@dataclass(frozen=True, slots=True)
class SyntheticPair:
    target: Path
    draft: Path
    prompt_tokens: tuple[int, ...]
    """A start from which the text follows the chain."""


def write_pair(out_prefix: Path, shape: SyntheticShape) -> SyntheticPair:
    """Write PREFIX-target.gguf and PREFIX-draft.gguf in F16."""
    random = np.random.default_rng(shape.seed)
    chain = weights.make_chain(shape, random)
    target, draft = _beside(out_prefix, "-target.gguf"), _beside(out_prefix, "-draft.gguf")
    _write(_target_plan(shape, chain, random=random), target)
    _write(_draft_plan(shape, chain, random=random), draft)
    return SyntheticPair(target, draft, tuple(int(token) for token in chain.cycle[:PROMPT_TOKENS]))


def quantize_pair(pair: SyntheticPair, *, target_type: str = "Q4_K_M", draft_type: str = "Q8_0") -> SyntheticPair:
    """The same pair in smaller types, in files beside it."""
    return SyntheticPair(_quantized(pair.target, target_type), _quantized(pair.draft, draft_type), pair.prompt_tokens)


def expected_text(shape: SyntheticShape, count: int) -> tuple[int, ...]:
    """What the target says greedily after the prompt tokens of a pair of this shape."""
    chain = weights.make_chain(shape, np.random.default_rng(shape.seed))
    return chain.following(int(chain.cycle[PROMPT_TOKENS - 1]), count)


def _beside(prefix: Path, ending: str) -> Path:
    return prefix.with_name(prefix.name + ending)


def _write(plan: FilePlan, out: Path) -> None:
    with unfinished_file(out) as part:
        for _ in write_gguf(plan, part):
            pass
        finish(part, out)


def _quantized(source: Path, type_name: str) -> Path:
    out = source.with_name(f"{source.stem}-{type_name}.gguf")
    with unfinished_file(out) as part:
        for _ in quantize(source, part, output_type_named(type_name)):
            pass
        finish(part, out)
    return out


def _target_plan(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> FilePlan:
    embeddings, head = weights.target_outer(shape, chain, random=random)
    entries = (
        text(names.NAME, "Synthetic target"),
        *_shape_entries(shape, names.QWEN3, layers=shape.layers),
        *_vocabulary_entries(shape),
    )
    tensors = (
        _planned(names.TOKEN_EMBEDDINGS, embeddings),
        _planned(names.OUTPUT_NORM, np.ones(shape.hidden, np.float32)),
        _planned(names.OUTPUT_HEAD, head),
        *_layers(shape, shape.layers, random=random),
    )
    return FilePlan(names.QWEN3, entries, tensors)


def _draft_plan(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> FilePlan:
    entries = (
        text(names.NAME, "Synthetic DSpark draft"),
        *_shape_entries(shape, names.DFLASH, layers=shape.draft_layers),
        *_vocabulary_entries(shape),
        u32(names.MASK_ID, weights.MASK_TOKEN),
        u32(names.BLOCK_SIZE, shape.block_size),
        # A layer's output is the input of the layer after it, and inputs are what llama.cpp counts.
        i32_list(names.TARGET_LAYERS, [layer + 1 for layer in shape.tapped_layers]),
        flag(names.SAMPLE_FROM_ANCHOR, True),
        flag(names.HAS_CONFIDENCE_HEAD, True),
    )
    return FilePlan(names.DFLASH, entries, tuple(_draft_tensors(shape, chain, random=random)))


def _draft_tensors(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> Iterator[PlannedTensor]:
    w1, w2 = weights.markov_head(shape, chain, random=random)
    yield _planned(names.FEATURE_PROJECTION, weights.feature_projection(shape, random))
    yield _planned(names.FEATURE_NORM, np.ones(shape.hidden, np.float32))
    # Mutes the backbone's own logits, so that the Markov head alone decides.
    yield _planned(names.OUTPUT_NORM, np.full(shape.hidden, 1e-3, np.float32))
    yield _planned(names.MARKOV_W1, w1)
    yield _planned(names.MARKOV_W2, w2)
    yield _planned(names.CONFIDENCE_WEIGHT, weights.confidence_head(shape))
    yield _planned(names.CONFIDENCE_BIAS, np.zeros(1, np.float32))
    yield from _layers(shape, shape.draft_layers, random=random)


def _layers(shape: SyntheticShape, count: int, *, random: np.random.Generator) -> Iterator[PlannedTensor]:
    for layer in range(count):
        for name, matrix in weights.layer_matrices(shape, random):
            yield _planned(names.layer_tensor(layer, name), matrix)
        for name, norm in weights.layer_norms(shape):
            yield _planned(names.layer_tensor(layer, name), norm)


def _planned(name: str, values: NDArray[Any]) -> PlannedTensor:
    encoding = "F16" if values.dtype == np.float16 else "F32"
    return PlannedTensor(name, StoredTensor(name, encoding, values), encoding)


def _shape_entries(shape: SyntheticShape, architecture: str, *, layers: int) -> Iterator[Entry]:
    for template, value in (
        (names.BLOCK_COUNT, layers),
        (names.CONTEXT_LENGTH, _CONTEXT_TOKENS),
        (names.EMBEDDING_LENGTH, shape.hidden),
        (names.FEED_FORWARD_LENGTH, shape.feed_forward),
        (names.HEAD_COUNT, shape.heads),
        (names.HEAD_COUNT_KV, shape.kv_heads),
        (names.KEY_LENGTH, shape.head_dim),
        (names.VALUE_LENGTH, shape.head_dim),
    ):
        yield u32(names.key(template, architecture), value)
    yield f32(names.key(names.RMS_EPSILON, architecture), 1e-6)
    yield f32(names.key(names.ROPE_FREQ_BASE, architecture), 1e6)
    yield u32(names.FILE_TYPE, output_type_named("F16").file_type)


def _vocabulary_entries(shape: SyntheticShape) -> tuple[Entry, ...]:
    tokens = [*weights.SPECIAL_TOKENS, *_byte_tokens()]
    tokens += [f"tok{i}" for i in range(shape.vocabulary - len(tokens))]
    special = len(weights.SPECIAL_TOKENS)
    return (
        text(names.TOKENIZER_MODEL, "gpt2"),
        text(names.TOKENIZER_PRE, "qwen2"),
        text_list(names.TOKENS, tokens),
        i32_list(names.TOKEN_TYPES, [_CONTROL] * special + [_NORMAL] * (shape.vocabulary - special)),
        text_list(names.MERGES, ["Ġ Ġ"]),
        u32(names.BOS_ID, weights.BOS_TOKEN),
        u32(names.EOS_ID, weights.EOS_TOKEN),
        flag(names.ADD_BOS, False),
    )


def _byte_tokens() -> Iterator[str]:
    """The 256 printable stand-ins of GPT-2's byte-level BPE, in byte order."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    stand_in = 256
    for byte in range(256):
        yield chr(byte) if byte in printable else chr(stand_in)
        stand_in += byte not in printable


def _parse(arguments: list[str] | None) -> tuple[Path, SyntheticShape, bool]:
    parser = argparse.ArgumentParser(prog="python -m sparkdesk.bench.synthetic", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="PREFIX")
    parser.add_argument("--f16-only", action="store_true", help="leave out Q4_K_M and Q8_0")
    for entry in fields(SyntheticShape):
        kind: Any = _phases if entry.name == "phases" else type(entry.default)
        parser.add_argument(f"--{entry.name.replace('_', '-')}", type=kind, default=entry.default)
    chosen = vars(parser.parse_args(arguments))
    out, f16_only = chosen.pop("out"), chosen.pop("f16_only")
    return out, SyntheticShape(**chosen), f16_only


def _phases(given: str) -> tuple[float, ...]:
    return tuple(float(share) for share in given.split(","))


def _report(pairs: Iterable[SyntheticPair]) -> None:
    for pair in pairs:
        print(pair.target, pair.draft, "prompt tokens", ",".join(map(str, pair.prompt_tokens)))


def main(arguments: list[str] | None = None) -> None:
    out, shape, f16_only = _parse(arguments)
    pair = write_pair(out, shape)
    _report([pair] if f16_only else [pair, quantize_pair(pair)])


if __name__ == "__main__":
    main()
