"""Random keys at the prompt: whatever is struck, pasted and undone, and however the window changes, nothing breaks.

Seeded, so that a failure comes again: SPARKDESK_FUZZ_SEED names the one that failed, SPARKDESK_FUZZ_SEQUENCES asks for
more of them. Undoing a paste of twelve lines once ended the program.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.keys import _character_to_key
from textual.pilot import Pilot

from sparkdesk.chat.messages import Attachment
from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.shared.prompt import Prompt
from sparkdesk.ui.shared.text_editor import TextEditor
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import NARROW, WIDE, open_app

SEQUENCES = int(os.environ.get("SPARKDESK_FUZZ_SEQUENCES", "2000"))
SEED = int(os.environ.get("SPARKDESK_FUZZ_SEED", "20261128"))
SIZES = (NARROW, WIDE, (100, 30), (60, 16), (81, 25), (200, 60))

TYPED = ("a", "Z", " ", "é", "ß", "漢", "字", "👩", "\u0301", "\u200d", "(", "]", "{", '"', "\t")
MOVES = ("up", "down", "left", "right", "home", "end", "ctrl+left", "ctrl+right", "pageup", "pagedown")
SELECTS = ("shift+up", "shift+down", "shift+left", "shift+right", "shift+home", "shift+end")
EDITS = ("backspace", "delete", "ctrl+w", "ctrl+u", "ctrl+k", "ctrl+f", "ctrl+x", "ctrl+j", "ctrl+j", "tab", "escape")
UNDO = ("ctrl+z", "ctrl+z", "redo")
"""Ctrl+Y copies the reply here; redo is called as whoever gives it another key would."""
PASTES = (
    "one line",
    "\n".join(f"line {number}" for number in range(12)),
    "\n" * 9,
    "word " * 200,
    "漢字" * 90 + "\r\n\r\ttab\ttab\r\n",
    "a\u0301\u200d👩‍👩‍👧" * 30,
    "\x1b[31mred\x1b[0m\x07\x00",
    "/no/such/file.txt",
    "",
)


def key(name: str) -> events.Key:
    """As a terminal sends it: with its character where it has one."""
    if len(name) == 1:
        return events.Key(_character_to_key(name), name)
    return events.Key(name, None)


class Fingers:
    """Strikes at random."""

    def __init__(
        self,
        app: App[None],
        pilot: Pilot[None],
        prompt: Prompt,
        chance: random.Random,
        *,
        chat: ChatScreen | None = None,
    ) -> None:
        self.app, self.pilot, self.prompt, self.chat, self.chance = app, pilot, prompt, chat, chance
        self.struck: list[str] = []
        self._ways: tuple[tuple[int, Callable[[], Awaitable[None]]], ...] = (
            (30, lambda: self._key(chance.choice(TYPED))),
            (12, lambda: self._key(chance.choice(MOVES))),
            (8, lambda: self._key(chance.choice(SELECTS))),
            (16, lambda: self._key(chance.choice(EDITS))),
            (16, lambda: self._key(chance.choice(UNDO))),
            (8, self._paste),
            (1, self._resize),
            (2 if chat else 0, self._attach),
            (2, self._show),
            (1, lambda: self._key("enter")),
        )

    async def sequence(self) -> None:
        """Some strokes in one burst, then a moment in which they are taken in and drawn."""
        weights = [weight for weight, _ in self._ways]
        for _ in range(self.chance.randint(1, 14)):
            (_, way), *_ = self.chance.choices(self._ways, weights)
            await way()
        await self._settled()

    async def _settled(self) -> None:
        """Until the prompt has taken in all that was struck."""
        for _ in range(3):
            done = asyncio.Event()
            self.prompt.call_later(done.set)
            waiting = asyncio.ensure_future(done.wait())
            await asyncio.wait([waiting], timeout=10)
            if self.app._exception is not None:
                return

    async def _key(self, name: str) -> None:
        self.struck.append(name)
        if name == "redo":
            await self._settled()
            self.prompt.action_redo()
        else:
            self.app.post_message(key(name))

    async def _paste(self) -> None:
        text = self.chance.choice(PASTES)
        self.struck.append(f"paste {text[:20]!r}")
        self.app.post_message(events.Paste(text))

    async def _resize(self) -> None:
        width, height = self.chance.choice(SIZES)
        self.struck.append(f"{width}x{height}")
        await self.pilot.resize_terminal(width, height)

    async def _attach(self) -> None:
        assert self.chat is not None
        number = self.chance.randint(0, 3)
        self.struck.append(f"attach {number}")
        self.chat.view.composer.attach(Attachment(f"notes {number}.txt", "some words\n" * number))

    async def _show(self) -> None:
        """As the history and an edited message put a text there."""
        self.struck.append("show")
        self.prompt.show(self.chance.choice(PASTES))


def letters(text: str) -> str:
    """Without what Rich leaves out of a line it wraps."""
    return "".join(each for each in text if each.isprintable())


def check(editor: TextEditor, app: App[None], fingers: Fingers) -> None:
    what = f"{app._exception!r} after {' '.join(fingers.struck[-40:])}"
    assert app._exception is None, what
    assert editor.wrapped_document.height == len(editor.wrapped_document._offset_to_line_info), what
    assert letters("".join(map("".join, editor.wrapped_document.lines))) == letters(editor.text), what


class Alone(App[None]):
    """Nothing but the prompt, as tall as its text: quick enough for thousands of sequences."""

    CSS = "Prompt { height: auto; min-height: 1; max-height: 7; }"

    def compose(self) -> ComposeResult:
        yield Prompt(("Count from 1 to 40.", "Tell me a little story."))


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
async def test_thousands_of_random_sequences_at_the_prompt_break_nothing(seed: int) -> None:
    app = Alone()
    async with app.run_test(size=(40, 12)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.focus()
        fingers = Fingers(app, pilot, prompt, random.Random(seed))
        for _ in range(SEQUENCES // 4):
            await fingers.sequence()
            if "enter" in fingers.struck[-20:]:
                prompt.accept(prompt.text.strip())
            check(prompt, app, fingers)


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
async def test_random_keys_at_the_desk_break_nothing(seed: int) -> None:
    """With replies, attachments and all the rest around the prompt."""
    async with open_app(FakeBackend(Script(text="Short.")), size=NARROW) as harness:
        fingers = Fingers(harness.app, harness.pilot, harness.prompt, random.Random(seed), chat=harness.chat)
        for _ in range(SEQUENCES // 40):
            harness.prompt.focus()
            await fingers.sequence()
            check(harness.prompt, harness.app, fingers)
        await harness.until(lambda: harness.chat.stage is Stage.READY)


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("lines", [8, 12, 300])
async def test_a_long_paste_can_be_undone_and_redone(lines: int, size: tuple[int, int]) -> None:
    text = "\n".join(f"line {number}" for number in range(lines))
    async with open_app(size=size) as harness:
        for _ in range(2):
            harness.app.post_message(events.Paste(text))
            await harness.pilot.pause()
            await harness.pilot.pause()
            assert harness.prompt.text == text
            await harness.pilot.press("ctrl+z")
            await harness.pilot.pause()
            assert harness.prompt.text == "" and harness.prompt.cursor_location == (0, 0)
        harness.prompt.action_redo()
        await harness.pilot.pause()
        assert harness.prompt.text == text and harness.prompt.cursor_location == harness.prompt.document.end


async def test_lines_typed_in_one_burst_can_be_undone() -> None:
    async with open_app(size=NARROW) as harness:
        for _ in range(10):
            harness.app.post_message(key("ctrl+j"))
        await harness.pilot.pause()
        for _ in range(12):
            await harness.pilot.press("ctrl+z")
        await harness.pilot.pause()
        assert harness.prompt.text == ""


async def test_the_system_prompt_can_be_undone_too() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.pilot.press("f10")
        await harness.until(lambda: isinstance(harness.app.screen, ConversationSettingsScreen))
        editor = harness.app.screen.query_one(TextEditor)
        harness.app.post_message(events.Paste("\n" * 20))
        await harness.until(lambda: editor.text)
        await harness.pilot.press("ctrl+z")
        await harness.until(lambda: not editor.text)


async def test_a_paste_brings_text_and_no_control_characters() -> None:
    async with open_app(size=NARROW) as harness:
        harness.app.post_message(events.Paste("one\r\ntwo\rthree\x1b]52;c;eA==\x07\tend\x9b"))
        await harness.until(lambda: harness.prompt.text)
        assert harness.prompt.text == "one\ntwo\nthree]52;c;eA==\tend"
