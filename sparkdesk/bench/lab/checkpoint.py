"""Writes a Qwen3 checkpoint of any size, sharded and in BF16 as they are downloaded, with random weights.

Its text means nothing; what it costs to convert is real.

    python -m sparkdesk.bench.lab.checkpoint --out /tmp/8b --shape 8b --shards 4         # 16 GB
"""

import json
import shutil
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sparkdesk.bench.lab.checkpoint_tokenizer import write_tokenizer
from sparkdesk.errors import ConvertError, SparkDeskError

_BF16_BYTES = 2
_POOL_VALUES = 1 << 24  # random numbers that all tensors are cut from: making 16 GB of them would take minutes
_ALIGNMENT = 8  # of the data, as the safetensors library writes it
_SPARE_BYTES = 64 * 1024 * 1024

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class CheckpointShape:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    vocabulary: int

    @property
    def size_bytes(self) -> int:
        return _BF16_BYTES * sum(map(prod, tensor_shapes(self).values()))


SHAPES = {
    "tiny": CheckpointShape(hidden=256, layers=2, heads=4, kv_heads=2, head_dim=64, inner=512, vocabulary=512),
    "0.6b": CheckpointShape(1024, 28, 16, 8, 128, 3072, 151936),
    "4b": CheckpointShape(2560, 36, 32, 8, 128, 9728, 151936),
    "8b": CheckpointShape(4096, 36, 32, 8, 128, 12288, 151936),
}


def write_checkpoint(folder: Path, shape: CheckpointShape, *, shards: int, seed: int = 0) -> None:
    """Fill `folder`, which must not exist yet; it is removed again if that fails. Raises ConvertError."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConvertError(f"{folder} cannot be made: {error.strerror or error}.", "Choose another folder.") from error
    try:
        _check_room(folder, shape)
        _fill(folder, shape, shards=shards, seed=seed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def tensor_shapes(shape: CheckpointShape) -> Shapes:
    """Every tensor by its name in the checkpoint, in the order they are stored."""
    query, key_value = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    tensors: Shapes = {"model.embed_tokens.weight": (shape.vocabulary, shape.hidden)}
    layer: Shapes = {
        "self_attn.q_proj": (query, shape.hidden),
        "self_attn.k_proj": (key_value, shape.hidden),
        "self_attn.v_proj": (key_value, shape.hidden),
        "self_attn.o_proj": (shape.hidden, query),
        "mlp.gate_proj": (shape.inner, shape.hidden),
        "mlp.up_proj": (shape.inner, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.inner),
        "input_layernorm": (shape.hidden,),
        "post_attention_layernorm": (shape.hidden,),
        "self_attn.q_norm": (shape.head_dim,),
        "self_attn.k_norm": (shape.head_dim,),
    }
    for number in range(shape.layers):
        tensors |= {f"model.layers.{number}.{name}.weight": size for name, size in layer.items()}
    return tensors | {"model.norm.weight": (shape.hidden,), "lm_head.weight": (shape.vocabulary, shape.hidden)}


def _check_room(folder: Path, shape: CheckpointShape) -> None:
    needed, free = shape.size_bytes + _SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ConvertError(
            f"{folder} has {free / 1e9:.1f} GB free, and the checkpoint needs {needed / 1e9:.1f} GB.",
            "Choose another folder or a smaller shape.",
        )


def _fill(folder: Path, shape: CheckpointShape, *, shards: int, seed: int) -> None:
    (folder / "config.json").write_text(json.dumps(_config(shape), indent=2), encoding="utf-8")
    write_tokenizer(folder, shape.vocabulary)
    tensors = tensor_shapes(shape)
    pool = _Pool(seed)
    weight_map: dict[str, str] = {}
    for number, names in enumerate(_split(tensors, shards), 1):
        file_name = f"model-{number:05}-of-{shards:05}.safetensors"
        with (folder / file_name).open("wb") as file:
            _write_shard(file, {name: tensors[name] for name in names}, pool)
        weight_map |= dict.fromkeys(names, file_name)
    index = {"metadata": {"total_size": shape.size_bytes}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _split(tensors: Shapes, shards: int) -> Iterator[list[str]]:
    """Neighbours together, the files about equally large."""
    total = sum(map(prod, tensors.values()))
    groups: list[list[str]] = [[] for _ in range(shards)]
    before = 0
    for name, size in tensors.items():
        groups[before * shards // total].append(name)
        before += prod(size)
    yield from groups


def _write_shard(file: BinaryIO, tensors: Shapes, pool: "_Pool") -> None:
    header: dict[str, Mapping[str, object]] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, size in tensors.items():
        stop = at + prod(size) * _BF16_BYTES
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [at, stop]}
        at = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for size in tensors.values():
        for piece in pool.values(prod(size)):
            file.write(piece)


class _Pool:
    """Normal random numbers as BF16, handed out from another place for every tensor."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        floats = self._random.standard_normal(_POOL_VALUES, dtype=np.float32) * np.float32(0.02)
        self._values = (floats.view("<u4") >> np.uint32(16)).astype("<u2").view(np.uint8).data

    def values(self, count: int) -> Iterator[memoryview]:
        start = int(self._random.integers(_POOL_VALUES))
        while count:
            taken = min(count, _POOL_VALUES - start)
            yield self._values[start * _BF16_BYTES : (start + taken) * _BF16_BYTES]
            count, start = count - taken, 0


def _config(shape: CheckpointShape) -> dict[str, object]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "torch_dtype": "bfloat16",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.checkpoint", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to make")
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--shards", type=int, default=4)
    options = parser.parse_args(arguments)
    if options.shards < 1:
        parser.error("--shards is at least 1")
    try:
        write_checkpoint(options.out, SHAPES[options.shape], shards=options.shards)
    except SparkDeskError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(options.out)


if __name__ == "__main__":
    main()
