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
from tests.ui.harness import Harness, app_at, open_app

EVIL = {
    "acts on a terminal": "a\x1b]0;owned\x07 \x1b]52;c;aGFja2Vk\x1b\\ \x1b[2J\x1b[H \x9b31m\x9d0;owned\x9cb",
    "misleads a reader": "a\u202egnp.exe\u2066\u200f \u200b\ufeff\u2028\x7f\x08b",
}
_RAW = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]",
)
evil = pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)


def strips(harness: Harness) -> str:
    """All that goes to the terminal as text, of every screen in the stack's front."""
    screen = harness.app.screen
    lines = screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


async def shows(harness: Harness, *, mark: str = "") -> None:
    await harness.pilot.pause(0.05)
    shown = strips(harness)
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
    async with open_app(FakeBackend(Script(text=reply))) as harness:
        await harness.ask(f"I say {text}")
        await harness.pilot.press("alt+t")
        await shows(harness, mark="I say a")
        await harness.pilot.press("ctrl+g")
        await shows(harness)


async def test_entities_and_addresses_that_spell_control_characters_out() -> None:
    reply = "a &#8238; b &rlm; &shy; <http://x.y/%1b%5D0;owned%07> [c](http://x/%e2%80%ae) &#x9b;31m"
    async with open_app(FakeBackend(Script(text=reply))) as harness:
        await harness.ask()
        await shows(harness, mark="<U+202E>")


@evil
async def test_a_model_its_draft_and_its_steps(text: str) -> None:
    model = replace(MODEL, name=text, draft_name=text, architecture=text, devices=(text,))
    opening = (Notice(text), Progress(text, 1, 2, text, 3.0), Progress("Loading", 1, 1, ""))
    backend = FakeBackend(Script(open_events=opening, open_pause_s=0.2), model=model)
    backend.name = text
    async with app_at(backend) as harness:
        await harness.until(lambda: "Opening a" in harness.picture())
        await shows(harness)
        await harness.until(lambda: "Write below" in harness.picture())
        await shows(harness)
        await harness.pilot.hover("SpeculationSwitch")
        await shows(harness)


@evil
async def test_problems_and_errors(text: str) -> None:
    problem = replace(MODEL, draft_name=None, block_size=0, draft_problem=text)
    backend = FakeBackend(Script(refusal=EngineError(text, text)), model=problem)
    async with open_app(backend, notifications=True) as harness:
        await harness.ask()
        await shows(harness)
        harness.app.notify(text, title=text)
        await harness.until(lambda: len(harness.app.screen.query("Toast")) > 0, 10)
        await shows(harness)
        harness.chat.view.job = text
        harness.chat.view.banner.warn(text, text, "")
        await shows(harness)


@evil
async def test_a_model_that_cannot_be_loaded(text: str) -> None:
    backend = FakeBackend(Script(open_error=SparkDeskError(text, text)))
    async with app_at(backend) as harness:
        await harness.until(lambda: harness.banner)
        await shows(harness)
        await harness.pilot.press("ctrl+l")
        await shows(harness, mark="Log")


@evil
async def test_the_history(text: str) -> None:
    backend = FakeBackend()
    tree = MessageTree()
    tree.add(Message("assistant", f"found {text}", model=text, note=text), tree.add(Message("user", text), None))
    backend.history.keep(None, tree, ChatSettings())
    async with open_app(backend) as harness:
        await harness.pilot.press("f9")
        await harness.until(lambda: "2 messages" in harness.picture())
        await shows(harness)
        await harness.pilot.press(*"found")
        await harness.until(lambda: "found a" in harness.picture())
        await shows(harness)
        await harness.pilot.press("enter")
        await harness.until(lambda: harness.transcript.has_turns)
        await shows(harness)
        await harness.pilot.press("f9", "down", "delete")
        await harness.until(lambda: "Deleted" in harness.picture())
        await shows(harness)
        await harness.pilot.press("ctrl+p")
        await harness.pilot.press(*"undo del")
        await harness.pilot.pause(0.3)
        await shows(harness)


@evil
async def test_files_and_dialogs(text: str, tmp_path: Path) -> None:
    name = text.replace("/", "")
    (tmp_path / f"{name}.txt").write_text("words", encoding="utf-8")
    dialogs: list[Callable[[], Screen[Any]]] = [
        lambda: AttachScreen(home=tmp_path, here=tmp_path),
        lambda: CodeChoice([text, text]),
        lambda: ExportScreen(text, lambda form: "", home=tmp_path, here=tmp_path),
    ]
    async with open_app() as harness:
        harness.chat.view.composer.attach(Attachment(name, text))
        await shows(harness)
        harness.prompt.show(f"at the prompt {text}")
        await shows(harness, mark="at the prompt a")
        for make in dialogs:
            harness.app.push_screen(make())
            await shows(harness)
            await harness.pilot.press("escape")
        await harness.ask()
        await shows(harness)


async def test_a_copy_stays_as_it_is_and_says_what_is_in_it() -> None:
    reply = "rm \x1b]52;c;aGFja2Vk\x1b\\"
    async with open_app(FakeBackend(Script(text=reply)), notifications=True) as harness:
        await harness.ask()
        await harness.pilot.press("ctrl+y")
        await harness.until(lambda: "control characters" in " ".join(harness.picture().split()), 10)
        assert harness.app.clipboard == reply


async def test_what_no_door_caught_is_taken_out_before_the_terminal() -> None:
    from textual.widgets import Static

    async with open_app() as harness:
        await harness.chat.mount(Static("\n".join(EVIL.values()), markup=False))
        await shows(harness, mark="31m")


async def test_joined_emoji_stay_whole_while_they_stream() -> None:
    family = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    async with open_app(FakeBackend(Script(text=f"<think>{family}</think>\n\nA {family} here."))) as harness:
        await harness.ask()
        assert "U+200D" not in strips(harness)
