"""Commands at the prompt, Ctrl+C, the user's own editor, and keys with Alt as a terminal sends them."""

from pathlib import Path

import pytest
from textual import events

from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen
from sparkdesk.ui.chat.external_editor import edited
from sparkdesk.ui.chat.slash_commands import HELP, command_in
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.switch_model import SwitchModelScreen
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import open_app


@pytest.mark.parametrize("text", ["/usr/bin/env is a path", "a /new thing", "/", "//x", "/etc/hosts", "/1 is it?"])
def test_paths_and_sentences_are_messages(text: str) -> None:
    assert command_in(text) is None


async def test_commands_do_what_their_keys_do() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        await harness.say("/system Answer like a pirate.\nAlways.")
        await harness.until(lambda: harness.backend.conversation.settings.system_prompt)
        assert harness.backend.conversation.settings.system_prompt == "Answer like a pirate.\nAlways."
        await harness.say("/regenerate")
        await harness.until(lambda: len(harness.backend.conversation.sent) == 2)
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        await harness.say("/new")
        await harness.until(lambda: not harness.transcript.has_turns)
        assert harness.prompt.text == "" and harness.backend.started == 1
        await harness.say("/system")
        await harness.until(lambda: isinstance(harness.app.screen, ConversationSettingsScreen))


async def test_an_unknown_command_is_told_and_stays_at_the_prompt() -> None:
    async with open_app(FakeBackend(), notifications=True) as harness:
        await harness.say("/modle x")
        await harness.until(lambda: "There is no command /modle" in " ".join(harness.picture().split()), 10)
        assert harness.prompt.text == "/modle x" and not harness.backend.conversation.sent


async def test_every_command_of_the_help_is_known() -> None:
    async with open_app() as harness:
        known = {*harness.chat.slash_actions._parts, "model", "system"}
        assert known == {words.partition(" ")[0] for words in HELP}


@pytest.mark.parametrize("opened_by", ["alt+m", "/model"])
async def test_a_model_is_switched_by_one_key_and_its_name(opened_by: str) -> None:
    async with open_app() as harness:
        if opened_by == "alt+m":
            await harness.pilot.press("alt+m")
        else:
            await harness.say(opened_by)
        await harness.until(lambda: isinstance(harness.app.screen, SwitchModelScreen))
        await harness.until(lambda: "qwen3-8b" in harness.picture())
        await harness.pilot.press(*"qwen3-8b", "enter")
        await harness.until(lambda: harness.backend.switches == ["qwen3-8b"])
        await harness.until(lambda: harness.chat.view.pair == "qwen3-8b")


async def test_ctrl_c_stops_then_clears_and_only_then_says_how_to_leave() -> None:
    async with open_app(FakeBackend(Script(is_gated=True)), notifications=True) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(5)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press(*"next", "ctrl+c")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.prompt.text == "next", "what is written meanwhile stays"
        await harness.pilot.press("ctrl+c")
        assert harness.prompt.text == ""
        await harness.pilot.press("ctrl+c")
        await harness.until(lambda: "Ctrl+Q quits." in harness.picture(), 10)
        await harness.pilot.press("up")
        assert harness.prompt.text == "next", "what was cleared comes back"


async def test_ctrl_c_copies_what_is_selected() -> None:
    async with open_app() as harness:
        await harness.pilot.press(*"word", "shift+left", "shift+left", "ctrl+c")
        assert harness.app.clipboard == "rd" and harness.prompt.text == "word"


async def test_a_key_with_alt_is_not_written_as_its_letter() -> None:
    """A terminal sends Alt+T as Esc and t; the key came with its letter, and the prompt wrote it."""
    script = Script(text="<think>\nA spark, maybe.\n</think>\n\nHere.")
    async with open_app(FakeBackend(script)) as harness:
        await harness.ask()
        harness.app.post_message(events.Key("alt+t", "t"))
        await harness.until(lambda: "A spark, maybe." in harness.picture(), 10)
        harness.app.post_message(events.Key("alt+z", "z"))
        await harness.pilot.pause()
        assert harness.prompt.text == ""


@pytest.mark.parametrize(
    ("editor", "words"),
    [("", "No editor is set"), ("no-such-editor-x", "There is no program"), ("'", "No editor is set")],
)
async def test_an_editor_that_cannot_be_used_is_told(editor: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editor)
    monkeypatch.delenv("EDITOR", raising=False)
    async with open_app(FakeBackend(), notifications=True) as harness:
        monkeypatch.setattr(type(harness.app), "suspend", _nothing)
        await harness.pilot.press(*"draft", "alt+e")
        await harness.until(lambda: words in " ".join(harness.picture().split()), 10)
        assert harness.prompt.text == "draft"


async def test_what_the_editor_saved_stands_at_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my editor.sh"
    script.write_text('#!/bin/sh\nstat -c %a "$2" > "$1"\nprintf "more\\nlines\\n" >> "$2"\n')
    script.chmod(0o700)
    mode = tmp_path / "mode"
    monkeypatch.setenv("VISUAL", f"'{script}' '{mode}'")
    async with open_app() as harness:
        monkeypatch.setattr(type(harness.app), "suspend", _nothing)
        assert edited("draft ", harness.app) == "draft more\nlines"
        await harness.pilot.press("a", "alt+e")
        assert harness.prompt.text == "amore\nlines"
    assert mode.read_text().strip() == "600"
    assert not list(Path("/tmp").glob("sparkdesk-message-*"))


def _nothing(app: object) -> object:
    from contextlib import nullcontext

    return nullcontext()
