"""GGUF headers that claim what cannot be: one sentence, no traceback, and neither time nor memory spent on it."""

import math
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from converters import ConversionError
from converters.gguf_target import GgufTarget
from sparkdesk.errors import ModelLoadError
from sparkdesk.fit.header_size import size_from_header
from sparkdesk.gguf.header import peek_gguf, read_gguf, read_head
from tests.attack.gguf_bytes import (
    ARRAY,
    BOOL,
    EMBEDDINGS,
    F32,
    F64,
    I32,
    SOUND,
    STRING,
    U32,
    U64,
    Tensor,
    entry,
    gguf,
    numbers,
    text,
    write,
)
from tests.fuzzing import timed
from tests.gguf.fuzz_header import KEPT_SEEDS, trial

BIG = 1 << 62


def saying(*entries: bytes) -> bytes:
    """The sound header with more in it."""
    return gguf([*SOUND, *entries])


def instead(key: str, kind: int, value: int | float | str | bytes) -> bytes:
    return gguf([entry(key, kind, value) if text(key) in each else each for each in SOUND])


HOSTILE = {
    "huge float": saying(entry("llama.rope.freq_base", F64, 1e308)),
    "infinite": saying(entry("llama.rope.freq_base", F32, math.inf)),
    "no number": saying(entry("llama.attention.scale", F32, math.nan)),
    "infinite in a list": saying(numbers("llama.rope.scale", F32, [1.0, -math.inf])),
    "negative epsilon": saying(entry("llama.attention.layer_norm_rms_epsilon", F32, -1.0)),
    "alignment 0": saying(entry("general.alignment", U32, 0)),
    "alignment 48": saying(entry("general.alignment", U32, 48)),
    "alignment as text": saying(entry("general.alignment", STRING, "32")),
    "alignment true": saying(entry("general.alignment", BOOL, True)),
    "alignment 2^31": saying(entry("general.alignment", U32, 1 << 31)),
    "layers 2^31": instead("llama.block_count", U32, 1 << 31),
    "layers 0": instead("llama.block_count", U32, 0),
    "layers -1": instead("llama.block_count", I32, -1),
    "layers as text": instead("llama.block_count", STRING, "2"),
    "layers 2.5": instead("llama.block_count", F32, 2.5),
    "a list of layers": gguf([*SOUND[:1], numbers("llama.block_count", U32, [2]), *SOUND[2:]]),
    "width 2^31": instead("llama.embedding_length", U32, 1 << 31),
    "width of another model": instead("llama.embedding_length", U32, 64),
    "context 2^64": instead("llama.context_length", U64, (1 << 64) - 1),
    "heads 2^32": instead("llama.attention.head_count", U32, (1 << 32) - 1),
    "heads for one layer": gguf([*SOUND[:4], numbers("llama.attention.head_count", U32, [4])]),
    "a key twice": gguf([*SOUND, SOUND[1]]),
    "a tensor twice": gguf(tensors=[EMBEDDINGS, EMBEDDINGS]),
    "an architecture of controls": instead("general.architecture", STRING, "\x1b[2Jllama"),
    "an architecture that is a number": instead("general.architecture", U32, 3),
    "entries 2^62": gguf(entry_count=BIG),
    "tensors 2^62": gguf(tensor_count=BIG),
    "more entries than there are": gguf(entry_count=len(SOUND) + 1),
    "a list of 2^62": saying(numbers("llama.x", U32, [1], count=BIG)),
    "texts 2^62": saying(text("llama.x") + struct.pack("<IIQ", ARRAY, STRING, BIG)),
    "lists in lists": saying(text("llama.x") + struct.pack("<II", ARRAY, ARRAY) * 900),
    "a text of 2^62": saying(text("llama.x") + struct.pack("<IQ", STRING, BIG)),
    "a key of 2^62": saying(struct.pack("<Q", BIG)),
    "a key that is no text": saying(text(b"\xff\xfe") + struct.pack("<II", U32, 1)),
    "an unknown type": saying(entry("llama.x", 99, b"\0" * 8)),
    "version 2^24": gguf(version=3 << 24),
    "overlapping": gguf(tensors=[EMBEDDINGS, Tensor("output.weight", (32, 16), 0, 64)]),
    "beyond the end": gguf(tensors=[Tensor("output.weight", (32, 16), 0, 1 << 20)]),
    "beyond all addresses": gguf(tensors=[Tensor("output.weight", (32, 16), 0, (1 << 64) - 32)]),
    "larger than the world": gguf(tensors=[Tensor("output.weight", (BIG, BIG, BIG, BIG))]),
    "nothing in it": gguf(tensors=[Tensor("output.weight", (32, 0))]),
    "half a block": gguf(tensors=[Tensor("output.weight", (33, 16), 8)]),
    "five dimensions": gguf(tensors=[Tensor("output.weight", (1, 1, 1, 1, 1))]),
    "between two multiples": gguf(tensors=[Tensor("output.weight", (32, 16), 0, 8)]),
    "a layer beyond the last": gguf(tensors=[EMBEDDINGS, Tensor("blk.7.attn_q.weight", (32,), 0, 2048)]),
    "a layer that is no number": gguf(tensors=[EMBEDDINGS, Tensor("blk.x.attn_q.weight", (32,), 0, 2048)]),
    "more tokens than rows": saying(text("tokenizer.ggml.tokens") + struct.pack("<IIQ136x", ARRAY, STRING, 17)),
}  # fmt: skip


