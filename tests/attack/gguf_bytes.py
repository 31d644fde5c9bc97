"""GGUF files byte by byte, with whatever a header can claim."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

U32, I32, F32, BOOL, STRING, ARRAY, U64, F64 = 4, 5, 6, 7, 8, 9, 10, 12
_CODES = {U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", F64: "d"}
Value = int | float | str | bytes


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    shape: tuple[int, ...] = (32, 16)
    ggml_type: int = 0
    offset: int = 0


def text(value: str | bytes) -> bytes:
    encoded = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def entry(key: str, kind: int, value: Value) -> bytes:
    if kind == STRING:
        assert isinstance(value, str | bytes)
        return text(key) + struct.pack("<I", kind) + text(value)
    if isinstance(value, bytes):  # as it stands
        return text(key) + struct.pack("<I", kind) + value
    return text(key) + struct.pack("<I" + _CODES[kind], kind, value)


def numbers(key: str, kind: int, values: Sequence[int | float], *, count: int | None = None) -> bytes:
    packed = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values) if count is None else count) + packed


def tensor(about: Tensor) -> bytes:
    shape = struct.pack(f"<I{len(about.shape)}Q", len(about.shape), *about.shape)
    return text(about.name) + shape + struct.pack("<IQ", about.ggml_type, about.offset)


SOUND = (
    entry("general.architecture", STRING, "llama"),
    entry("llama.block_count", U32, 2),
    entry("llama.embedding_length", U32, 32),
    entry("llama.context_length", U32, 512),
    entry("llama.attention.head_count", U32, 4),
    entry("llama.feed_forward_length", U32, 64),
)
EMBEDDINGS = Tensor("token_embd.weight")


def gguf(
    entries: Sequence[bytes] = SOUND,
    tensors: Sequence[Tensor] = (EMBEDDINGS,),
    *,
    entry_count: int | None = None,
    tensor_count: int | None = None,
    version: int = 3,
    data_bytes: int = 1 << 16,
) -> bytes:
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(entries) if entry_count is None else entry_count,
    )
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(entries) + b"".join(map(tensor, tensors))
    return head + bytes(-len(head) % 32 + data_bytes)


def write(path: Path, content: bytes, *, size_bytes: int | None = None) -> Path:
    """With a hole up to `size_bytes`."""
    with path.open("wb") as file:
        file.write(content)
        if size_bytes is not None:
            file.truncate(size_bytes)
    return path
