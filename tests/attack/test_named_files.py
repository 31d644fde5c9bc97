"""Whatever a user or a checkpoint names: a pipe, a socket, a device or a folder is refused before it is opened."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converters import ConversionError, convert_target
from sparkdesk.__main__ import main
from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.errors import UsageError
from sparkdesk.ui.chat.attachments import read_attachment
from tests.converters.checkpoints import make_target

if sys.platform == "win32":
    pytest.skip("there are no such files", allow_module_level=True)

_PATIENCE_S = 20


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name may be 107 bytes long
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


OTHERS = (pipe, endless, folder, listening)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And a watch over all of it: what waits for ever is ended."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))

    def late(*_: object) -> None:
        raise TimeoutError("it waited for a file that is none")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("make", OTHERS)
@pytest.mark.parametrize(
    "command",
    [
        ("chat", "--target", "FILE", "--prompt", "x"),
        ("export", "llama-server", "--target", "FILE", "--draft", "FILE"),
        ("convert", "verify", "FILE", "FILE"),
        ("bench", "run", "--target", "FILE", "--draft", "FILE"),
        ("bench", "card", "--from", "FILE", "--out", "c.md"),
        ("serve", "--target", "FILE", "--api-key-file", "FILE"),
        ("connect", "http://127.0.0.1:9", "--api-key-file", "FILE", "--prompt", "x"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_command_that_is_given_one_ends_with_a_sentence(
    tmp_path: Path, make: Callable[[Path], None], command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.gguf"
    make(path)
    assert main([str(path) if each == "FILE" else each for each in command]) in (2, 3, 4, 5)
    said = capsys.readouterr().err
    assert said.startswith("sparkdesk: ") and "should not have happened" not in said


@pytest.mark.parametrize("make", OTHERS)
@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "chat_template.jinja"]
)
def test_a_checkpoint_with_one_is_refused(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = made.folder / name
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(ConversionError) as refused:
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("make", OTHERS)
def test_a_checkpoints_card_is_no_reason_to_fail(tmp_path: Path, make: Callable[[Path], None]) -> None:
    made = make_target(tmp_path / "target", tied=True)
    (made.folder / "README.md").unlink(missing_ok=True)
    make(made.folder / "README.md")
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert (tmp_path / "out.gguf").is_file()


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    with (made.folder / "tokenizer.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConversionError, match="larger than"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


def test_safetensors_without_an_end_take_no_memory(tmp_path: Path) -> None:
    """A header's length of 2^62 in a file that is large enough for nothing of the kind."""
    made = make_target(tmp_path / "target", tied=True)
    path = made.folder / "model.safetensors"
    shutil.copy(path, tmp_path / "sound")
    for length in (0, 1 << 27, 1 << 40, 1 << 62, (1 << 64) - 1):
        with path.open("wb") as file:
            file.write(length.to_bytes(8, "little"))
            file.truncate(1 << 41)
        with pytest.raises(ConversionError):
            list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


@pytest.mark.parametrize("make", OTHERS)
def test_an_attachment_that_is_one_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a.txt"
    make(path)
    with pytest.raises(UsageError):
        read_attachment(path)