def test_the_sound_one_is_read(tmp_path: Path) -> None:
    assert size_from_header(read_gguf(write(tmp_path / "m.gguf", gguf()))).width == 32


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_cannot_be_believed_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "m.gguf", HOSTILE[name])
    for read in (read_gguf, peek_gguf):
        with pytest.raises(ModelLoadError) as refused:
            read(path)
        assert refused.value.message.startswith(str(path)) and len(refused.value.message) < len(str(path)) + 300
    with pytest.raises(ConversionError):
        GgufTarget(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_beginning_of_such_a_file_on_the_hub_is_refused_or_not_enough(name: str) -> None:
    content = HOSTILE[name]
    for share in (0.0, 0.3, 0.7, 1.0):
        try:
            read_head(content[: int(len(content) * share)], Path("m.gguf"), len(content))
        except ModelLoadError:
            pass


def _peak_mib(path: Path) -> tuple[float, float]:
    """Memory and seconds that a process of its own takes to refuse it, its start included."""
    began = time.monotonic()
    program = "import sys\nfrom pathlib import Path\nfrom sparkdesk.gguf.header import read_gguf\n" + (
        "from sparkdesk.errors import ModelLoadError\n"
        "try:\n    read_gguf(Path(sys.argv[1]))\nexcept ModelLoadError:\n    pass\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024, time.monotonic() - began


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the memory taken")
@pytest.mark.parametrize(
    "head",
    [
        gguf([*SOUND, text("x") + struct.pack("<IIQ", ARRAY, STRING, 1 << 33)], data_bytes=0),
        gguf([*SOUND, text("x") + struct.pack("<IQ", STRING, 50 << 30)], data_bytes=0),
        gguf([*SOUND, text("x") + struct.pack("<IIQ", ARRAY, U32, 1 << 34)], data_bytes=0),
        gguf(entry_count=1 << 32, data_bytes=0),
        gguf(tensor_count=1 << 32, data_bytes=0),
    ],
)
def test_a_file_with_a_hole_of_a_terabyte_takes_no_memory(tmp_path: Path, head: bytes) -> None:
    """Its size allows whatever its header claims; 3 GB went into it."""
    path = write(tmp_path / "hole.gguf", head, size_bytes=1 << 40)
    memory_mib, seconds = _peak_mib(path)
    assert memory_mib < 400 and seconds < 20


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to(target: str) -> "Sequence[object]":
    return [lambda path: path.symlink_to(target)]


@pytest.mark.parametrize("make", [_pipe, *_link_to("/dev/zero"), *_link_to("/dev/null"), *_link_to("/"), Path.mkdir])
def test_what_is_not_a_file_is_refused_before_it_is_opened(tmp_path: Path, make: object) -> None:
    path = tmp_path / "m.gguf"
    assert callable(make)
    make(path)
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(ModelLoadError, match=r"not a file|directory"):
        read_gguf(path)
    with pytest.raises(ConversionError):
        GgufTarget(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - began < 5


@pytest.mark.parametrize("seed", [*KEPT_SEEDS, *range(150)])
def test_headers_out_of_hostile_parts_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    timed(lambda seed: trial(seed, tmp_path), seed)
