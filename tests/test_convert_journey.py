"""The conversion as the desk asks for it: errors and progress in its own words, and a kept pair that is never half."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.convert import PairSource, convert_draft, convert_target, keep_pair, kept_pair
from sparkdesk.errors import ConvertError
from sparkdesk.events import Notice, Progress
from sparkdesk.gguf.header import read_gguf
from tests.converters.checkpoints import make_draft, make_target
from tests.converters.gemma4_checkpoints import make_gemma4_target


@pytest.fixture
def source(tmp_path: Path) -> PairSource:
    target = make_target(tmp_path / "checkpoint-target", tied=True)
    draft = make_draft(tmp_path / "checkpoint-draft", target)
    return PairSource("little", target.folder, draft.folder, "Q8_0")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_progress_has_words_an_end_and_a_rate(source: PairSource, tmp_path: Path) -> None:
    said = list(convert_target(source.target, tmp_path / "t.gguf", output_type="F16"))
    events = [event for event in said if isinstance(event, Progress)]
    assert events == said
    assert events[-1].step == "Converting the target"
    assert events[-1].fraction == 1.0 and events[-1].unit == "bytes"
    assert all(event.rate_per_second >= 0 for event in events)


def test_what_does_not_come_along_is_said_once(tmp_path: Path) -> None:
    made = make_gemma4_target(tmp_path / "checkpoint", wrapped=True)
    said = convert_target(made.folder, tmp_path / "t.gguf", output_type="F16")
    notices = [event.text for event in said if isinstance(event, Notice)]
    assert len(notices) == 1 and "images and audio are left out" in notices[0]


def test_an_error_keeps_its_sentence_and_gets_our_exit_code(source: PairSource, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"holds a draft .* not a target") as raised:
        list(convert_target(source.draft, tmp_path / "t.gguf", output_type="F16"))
    assert raised.value.exit_code == 3
    with pytest.raises(ConvertError):
        list(convert_draft(source.draft, tmp_path / "d.gguf", target=tmp_path / "none", output_type="F16"))


def test_a_kept_pair_is_made_once(source: PairSource, tmp_path: Path) -> None:
    library = tmp_path / "library"
    assert list(keep_pair(source, library))
    kept = kept_pair(source, library)
    assert read_gguf(kept.target).architecture == "qwen3"
    assert read_gguf(kept.draft).architecture == "dflash"
    assert list(keep_pair(source, library)) == []
    assert names_in(library) == [kept.folder.name]


def test_a_changed_checkpoint_makes_a_new_pair_and_removes_the_old(source: PairSource, tmp_path: Path) -> None:
    library = tmp_path / "library"
    list(keep_pair(source, library))
    before = kept_pair(source, library)
    (source.draft / "README.md").write_text("---\nlicense: mit\n---\n")
    list(keep_pair(source, library))
    assert names_in(library) == [kept_pair(source, library).folder.name] != [before.folder.name]
    assert kept_pair(replace(source, output_type="F16"), library) != kept_pair(source, library)


def test_cancelling_at_any_moment_leaves_nothing(source: PairSource, tmp_path: Path) -> None:
    library = tmp_path / "library"
    step_count = len(list(keep_pair(source, tmp_path / "other")))
    for moment in range(1, step_count + 1):
        with closing(keep_pair(source, library)) as steps:
            for _ in range(moment):
                next(steps)
        assert names_in(library) == []


def test_a_failure_on_the_draft_leaves_no_lone_target(source: PairSource, tmp_path: Path) -> None:
    (source.draft / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ConvertError):
        list(keep_pair(source, tmp_path / "library"))
    assert names_in(tmp_path / "library") == []


def test_a_second_process_that_was_faster_is_accepted(source: PairSource, tmp_path: Path) -> None:
    library = tmp_path / "library"
    slow = iter(keep_pair(source, library))
    next(slow)
    list(keep_pair(source, library))
    list(slow)
    assert names_in(library) == [kept_pair(source, library).folder.name]
    assert kept_pair(source, library).is_complete


def test_a_library_that_cannot_be_made_is_a_sentence(source: PairSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvertError, match="cannot be written to"):
        list(keep_pair(source, tmp_path / "file" / "library"))
