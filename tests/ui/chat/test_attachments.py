"""Files that go with a message: what is refused, how paths are completed, and how terminals write dropped files."""

import os
from pathlib import Path

import pytest

from sparkdesk.errors import UsageError
from sparkdesk.ui.chat import attachments
from sparkdesk.ui.chat.attachments import common_beginning, completions, pasted_path, read_attachment


def test_a_text_file_is_read_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes("größer\r\nals 日本".encode())
    attachment = read_attachment(tmp_path / "notes.md")
    assert (attachment.name, attachment.text) == ("notes.md", "größer\nals 日本")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_understood_and_left_out(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "notes.txt").write_bytes("schön".encode(encoding))
    assert read_attachment(tmp_path / "notes.txt").text == "schön"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF\0\0\1", "is not a text file"),
        (b"caf\xe9", "is not UTF-8 text"),
        (b"\xff\xfea", "is not UTF-8 text"),
        (b" \n", "is empty"),
    ],
)
def test_what_is_no_text_is_refused_with_a_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "thing").write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_attachment(tmp_path / "thing")


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    with open(tmp_path / "big.txt", "wb") as file:
        file.truncate(attachments.LARGEST_BYTES + 1)
    with pytest.raises(UsageError, match=r"big.txt has 2.0 MB; at most 2 MB"):
        read_attachment(tmp_path / "big.txt")


def test_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "pipe", "not a regular"), (tmp_path / "no", "no file")):
        with pytest.raises(UsageError, match=words):
            read_attachment(path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("notes.md", "Notes-old.md", "zoo/lion.txt", ".secret", "my file.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    return home


def test_completions_put_folders_first_and_hide_what_is_hidden(home: Path) -> None:
    assert completions("", home=home, here=home) == ["zoo/", "my file.txt", "Notes-old.md", "notes.md"]
    assert completions("~/.s", home=home, here=Path("/")) == ["~/.secret"]
    assert completions("zoo/", home=Path("/"), here=home) == ["zoo/lion.txt"]
    assert completions(f"{home}/no", home=home, here=home) == [f"{home}/Notes-old.md", f"{home}/notes.md"]
    assert completions("nowhere/x", home=home, here=home) == []


def test_completing_goes_as_far_as_it_is_clear() -> None:
    assert common_beginning(["a/notes.md", "a/notes-old.md"], "a/n") == "a/notes"
    assert common_beginning(["Notes.md", "notes.md"], "n") == "n"
    assert common_beginning([], "x") == "x"


def test_a_pasted_path_is_recognized_however_it_is_written(home: Path) -> None:
    file = home / "my file.txt"
    for text in (f"{file}", f"  {file}\n", f"'{file}'", str(file).replace(" ", "\\ "), file.as_uri(), "~/my file.txt"):
        assert pasted_path(text, home=home, here=home) == file


def test_other_pastes_are_left_alone(home: Path) -> None:
    for text in ("", "hello", str(home), f"{home}/none.txt", f"{home}/notes.md\nand more", "it's", "a\0b", "x" * 5000):
        assert pasted_path(text, home=home, here=Path("/")) is None
