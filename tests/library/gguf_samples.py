"""Small GGUF files with the headers of real ones."""

from pathlib import Path

import gguf
import numpy as np

VOCABULARY = [f"token {i}" for i in range(16)]


def write_target(
    path: Path, *, width: int = 32, vocabulary: list[str] | None = None, file_type: int = 15, parts: int = 0
) -> Path:
    """`parts`: of how many it is the first."""
    writer = _writer(path, "qwen3", vocabulary or VOCABULARY)
    if parts:
        writer.add_uint16("split.count", parts)
    writer.add_file_type(file_type)
    writer.add_embedding_length(width)
    writer.add_block_count(2)
    writer.add_tensor("token_embd.weight", np.zeros((len(vocabulary or VOCABULARY), width), np.float16))
    return _closed(writer, path)


def write_draft(path: Path, *, width: int = 32, architecture: str = "dflash") -> Path:
    writer = _writer(path, architecture, VOCABULARY)
    writer.add_file_type(7)
    writer.add_uint32(f"{architecture}.block_size", 7)
    writer.add_array(f"{architecture}.target_layers", [0, 1])
    writer.add_uint32(f"{architecture}.block_count", 1)
    writer.add_uint32(f"{architecture}.embedding_length", width)
    writer.add_uint32("tokenizer.ggml.mask_token_id", 3)
    writer.add_tensor("fc.weight", np.zeros((32, 2 * width), np.float16))
    return _closed(writer, path)


def write_split(folder: Path, stem: str, count: int) -> list[Path]:
    """A target whose later parts hold a tensor each."""
    paths = [folder / f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    write_target(paths[0], parts=count)
    for number, path in enumerate(paths[1:], 2):
        writer = gguf.GGUFWriter(str(path), "qwen3")
        writer.add_uint16("split.no", number - 1)
        writer.add_tensor(f"blk.{number}.attn_q.weight", np.zeros((32, 32), np.float16))
        _closed(writer, path)
    return paths


def _writer(path: Path, architecture: str, vocabulary: list[str]) -> gguf.GGUFWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([1] * len(vocabulary))
    writer.add_token_merges(["a b"] * len(vocabulary))
    writer.add_eos_token_id(1)
    return writer


def _closed(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
