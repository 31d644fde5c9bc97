"""GGUF headers out of hostile parts: every reader reads them or refuses them with one sentence.

python -m tests.gguf.fuzz_header --minutes 5
"""

import random
import struct
import tempfile
from pathlib import Path

from converters import ConversionError
from converters.gguf_target import GgufTarget
from sparkdesk.errors import ModelLoadError
from sparkdesk.fit.header_size import size_from_header
from sparkdesk.gguf import pairing
from sparkdesk.gguf.header import peek_gguf, read_gguf, read_head
from sparkdesk.library.model import parameter_count, quantization_of
from tests.attack.gguf_bytes import ARRAY, BOOL, F32, F64, I32, SOUND, STRING, U32, U64, Tensor, entry, gguf, text
from tests.fuzzing import run

KEPT_SEEDS = (3, 17, 256, 1000, 4242, 65537)
"""Run by the tests."""
_KEYS = (
    "general.alignment", "general.architecture", "general.file_type", "general.name", "general.type",
    "llama.block_count", "llama.embedding_length", "llama.context_length", "llama.attention.head_count",
    "llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.sliding_window",
    "llama.attention.sliding_window_pattern", "llama.feed_forward_length", "llama.rope.freq_base", "llama.expert_count",
    "dflash.block_size", "dflash.target_layers", "dflash.final_logit_softcapping", "tokenizer.ggml.tokens",
    "tokenizer.ggml.mask_token_id", "tokenizer.ggml.scores", "split.count", "",
)  # fmt: skip
_NAMES = ("token_embd.weight", "output.weight", "blk.0.attn_q.weight", "blk.9.ffn_up.weight", "blk.", "blk.x.y",
          "fc.weight", "markov_w1.weight", "markov_w2.weight", "d2t", "conf_proj.weight", "a" * 5000, "\0")  # fmt: skip
_COUNTS = (0, 1, 2, 3, 7, 16, 32, 1024, 1025, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_FLOATS = (0.0, -1.0, 1.0, 1e-45, 3.4e38, float("inf"), float("-inf"), float("nan"))
_TEXTS = ("llama", "dflash", "dspark", "clip", "", "\x1b]52;c;x\a", "é" * 100, "x" * 70_000)


def trial(seed: int, folder: Path) -> None:
    rng, path = random.Random(seed), folder / "m.gguf"
    content = _header(rng)
    path.write_bytes(content)
    for read in (read_gguf, peek_gguf):
        try:
            file = read(path)
        except ModelLoadError as error:
            assert len(error.message) < 1000, len(error.message)
        else:
            size_from_header(file), quantization_of(file), parameter_count(file), file.name
            pairing.problem(file, file)
    try:
        target = GgufTarget(path)
        target.tokenizer_entries(), target.origin
        target.embedding_rows([0])
        target.head_rows([0])
    except ConversionError:
        pass
    try:
        read_head(content[: rng.randrange(len(content) + 1)], path, len(content))
    except ModelLoadError:
        pass


def _header(rng: random.Random) -> bytes:
    entries = list(SOUND) if rng.random() < 0.7 else []
    entries += [_entry(rng) for _ in range(rng.randrange(4))]
    rng.shuffle(entries)
    tensors = [_tensor(rng) for _ in range(rng.randrange(4))]
    built = bytearray(
        gguf(
            entries,
            tensors,
            entry_count=rng.choice((None, None, None, 0, len(entries) + 1, 1 << 40)),
            tensor_count=rng.choice((None, None, None, 0, len(tensors) + 1, 1 << 40)),
            version=rng.choice((3, 3, 3, 2, 1, 3 << 24)),
            data_bytes=rng.choice((0, 1, 4096)),
        )
    )
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        built[rng.randrange(len(built))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(built[: rng.randrange(len(built))]) if rng.random() < 0.1 else bytes(built)


def _entry(rng: random.Random) -> bytes:
    key, kind = rng.choice(_KEYS), rng.choice((U32, I32, F32, BOOL, STRING, ARRAY, U64, F64, 99))
    if kind == STRING:
        return entry(key, kind, rng.choice(_TEXTS))
    if kind in (F32, F64):
        return entry(key, kind, rng.choice(_FLOATS))
    if kind == ARRAY:
        item, count = rng.choice((U32, F32, STRING, BOOL, ARRAY, 99)), rng.choice((*_COUNTS, 1 << 62))
        return text(key) + struct.pack("<IIQ", ARRAY, item, count) + rng.randbytes(min(count, 64) * 4)
    if kind == 99:
        return entry(key, kind, rng.randbytes(8))
    number = rng.choice(_COUNTS)
    return entry(key, kind, number if kind != I32 else number - (1 << 31))


def _tensor(rng: random.Random) -> Tensor:
    shape = tuple(rng.choice((0, 1, 32, 256, rng.choice(_COUNTS), 1 << 62)) for _ in range(rng.randrange(5)))
    return Tensor(rng.choice(_NAMES), shape, rng.choice((0, 1, 8, 12, 30, 99)), rng.choice((0, 32, 2048, 7, 1 << 63)))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return run("GGUF headers", lambda seed: trial(seed, Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
