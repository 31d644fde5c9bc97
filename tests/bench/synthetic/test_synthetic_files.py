"""Writing a synthetic pair: all of it or nothing, and nothing over what is there."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair, make_pairs, needed_bytes, write_pair
from sparkdesk.bench.synthetic.shape import SyntheticShape
from sparkdesk.errors import ConvertError, UsageError
from sparkdesk.events import Progress
from sparkdesk.machine import hardware
from tests.conftest import TINY_SHAPE


def made(
    out: Path, *, shape: SyntheticShape = TINY_SHAPE, f16_only: bool = True
) -> tuple[list[Progress], list[SyntheticPair]]:
    events = list(make_pairs(out, shape, f16_only=f16_only))
    pairs = [event for event in events if isinstance(event, SyntheticPair)]
    return [event for event in events if isinstance(event, Progress)], pairs


def test_the_pair_is_the_one_its_seed_stands_for(tmp_path: Path) -> None:
    progress, (pair,) = made(tmp_path / "new")
    old = write_pair(tmp_path / "old", TINY_SHAPE)
    assert pair.target.read_bytes() == old.target.read_bytes() and pair.draft.read_bytes() == old.draft.read_bytes()
    assert pair.prompt_tokens == old.prompt_tokens
    assert {event.step for event in progress} >= {"Writing the target", "Writing the draft"}


@pytest.mark.native
def test_smaller_types_lie_beside_it(tmp_path: Path) -> None:
    progress, pairs = made(tmp_path / "p", f16_only=False)
    assert [path.name for pair in pairs for path in (pair.target, pair.draft)] == [
        "p-target.gguf",
        "p-draft.gguf",
        "p-target-Q4_K_M.gguf",
        "p-draft-Q8_0.gguf",
    ]
    assert len(list(tmp_path.iterdir())) == 4
    assert any(event.step.startswith("Quantizing") for event in progress)


def test_an_existing_file_stops_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "p-draft.gguf").write_text("mine")
    with pytest.raises(ConvertError, match=r"p-draft\.gguf exists already"):
        made(tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p-draft.gguf"]
    assert (tmp_path / "p-draft.gguf").read_text() == "mine"


def test_stopping_midway_leaves_nothing(tmp_path: Path) -> None:
    events = make_pairs(tmp_path / "p", TINY_SHAPE)
    assert isinstance(events, Generator)
    for event in events:
        if isinstance(event, Progress) and event.step == "Writing the draft":
            break
    assert list(tmp_path.iterdir()) != []
    events.close()
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "free_bytes", lambda folder: 5_000_000)
    with pytest.raises(ConvertError, match=r"has 0\.0 GB free, and the files need 0\.1 GB\."):
        made(tmp_path / "p")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="does not exist"):
        made(tmp_path / "none" / "p")


def test_the_room_needed_is_what_is_taken(tmp_path: Path) -> None:
    _, (pair,) = made(tmp_path / "p")
    written = pair.target.stat().st_size + pair.draft.stat().st_size
    planned = TINY_SHAPE.target_bytes + TINY_SHAPE.draft_bytes
    assert planned <= written < 1.2 * planned + 100_000
    assert needed_bytes(TINY_SHAPE, f16_only=False) > needed_bytes(TINY_SHAPE, f16_only=True) > planned


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": 2}, "layers is 2, and 3 is the least"),
        ({"vocabulary": 200}, "vocabulary is 200"),
        ({"hidden": 0}, "hidden is 0, and 1"),
        ({"heads": 4, "kv_heads": 3}, "4 heads cannot share 3"),
        ({"head_dim": 33}, "head-dim is 33"),
        ({"phases": (0.5, 1.5)}, "from 0 to 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        made(tmp_path / "p", shape=replace(TINY_SHAPE, **changes))
