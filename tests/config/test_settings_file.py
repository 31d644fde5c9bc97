"""Changing the settings file: one setting at a time, and nothing that somebody wrote there is lost."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.config.checks import ALL_LAYERS
from sparkdesk.config.settings import read_settings, read_values
from sparkdesk.config.settings_file import ChangedMeanwhile, change, change_key, in_words, reset, typed
from sparkdesk.errors import UsageError

WRITTEN = """# My settings.
threads  =  4    # the fast cores

theme = 'spark-light'
model_folders = [
    "~/models",   # the big disk
]

[keys]  # like my editor
chat.reload = "f12"
"chat.live" = "f11"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config" / "settings.toml"
    file.parent.mkdir()
    file.write_text(WRITTEN)
    return file


def test_only_the_value_changes(path: Path) -> None:
    change(path, "threads", 8, shown=read_values(path))
    assert path.read_text() == WRITTEN.replace("=  4 ", "=  8 ")


def test_a_new_setting_goes_before_the_tables(path: Path) -> None:
    change(path, "context_tokens", 8192, shown=read_values(path))
    assert read_settings(path).context_tokens == 8192
    assert path.read_text().replace("context_tokens = 8192\n", "").split() == WRITTEN.split()


def test_a_reset_takes_the_line_away(path: Path) -> None:
    reset(path, "theme", shown=read_values(path))
    assert "theme" not in path.read_text()
    assert "# the big disk" in path.read_text()
    reset(path, "gpu_layers", shown=read_values(path))
    assert read_settings(path).gpu_layers == ALL_LAYERS


@pytest.mark.parametrize("key_id", ["chat.reload", "chat.live", "chat.stop", "desk.help"])
def test_a_key_changes_however_it_was_written(path: Path, key_id: str) -> None:
    change_key(path, key_id, "ctrl+l", shown=read_values(path))
    before = {"chat.reload": "f12", "chat.live": "f11"}
    assert read_settings(path).keys == {**before, key_id: "ctrl+l"}
    change_key(path, key_id, "", shown=read_values(path))
    assert read_settings(path).keys == {other: key for other, key in before.items() if other != key_id}
    assert path.read_text().startswith(WRITTEN.partition("[keys]")[0])


def test_a_key_in_a_table_of_its_group_changes_too(path: Path) -> None:
    path.write_text('[keys.chat]\nreload = "f12"\nlive = "f11"\n')
    change_key(path, "chat.reload", "ctrl+l", shown=read_values(path))
    assert read_settings(path).keys == {"chat.reload": "ctrl+l", "chat.live": "f11"}


def test_the_file_is_made_with_its_folder_on_the_first_change(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    change(path, "speculation", False, shown={})
    assert path.read_text().startswith("# SparkDesk's settings.")
    assert not read_settings(path).speculation


def test_line_ends_mode_and_links_stay(path: Path, tmp_path: Path) -> None:
    path.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    link = tmp_path / "settings.toml"
    link.symlink_to(path)
    change(link, "threads", 8, shown=read_values(link))
    assert link.is_symlink()
    assert path.read_bytes() == WRITTEN.replace("=  4 ", "=  8 ").replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_an_editor_changed_meanwhile_is_kept(path: Path) -> None:
    shown = read_values(path)
    path.write_text(WRITTEN.replace("spark-light", "nord"))
    change(path, "threads", 8, shown=shown)
    assert (read_settings(path).theme, read_settings(path).threads) == ("nord", 8)


def test_the_same_setting_changed_meanwhile_is_not_overwritten(path: Path) -> None:
    shown = read_values(path)
    path.write_text(theirs := WRITTEN.replace("=  4", "=  2").replace('"f12"', '"f9"'))
    with pytest.raises(ChangedMeanwhile, match="threads was changed in"):
        change(path, "threads", 8, shown=shown)
    with pytest.raises(ChangedMeanwhile, match=r"chat\.reload was changed in"):
        change_key(path, "chat.reload", "ctrl+l", shown=shown)
    assert path.read_text() == theirs


@pytest.mark.parametrize("broken", ["threads = ", "thread = 4\n", "threads = -4\n"])
def test_a_file_that_is_not_understood_is_left_alone(path: Path, broken: str) -> None:
    path.write_text(broken)
    with pytest.raises(UsageError):
        change(path, "theme", "nord", shown={})
    assert path.read_text() == broken


def test_a_value_that_would_not_be_read_is_not_written(path: Path) -> None:
    with pytest.raises(UsageError, match="threads is -1"):
        change(path, "threads", -1, shown=read_values(path))
    assert path.read_text() == WRITTEN


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_error_in_words(path: Path) -> None:
    path.parent.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        change(path, "threads", 8, shown=read_values(path))
    path.parent.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("threads", " 8 ", 8),
        ("gpu_layers", "auto", "auto"),
        ("gpu_layers", '"auto"', "auto"),
        ("speculation", "false", False),
        ("theme", "nord", "nord"),
        ("model_folders", "~/models, /data/my models", ["~/models", "/data/my models"]),
        ("model_folders", '["~/a,b"]', ["~/a,b"]),
        ("model_folders", "", []),
    ],
)
def test_values_are_typed_with_quotes_or_without(name: str, text: str, value: object) -> None:
    assert typed(name, text) == value
    assert typed(name, in_words(value)) == value or "," in str(value)


@pytest.mark.parametrize(
    ("name", "text"), [("threads", "-1"), ("threads", "many"), ("theme", ""), ("speculation", "yes"), ("theme", "4")]
)
def test_what_cannot_be_meant_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError):
        typed(name, text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_nothing_typed_breaks_the_file(text: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_text(WRITTEN)
        try:
            value = typed("theme", text)
        except ValueError:
            return
        change(path, "theme", value, shown=read_values(path))
        assert read_settings(path).theme == value
        assert "# the big disk" in path.read_text()
