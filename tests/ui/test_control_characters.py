"""What a model, a server, a file or the history says is shown, never obeyed: nothing raw is in the rendered strips."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import EngineError, SparkDeskError
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.chat.dialogs.attach import AttachScreen
from sparkdesk.ui.chat.dialogs.code_choice import CodeChoice
from sparkdesk.ui.chat.dialogs.export import ExportScreen
from tests.ui.fake_backend import MODEL, FakeBackend, Script
from tests.ui.sitting import Sitting, at_desk, at_open_desk

EVIL = {
    "acts on a terminal": "a\x1b]0;owned\x07 \x1b]52;c;aGFja2Vk\x1b\\ \x1b[2J\x1b[H \x9b31m\x9d0;owned\x9cb",
    "misleads a reader": "a\u202egnp.exe\u2066\u200f \u200b\ufeff\u2028\x7f\x08b",
}
_RAW = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]",
)
evil = pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)


def strips(sitting: Sitting) -> str:
    """All that goes to the terminal as text, of every screen in the stack's front."""
    screen = sitting.app.screen
    lines = screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


async def shows(sitting: Sitting, *, mark: str = "") -> None:
    await sitting.pilot.pause(0.05)
    shown = strips(sitting)
    assert not (found := _RAW.search(shown.replace("\n", ""))), f"{found[0]!r} is on the screen"
    assert mark in shown, f"{mark!r} is not on the screen:\n{shown}"


@evil
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "<think>{}</think>\n\nDone.",
        "# {}\n\n- {}\n- [ ] {}\n\n> {}",
        "`{}` and [{}](http://x/{}) ![{}](x)",
        "```sh\n{}\n```",
        "```{}\ncode\n```",
        "|{}|b|\n|-|-|\n|{}|c|",
        "$\\alpha {}$",
    ],
)
async def test_a_reply(text: str, form: str) -> None:
    reply = f"start {form.replace('{}', text)} end"
    reply = form.replace("{}", text) if form[0] in "<#`|" else reply
    async with at_open_desk(FakeBackend(Script(text=reply))) as sitting:
        await sitting.ask(f"I say {text}")
        await sitting.pilot.press("alt+t")
        await shows(sitting, mark="I say a")
        await sitting.pilot.press("ctrl+g")
        await shows(sitting)


async def test_entities_and_addresses_that_spell_control_characters_out() -> None:
    reply = "a &#8238; b &rlm; &shy; <http://x.y/%1b%5D0;owned%07> [c](http://x/%e2%80%ae) &#x9b;31m"
    async with at_open_desk(FakeBackend(Script(text=reply))) as sitting:
        await sitting.ask()
        await shows(sitting, mark="<U+202E>")


@evil
async def test_a_model_its_draft_and_its_steps(text: str) -> None:
    model = replace(MODEL, name=text, draft_name=text, architecture=text, devices=(text,))
    opening = (Notice(text), Progress(text, 1, 2, text, 3.0), Progress("Loading", 1, 1, ""))
    backend = FakeBackend(Script(open_events=opening, open_pause_s=0.2), model=model)
    backend.name = text
    async with at_desk(backend) as sitting:
        await sitting.until(lambda: "Opening a" in sitting.picture())
        await shows(sitting)
        await sitting.until(lambda: "Write below" in sitting.picture())
        await shows(sitting)
        await sitting.pilot.hover("SpeculationSwitch")
        await shows(sitting)


@evil
async def test_problems_and_errors(text: str) -> None:
    problem = replace(MODEL, draft_name=None, block_size=0, draft_problem=text)
    backend = FakeBackend(Script(refusal=EngineError(text, text)), model=problem)
    async with at_open_desk(backend, notifications=True) as sitting:
        await sitting.ask()
        await shows(sitting)
        sitting.app.notify(text, title=text)
        await sitting.until(lambda: len(sitting.app.screen.query("Toast")) > 0, 10)
        await shows(sitting)
        sitting.chat.view.job = text
        sitting.chat.view.banner.warn(text, text, "")
        await shows(sitting)


@evil
async def test_a_model_that_cannot_be_loaded(text: str) -> None:
    backend = FakeBackend(Script(open_error=SparkDeskError(text, text)))
    async with at_desk(backend) as sitting:
        await sitting.until(lambda: sitting.banner)
        await shows(sitting)
        await sitting.pilot.press("ctrl+l")
        await shows(sitting, mark="Log")


@evil
async def test_the_history(text: str) -> None:
    backend = FakeBackend()
    tree = MessageTree()
    tree.add(Message("assistant", f"found {text}", model=text, note=text), tree.add(Message("user", text), None))
    backend.history.keep(None, tree, ChatSettings())
    async with at_open_desk(backend) as sitting:
        await sitting.pilot.press("f9")
        await sitting.until(lambda: "2 messages" in sitting.picture())
        await shows(sitting)
        await sitting.pilot.press(*"found")
        await sitting.until(lambda: "found a" in sitting.picture())
        await shows(sitting)
        await sitting.pilot.press("enter")
        await sitting.until(lambda: sitting.transcript.has_turns)
        await shows(sitting)
        await sitting.pilot.press("f9", "down", "delete")
        await sitting.until(lambda: "Deleted" in sitting.picture())
        await shows(sitting)
        await sitting.pilot.press("ctrl+p")
        await sitting.pilot.press(*"undo del")
        await sitting.pilot.pause(0.3)
        await shows(sitting)


@evil
async def test_files_and_dialogs(text: str, tmp_path: Path) -> None:
    name = text.replace("/", "")
    (tmp_path / f"{name}.txt").write_text("words", encoding="utf-8")
    dialogs: list[Callable[[], Screen[Any]]] = [
        lambda: AttachScreen(home=tmp_path, here=tmp_path),
        lambda: CodeChoice([text, text]),
        lambda: ExportScreen(text, lambda form: "", home=tmp_path, here=tmp_path),
    ]
    async with at_open_desk() as sitting:
        sitting.chat.view.composer.attach(Attachment(name, text))
        await shows(sitting)
        sitting.prompt.show(f"at the prompt {text}")
        await shows(sitting, mark="at the prompt a")
        for make in dialogs:
            sitting.app.push_screen(make())
            await shows(sitting)
            await sitting.pilot.press("escape")
        await sitting.ask()
        await shows(sitting)


async def test_a_copy_stays_as_it_is_and_says_what_is_in_it() -> None:
    reply = "rm \x1b]52;c;aGFja2Vk\x1b\\"
    async with at_open_desk(FakeBackend(Script(text=reply)), notifications=True) as sitting:
        await sitting.ask()
        await sitting.pilot.press("ctrl+y")
        await sitting.until(lambda: "control characters" in " ".join(sitting.picture().split()), 10)
        assert sitting.app.clipboard == reply


async def test_what_no_door_caught_is_taken_out_before_the_terminal() -> None:
    from textual.widgets import Static

    async with at_open_desk() as sitting:
        await sitting.chat.mount(Static("\n".join(EVIL.values()), markup=False))
        await shows(sitting, mark="31m")


async def test_joined_emoji_stay_whole_while_they_stream() -> None:
    family = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    async with at_open_desk(FakeBackend(Script(text=f"<think>{family}</think>\n\nA {family} here."))) as sitting:
        await sitting.ask()
        assert "U+200D" not in strips(sitting)
