"""`sparkdesk list` as a user meets it, in a home of its own."""

import json
from pathlib import Path

import pytest

from sparkdesk.cli.app import run
from sparkdesk.cli.color import Colors
from sparkdesk.cli.list import report
from sparkdesk.config.paths import Paths
from sparkdesk.library.model import Library, Model
from sparkdesk.library.model_dirs import FOLDER, Place
from sparkdesk.sizes import day_in_words, parameters_in_words, shortened, size_in_words
from tests.library.gguf_samples import write_draft, write_target

DAY_S = 86_400.0


def test_an_empty_library_says_what_to_do_next(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list"]) == 0
    shown = capsys.readouterr().out
    assert "sparkdesk demo" in shown and "model_folders" in shown and str(paths.settings_file) in shown


def test_folders_of_the_settings_file_are_looked_into(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_target(tmp_path / "mine" / "T-Q4_K_M.gguf")
    paths.config.mkdir(parents=True)
    paths.settings_file.write_text(f'model_folders = ["{tmp_path / "mine"}"]')
    write_draft(paths.models / "D.gguf")
    (paths.models / "bad.gguf").write_bytes(b"x")
    assert run(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    assert "fits T-Q4_K_M" in shown and "Not usable" in shown and "Q4_K_M" in shown and "never" in shown


def test_the_list_is_there_for_programs(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_target(paths.models / "T.gguf")
    assert run(["list", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["files"] == [str(path)] and model["role"] == "target" and model["quantization"] == "Q4_K_M"


def test_long_names_fit_and_keep_their_ends() -> None:
    place = Place(Path("/m"), FOLDER)
    name = "A-very-long-name-that-somebody-gave-to-their-own-model-Q4_K_M"
    file = Path(f"/m/{name}.gguf")
    model = Model(name, file, (file,), place, "target", 123_456_789_012, "IQ2_XXS", 405_900_000_000, last_used_s=1.0)
    lines = list(report(Library((model,)), paint=Colors(), now_s=99 * DAY_S, settings_file=Path("s")))
    assert max(map(len, lines)) <= 80 and "Q4_K_M" in lines[1] and "99 days ago" in lines[1]


def test_sizes_and_days_are_said_as_people_say_them() -> None:
    assert [size_in_words(size) for size in (1, 12_300_000, 999_900_000, 5_030_000_000)] == [
        "1 kB",
        "12 MB",
        "1.0 GB",
        "5.0 GB",
    ]
    assert [parameters_in_words(count) for count in (8_190_000_000, 494_000_000, 12)] == ["8.2B", "494M", ""]
    assert day_in_words(DAY_S, 1101 * DAY_S) == "3 years ago"
    assert [day_in_words(then, 10 * DAY_S) for then in (0.0, 10 * DAY_S, 9 * DAY_S, DAY_S)] == [
        "never",
        "today",
        "yesterday",
        "9 days ago",
    ]
    assert shortened("abcdefgh", 5) == "ab…gh" and shortened("abc", 5) == "abc"
