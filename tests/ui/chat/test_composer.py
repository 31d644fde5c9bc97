"""Journeys before a message is sent: files that go with it, and what it would take."""

from pathlib import Path

import pytest
from textual import events

from sparkdesk.errors import ContextFull, EngineError
from sparkdesk.ui.chat.dialogs.attach import AttachScreen
from sparkdesk.ui.chat.widgets.attachment_chips import Chip
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.sitting import NARROW, WIDE, Sitting, at_desk, at_open_desk

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "sparks.md").write_text("Sparks are small. " * 20)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0\0")
    return tmp_path


async def open_dialog(sitting: Sitting) -> None:
    await sitting.pilot.press("ctrl+o")
    await sitting.until(lambda: isinstance(sitting.app.screen, AttachScreen))
    await sitting.until(lambda: "notes/" in sitting.picture())


async def attach(sitting: Sitting) -> None:
    await open_dialog(sitting)
    await sitting.pilot.press(*"no", "tab")
    await sitting.until(lambda: "sparks.md" in sitting.picture())
    await sitting.pilot.press("enter")
    await sitting.until(lambda: sitting.chat.view.composer.attachments)


@SIZES
async def test_a_file_is_attached_with_keys_only_and_goes_with_the_message(size: tuple[int, int], folder: Path) -> None:
    async with at_open_desk(size=size) as sitting:
        await attach(sitting)
        await sitting.until(lambda: "▤ sparks.md" in sitting.picture() and "tokens ✕" in sitting.picture())
        assert sitting.prompt.has_focus
        await sitting.ask("What are sparks?")
        (message, _) = sitting.backend.conversation.messages
        assert [each.name for each in message.attachments] == ["sparks.md"]
        assert message.attachments[0].text.startswith("Sparks are small.")
        assert not sitting.chat.view.composer.attachments
        assert "tokens ✕" not in sitting.picture()


async def test_what_is_no_text_is_refused_in_the_dialog(folder: Path) -> None:
    async with at_open_desk() as sitting:
        await open_dialog(sitting)
        await sitting.pilot.press(*"picture.png", "enter")
        await sitting.until(lambda: "picture.png is not a text file." in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        assert not sitting.chat.view.composer.attachments


async def test_a_folder_in_the_list_opens_and_arrows_pick(folder: Path) -> None:
    async with at_open_desk() as sitting:
        await open_dialog(sitting)
        await sitting.pilot.press("enter")  # the folder is the first
        await sitting.until(lambda: "sparks.md" in sitting.picture())
        (folder / "notes" / "zoo.txt").write_text("lions")
        await sitting.pilot.press("z", "backspace")
        await sitting.until(lambda: "zoo.txt" in sitting.picture())
        await sitting.pilot.press("down", "enter")
        await sitting.until(lambda: sitting.chat.view.composer.attachments)
        assert sitting.chat.view.composer.attachments[0].text == "lions"


async def test_an_attached_file_is_taken_off_by_key_or_click(folder: Path) -> None:
    async with at_open_desk() as sitting:
        await attach(sitting)
        await sitting.pilot.press("a", "backspace")  # deletes the letter
        assert sitting.chat.view.composer.attachments
        await sitting.pilot.press("backspace")
        assert not sitting.chat.view.composer.attachments
        await attach(sitting)
        await sitting.until(lambda: sitting.chat.query(Chip))
        await sitting.pilot.click(Chip)
        assert not sitting.chat.view.composer.attachments


async def test_the_same_file_is_attached_once(folder: Path) -> None:
    async with at_open_desk() as sitting:
        await attach(sitting)
        await open_dialog(sitting)
        await sitting.pilot.press(*"notes/sparks.md", "enter")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        assert len(sitting.chat.view.composer.attachments) == 1


@SIZES
async def test_a_dropped_file_can_be_attached_instead_of_its_path(size: tuple[int, int], folder: Path) -> None:
    async with at_open_desk(size=size) as sitting:
        await sitting.pilot.press(*"Read ")
        sitting.app.post_message(events.Paste(f"'{folder}/notes/sparks.md'"))
        await sitting.until(lambda: "Ctrl+O attaches sparks.md" in sitting.picture())
        await sitting.pilot.press("ctrl+o")
        await sitting.until(lambda: sitting.chat.view.composer.attachments)
        assert sitting.prompt.text == "Read"
        assert sitting.app.screen is sitting.chat


async def test_the_offer_goes_with_the_path(folder: Path) -> None:
    async with at_open_desk() as sitting:
        sitting.app.post_message(events.Paste(f"{folder}/notes/sparks.md"))
        await sitting.until(lambda: "attaches sparks.md" in sitting.picture())
        await sitting.pilot.press("ctrl+u")
        await sitting.until(lambda: "attaches sparks.md" not in sitting.picture())


async def test_a_pasted_text_is_no_path() -> None:
    async with at_open_desk() as sitting:
        sitting.app.post_message(events.Paste("just words"))
        await sitting.pilot.pause(0.1)
        assert sitting.prompt.text == "just words"
        assert "attaches" not in sitting.picture()


@SIZES
async def test_what_sending_would_take_is_said_before(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await sitting.pilot.press(*"one two three")
        await sitting.until(lambda: "tokens · " in sitting.picture() and "in context" in sitting.picture())
        count = sitting.backend.conversation.count("one two three")
        assert sitting.chat.view.composer.count == count
        await sitting.pilot.press("ctrl+u")
        await sitting.until(lambda: "in context" not in sitting.picture())


async def test_counting_never_holds_up_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate, count = threading.Event(), type(FakeBackend().conversation).count

    def slowly(*arguments: object, **named: object) -> object:
        gate.wait(30)
        return count(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(FakeBackend().conversation), "count", slowly)
    async with at_open_desk() as sitting:
        await sitting.pilot.press("a")
        await sitting.pilot.pause(0.5)
        await sitting.pilot.press("b")
        assert sitting.prompt.text == "ab"
        gate.set()
        await sitting.until(lambda: sitting.chat.view.composer.count == sitting.backend.conversation.count("ab"))


async def test_no_engine_no_count_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineError("No model is loaded.")

    async with at_open_desk() as sitting:
        monkeypatch.setattr(type(sitting.backend.conversation), "count", refuse)
        await sitting.pilot.press("a")
        await sitting.pilot.pause(0.6)
        assert sitting.chat.view.composer.count is None
        await sitting.pilot.press("b")
        assert sitting.prompt.text == "ab"


async def test_a_message_can_be_written_and_files_attached_while_the_model_loads(folder: Path) -> None:
    async with at_desk(FakeBackend(Script(open_pause_s=2))) as sitting:
        await attach(sitting)
        await sitting.pilot.press(*"hi", "enter")
        assert sitting.prompt.text == "hi"
        assert sitting.chat.view.composer.attachments


async def test_files_of_a_refused_message_come_back_with_its_words(folder: Path) -> None:
    refusal = ContextFull("The message has 9000 tokens and the context holds 4096.", "Shorten it.")
    async with at_open_desk(FakeBackend(Script(refusal=refusal))) as sitting:
        await attach(sitting)
        await sitting.ask("What are sparks?")
        assert sitting.prompt.text == "What are sparks?"
        assert [each.name for each in sitting.chat.view.composer.attachments] == ["sparks.md"]
