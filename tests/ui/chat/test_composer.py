"""Journeys before a message is sent: files that go with it, and what it would take."""

from pathlib import Path

import pytest
from textual import events

from sparkdesk.errors import ContextFull, EngineError
from sparkdesk.ui.chat.dialogs.attach import AttachScreen
from sparkdesk.ui.chat.widgets.attachment_chips import Chip
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import NARROW, WIDE, Harness, app_at, open_app

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "sparks.md").write_text("Sparks are small. " * 20)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0\0")
    return tmp_path


async def open_dialog(harness: Harness) -> None:
    await harness.pilot.press("ctrl+o")
    await harness.until(lambda: isinstance(harness.app.screen, AttachScreen))
    await harness.until(lambda: "notes/" in harness.picture())


async def attach(harness: Harness) -> None:
    await open_dialog(harness)
    await harness.pilot.press(*"no", "tab")
    await harness.until(lambda: "sparks.md" in harness.picture())
    await harness.pilot.press("enter")
    await harness.until(lambda: harness.chat.view.composer.attachments)


@SIZES
async def test_a_file_is_attached_with_keys_only_and_goes_with_the_message(size: tuple[int, int], folder: Path) -> None:
    async with open_app(size=size) as harness:
        await attach(harness)
        await harness.until(lambda: "▤ sparks.md" in harness.picture() and "tokens ✕" in harness.picture())
        assert harness.prompt.has_focus
        await harness.ask("What are sparks?")
        (message, _) = harness.backend.conversation.messages
        assert [each.name for each in message.attachments] == ["sparks.md"]
        assert message.attachments[0].text.startswith("Sparks are small.")
        assert not harness.chat.view.composer.attachments
        assert "tokens ✕" not in harness.picture()


async def test_what_is_no_text_is_refused_in_the_dialog(folder: Path) -> None:
    async with open_app() as harness:
        await open_dialog(harness)
        await harness.pilot.press(*"picture.png", "enter")
        await harness.until(lambda: "picture.png is not a text file." in harness.picture())
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        assert not harness.chat.view.composer.attachments


async def test_a_folder_in_the_list_opens_and_arrows_pick(folder: Path) -> None:
    async with open_app() as harness:
        await open_dialog(harness)
        await harness.pilot.press("enter")  # the folder is the first
        await harness.until(lambda: "sparks.md" in harness.picture())
        (folder / "notes" / "zoo.txt").write_text("lions")
        await harness.pilot.press("z", "backspace")
        await harness.until(lambda: "zoo.txt" in harness.picture())
        await harness.pilot.press("down", "enter")
        await harness.until(lambda: harness.chat.view.composer.attachments)
        assert harness.chat.view.composer.attachments[0].text == "lions"


async def test_an_attached_file_is_taken_off_by_key_or_click(folder: Path) -> None:
    async with open_app() as harness:
        await attach(harness)
        await harness.pilot.press("a", "backspace")  # deletes the letter
        assert harness.chat.view.composer.attachments
        await harness.pilot.press("backspace")
        assert not harness.chat.view.composer.attachments
        await attach(harness)
        await harness.until(lambda: harness.chat.query(Chip))
        await harness.pilot.click(Chip)
        assert not harness.chat.view.composer.attachments


async def test_the_same_file_is_attached_once(folder: Path) -> None:
    async with open_app() as harness:
        await attach(harness)
        await open_dialog(harness)
        await harness.pilot.press(*"notes/sparks.md", "enter")
        await harness.until(lambda: harness.app.screen is harness.chat)
        assert len(harness.chat.view.composer.attachments) == 1


@SIZES
async def test_a_dropped_file_can_be_attached_instead_of_its_path(size: tuple[int, int], folder: Path) -> None:
    async with open_app(size=size) as harness:
        await harness.pilot.press(*"Read ")
        harness.app.post_message(events.Paste(f"'{folder}/notes/sparks.md'"))
        await harness.until(lambda: "Ctrl+O attaches sparks.md" in harness.picture())
        await harness.pilot.press("ctrl+o")
        await harness.until(lambda: harness.chat.view.composer.attachments)
        assert harness.prompt.text == "Read"
        assert harness.app.screen is harness.chat


async def test_the_offer_goes_with_the_path(folder: Path) -> None:
    async with open_app() as harness:
        harness.app.post_message(events.Paste(f"{folder}/notes/sparks.md"))
        await harness.until(lambda: "attaches sparks.md" in harness.picture())
        await harness.pilot.press("ctrl+u")
        await harness.until(lambda: "attaches sparks.md" not in harness.picture())


async def test_a_pasted_text_is_no_path() -> None:
    async with open_app() as harness:
        harness.app.post_message(events.Paste("just words"))
        await harness.pilot.pause(0.1)
        assert harness.prompt.text == "just words"
        assert "attaches" not in harness.picture()


@SIZES
async def test_what_sending_would_take_is_said_before(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await harness.pilot.press(*"one two three")
        await harness.until(lambda: "tokens · " in harness.picture() and "in context" in harness.picture())
        count = harness.backend.conversation.count("one two three")
        assert harness.chat.view.composer.count == count
        await harness.pilot.press("ctrl+u")
        await harness.until(lambda: "in context" not in harness.picture())


async def test_counting_never_holds_up_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate, count = threading.Event(), type(FakeBackend().conversation).count

    def slowly(*arguments: object, **named: object) -> object:
        gate.wait(30)
        return count(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(FakeBackend().conversation), "count", slowly)
    async with open_app() as harness:
        await harness.pilot.press("a")
        await harness.pilot.pause(0.5)
        await harness.pilot.press("b")
        assert harness.prompt.text == "ab"
        gate.set()
        await harness.until(lambda: harness.chat.view.composer.count == harness.backend.conversation.count("ab"))


async def test_no_engine_no_count_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineError("No model is loaded.")

    async with open_app() as harness:
        monkeypatch.setattr(type(harness.backend.conversation), "count", refuse)
        await harness.pilot.press("a")
        await harness.pilot.pause(0.6)
        assert harness.chat.view.composer.count is None
        await harness.pilot.press("b")
        assert harness.prompt.text == "ab"


async def test_a_message_can_be_written_and_files_attached_while_the_model_loads(folder: Path) -> None:
    async with app_at(FakeBackend(Script(open_pause_s=2))) as harness:
        await attach(harness)
        await harness.pilot.press(*"hi", "enter")
        assert harness.prompt.text == "hi"
        assert harness.chat.view.composer.attachments


async def test_files_of_a_refused_message_come_back_with_its_words(folder: Path) -> None:
    refusal = ContextFull("The message has 9000 tokens and the context holds 4096.", "Shorten it.")
    async with open_app(FakeBackend(Script(refusal=refusal))) as harness:
        await attach(harness)
        await harness.ask("What are sparks?")
        assert harness.prompt.text == "What are sparks?"
        assert [each.name for each in harness.chat.view.composer.attachments] == ["sparks.md"]
