"""llama.cpp's quantizer in its own process: progress, cancelling, and what it says when it cannot."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from converters import OUTPUT_TYPES, ConversionError, convert_draft, convert_target
from converters import quantize as quantizing
from converters.output_types import output_type_named
from tests.converters.checkpoints import make_draft, make_target
from tests.converters.gguf_reading import Reread

pytestmark = pytest.mark.native


Started = list[Any]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes the quantizer starts during the test."""
    processes: Started = []
    start = subprocess.Popen

    def start_and_note(*arguments: Any, **options: Any) -> Any:
        processes.append(start(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr("converters.quantize.subprocess.Popen", start_and_note)
    return processes


@pytest.mark.parametrize("type_name", ["Q8_0", "Q5_0", "Q4_0"])
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="others fuse multiplying and adding")
def test_what_we_encode_ourselves_is_what_llama_cpp_makes_of_it(tmp_path: Path, type_name: str) -> None:
    made = make_target(tmp_path / "target", tied=False, dtype="BF16")
    ours, exact, theirs = tmp_path / "ours.gguf", tmp_path / "exact.gguf", tmp_path / "theirs.gguf"
    list(convert_target(made.folder, ours, output_type=type_name))
    list(convert_target(made.folder, exact, output_type="BF16"))
    list(quantizing.quantize(exact, theirs, output_type_named(type_name)))
    our_file, their_file = Reread(ours), Reread(theirs)
    same = [name for name, kind in our_file.encodings().items() if kind == their_file.encodings()[name]]
    assert len(same) >= len(our_file.tensors) - 1  # llama.cpp makes the head Q6_K
    for name in same:
        assert our_file.raw(name) == their_file.raw(name), name


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_q4_k_m_reports_both_stages_to_their_end(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=False, dtype="BF16")
    events = list(convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_K_M"))
    assert [event.stage for event in events] == sorted(event.stage for event in events)
    for stage, unit in (("convert", "bytes"), ("quantize", "tensors")):
        done = [event.done for event in events if event.stage == stage]
        last = [event for event in events if event.stage == stage][-1]
        assert done == sorted(done)
        assert (last.done, last.unit) == (last.total, unit)
    assert leftovers(tmp_path) == ["out.gguf"]
    file = Reread(tmp_path / "out.gguf")
    assert file.encodings()["blk.0.attn_q.weight"] == "Q4_K"
    assert file.value("general.file_type") == output_type_named("Q4_K_M").file_type
    assert file.value("tokenizer.chat_template") == "{{ messages }}"


@pytest.mark.slow
@pytest.mark.parametrize("output_type", [name for name in OUTPUT_TYPES if not output_type_named(name).is_direct])
def test_every_type_on_offer_can_be_written(tmp_path: Path, output_type: str) -> None:
    made = make_target(tmp_path / "target", tied=True, dtype="F16")
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type=output_type))
    assert leftovers(tmp_path) == ["out.gguf"]


def test_a_quantized_draft_keeps_its_markov_tensors_at_q8_0(tmp_path: Path) -> None:
    """Left alone, llama.cpp would quantize them like any matrix."""
    made = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", made)
    list(convert_draft(draft.folder, tmp_path / "draft.gguf", target=made.folder, output_type="Q4_K_M"))
    encodings = Reread(tmp_path / "draft.gguf").encodings()
    assert encodings["markov_w1.weight"] == encodings["markov_w2.weight"] == "Q8_0"
    assert encodings["conf_proj.weight"] == "F32"
    assert encodings["fc.weight"] == "Q4_K"


@pytest.mark.parametrize("stage", ["convert", "quantize"])
def test_closing_early_leaves_no_file_and_no_process(tmp_path: Path, started: Started, stage: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    events = convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_K_M")
    next(event for event in events if event.stage == stage)
    events.close()
    assert leftovers(tmp_path) == []
    assert all(process.returncode is not None for process in started)


def test_an_interrupt_leaves_nothing_either(tmp_path: Path, started: Started) -> None:
    made = make_target(tmp_path / "target", tied=False)
    events = convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_K_M")
    next(event for event in events if event.stage == "quantize")
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())
    assert leftovers(tmp_path) == []
    assert all(process.returncode is not None for process in started)


def test_a_quantizer_that_dies_is_one_sentence_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_target(tmp_path / "target", tied=False)
    out = tmp_path / "out.gguf"
    out.write_text("the old one")
    start = subprocess.Popen

    def start_and_kill(*arguments: Any, **options: Any) -> Any:
        process = start(*arguments, **options)
        process.kill()
        return process

    monkeypatch.setattr("converters.quantize.subprocess.Popen", start_and_kill)
    with pytest.raises(ConversionError, match="could not quantize to Q4_K_M"):
        list(convert_target(made.folder, out, output_type="Q4_K_M", overwrite=True))
    assert leftovers(tmp_path) == ["out.gguf"]
    assert out.read_text() == "the old one"


def test_what_llama_cpp_says_becomes_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "not-a-model.gguf"
    source.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConversionError, match=r"could not quantize to Q4_1: .*fail"):
        list(quantizing.quantize(source, tmp_path / "out.gguf", output_type_named("Q4_1")))


@pytest.mark.parametrize("name", ["IQ2_XXS", "IQ1_S", "Q2_K_S", "IQ3_XS"])
def test_types_that_need_an_importance_matrix_say_so_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConversionError, match=f"{name} needs an importance matrix"):
        list(convert_target(tmp_path, tmp_path / "out.gguf", output_type=name))


@pytest.mark.skipif(os.name == "nt", reason="kills with SIGKILL")
def test_the_quantizer_ends_when_its_parent_does(tmp_path: Path) -> None:
    """A desk that crashes must not leave a process filling the disk."""
    source = tmp_path / "in.gguf"
    os.mkfifo(source)  # opening it waits for a writer that never comes
    process = subprocess.Popen(
        [sys.executable, "-m", "converters.quantize", str(source), str(tmp_path / "out.gguf"), "Q4_0"],
        stdin=subprocess.PIPE,
    )
    time.sleep(0.5)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 1


def truncated(data: bytes) -> bytes:
    return data[: len(data) - 4096]


def with_a_tensor_renamed(data: bytes) -> bytes:
    return data.replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight")


def with_another_template(data: bytes) -> bytes:
    return data.replace(b"{{ messages }}", b"{{ message_ }}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"", "cannot be read"),
        (lambda data: b"GGUF", "cannot be read"),
        (lambda data: data[:5000], "cannot be read"),
        (lambda data: b"\0" * len(data), "cannot be read"),
        (truncated, "ends at byte"),
        (with_a_tensor_renamed, "blk.0.attn_[qx].weight is missing"),
        (with_another_template, "tokenizer.chat_template"),
    ],
)
def test_what_a_quantizer_leaves_is_checked_before_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, words: str
) -> None:
    """Exit code 0 proves nothing: an empty file was published once, because another program had run."""
    made = make_target(tmp_path / "target", tied=False, dtype="BF16")
    out = tmp_path / "out.gguf"
    out.write_text("the old one")
    check = quantizing._check

    def spoil_and_check(source: Path, written: Path, type_: Any) -> None:
        written.write_bytes(spoil(written.read_bytes()))
        check(source, written, type_)

    monkeypatch.setattr(quantizing, "_check", spoil_and_check)
    with pytest.raises(ConversionError, match=f"not whole: .*{words}"):
        list(convert_target(made.folder, out, output_type="Q4_K_M", overwrite=True))
    assert out.read_text() == "the old one" and leftovers(tmp_path) == ["out.gguf"]
