"""Where an export goes, and what is wrong with where it is to go."""

from pathlib import Path

from sparkdesk.ui.chat.dialogs.export import JSON, MARKDOWN, file_name, other_ending, suggested_path, why_not_there


def test_a_title_becomes_a_name_that_every_file_system_takes() -> None:
    assert file_name("What is 7/8 of “this”?") == "what-is-7-8-of-this"
    assert file_name("日本の話") == "日本の話"
    assert file_name("../../etc/passwd") == "etc-passwd"
    assert file_name("…") == "conversation"
    assert len(file_name("word " * 50)) <= 48


def test_the_documents_folder_is_preferred_and_no_file_is_suggested_twice(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    assert suggested_path("A tale", MARKDOWN, home=home, here=here) == here / "a-tale.md"
    (home / "Documents").mkdir(parents=True)
    (home / "Documents" / "a-tale.json").write_text("{}")
    assert suggested_path("A tale", JSON, home=home, here=here) == home / "Documents" / "a-tale-2.json"


def test_the_ending_follows_the_form_and_foreign_endings_stay() -> None:
    assert other_ending("x/tale.md", JSON) == "x/tale.json"
    assert other_ending("x/tale.txt", JSON) == "x/tale.txt"


def test_places_where_nothing_can_be_written_are_named(tmp_path: Path) -> None:
    assert "is a folder" in why_not_there(tmp_path)
    assert "There is no folder" in why_not_there(tmp_path / "none" / "tale.md")
    assert why_not_there(tmp_path / "tale.md") == ""
