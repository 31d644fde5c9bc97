"""How long it takes to look at a folder of large models, the first time and later ones.

python -m sparkdesk.bench.lab.library_time --files 100
"""

import random
import struct
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from sparkdesk.bench.lab.measure import spread
from sparkdesk.config.paths import Paths
from sparkdesk.library.model_dirs import FOLDER, Place
from sparkdesk.library.reading import read_places

_VOCABULARY, _MERGES = 151_936, 151_387
_LAYERS, _WIDTH = 36, 2560
_Q8_0 = 8
_UINT32, _INT32, _STRING, _ARRAY = 4, 5, 8, 9


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.library_time", description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        size_bytes = make_models(home / "models", options.files)
        print(f"{options.files} files of {size_bytes / 1e9:.1f} GB each, vocabularies of {_VOCABULARY:,} tokens")
        paths = Paths(home / "config", home / "data", home / "state", home / "cache")
        for name, is_first in (("first look", True), ("later looks", False)):
            middle, least, most = spread([_seconds(paths, home, is_first) for _ in range(options.repeat)])
            print(f"{name}: median {middle:.3f} s of {options.repeat} ({least:.3f}..{most:.3f})", flush=True)


def make_models(folder: Path, count: int) -> int:
    """Sparse files with the header of a 4B model; every one with merges of its own. Returns the size of each."""
    folder.mkdir(parents=True)
    size_bytes = 0
    for i in range(count):
        header, data_bytes = _header(random.Random(i))
        path = folder / f"Model-{i}-4B-Q8_0.gguf"
        with path.open("wb") as file:
            file.write(header)
            size_bytes = len(header) + 32 + data_bytes + i
            file.truncate(size_bytes)
    return size_bytes


def _seconds(paths: Paths, home: Path, is_first: bool) -> float:
    if is_first:
        paths.headers_file.unlink(missing_ok=True)
    began_s = time.perf_counter()
    library = read_places((Place(home / "models", FOLDER),), paths)
    elapsed_s = time.perf_counter() - began_s
    assert library.targets and not any(model.problem for model in library.models)
    return elapsed_s


def _header(random_numbers: random.Random) -> tuple[bytes, int]:
    """The header, and how many bytes of weights it promises."""
    entries = [
        _entry("general.architecture", _STRING, _text("qwen3")),
        _entry("general.file_type", _UINT32, struct.pack("<I", 7)),
        _entry("qwen3.block_count", _UINT32, struct.pack("<I", _LAYERS)),
        _entry("qwen3.embedding_length", _UINT32, struct.pack("<I", _WIDTH)),
        _entry("tokenizer.ggml.tokens", _ARRAY, _strings(random_numbers, _VOCABULARY)),
        _entry("tokenizer.ggml.token_type", _ARRAY, struct.pack("<IQ", _INT32, _VOCABULARY) + bytes(4 * _VOCABULARY)),
        _entry("tokenizer.ggml.merges", _ARRAY, _strings(random_numbers, _MERGES)),
        _entry("tokenizer.ggml.eos_token_id", _UINT32, struct.pack("<I", 2)),
        _entry("tokenizer.chat_template", _STRING, _text("{{ messages }}" * 300)),
        _entry("general.quantization_version", _UINT32, struct.pack("<I", 2)),
    ]
    tensors, offset = [], 0
    for name, shape in _tensors():
        tensors.append(_text(name) + struct.pack("<IQQIQ", 2, *shape, _Q8_0, offset))
        offset += shape[0] * shape[1] // 32 * 34
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    return start + b"".join(entries) + b"".join(tensors), offset


def _tensors() -> list[tuple[str, tuple[int, int]]]:
    names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "attn_norm", "ffn_norm")
    each = [(f"blk.{layer}.{name}.weight", (_WIDTH, _WIDTH)) for layer in range(_LAYERS) for name in names]
    return [("token_embd.weight", (_WIDTH, _VOCABULARY)), *each]


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _strings(random_numbers: random.Random, count: int) -> bytes:
    lengths = random_numbers.choices(range(2, 14), k=count)
    return struct.pack("<IQ", _STRING, count) + b"".join(struct.pack("<Q", size) + b"x" * size for size in lengths)


if __name__ == "__main__":
    main()
