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
from tests.ui.sitting import at_open_desk


@pytest.mark.parametrize("text", ["/usr/bin/env is a path", "a /new thing", "/", "//x", "/etc/hosts", "/1 is it?"])
def test_paths_and_sentences_are_messages(text: str) -> None:
    assert command_in(text) is None


async def test_commands_do_what_their_keys_do() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        await sitting.say("/system Answer like a pirate.\nAlways.")
        await sitting.until(lambda: sitting.backend.conversation.settings.system_prompt)
        assert sitting.backend.conversation.settings.system_prompt == "Answer like a pirate.\nAlways."
        await sitting.say("/regenerate")
        await sitting.until(lambda: len(sitting.backend.conversation.sent) == 2)
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        await sitting.say("/new")
        await sitting.until(lambda: not sitting.transcript.has_turns)
        assert sitting.prompt.text == "" and sitting.backend.started == 1
        await sitting.say("/system")
        await sitting.until(lambda: isinstance(sitting.app.screen, ConversationSettingsScreen))


async def test_an_unknown_command_is_told_and_stays_at_the_prompt() -> None:
    async with at_open_desk(FakeBackend(), notifications=True) as sitting:
        await sitting.say("/modle x")
        await sitting.until(lambda: "There is no command /modle" in " ".join(sitting.picture().split()), 10)
        assert sitting.prompt.text == "/modle x" and not sitting.backend.conversation.sent


async def test_every_command_of_the_help_is_known() -> None:
    async with at_open_desk() as sitting:
        known = {*sitting.chat.slash_actions._parts, "model", "system"}
        assert known == {words.partition(" ")[0] for words in HELP}


@pytest.mark.parametrize("opened_by", ["alt+m", "/model"])
async def test_a_model_is_switched_by_one_key_and_its_name(opened_by: str) -> None:
    async with at_open_desk() as sitting:
        if opened_by == "alt+m":
            await sitting.pilot.press("alt+m")
        else:
            await sitting.say(opened_by)
        await sitting.until(lambda: isinstance(sitting.app.screen, SwitchModelScreen))
        await sitting.until(lambda: "qwen3-8b" in sitting.picture())
        await sitting.pilot.press(*"qwen3-8b", "enter")
        await sitting.until(lambda: sitting.backend.switches == ["qwen3-8b"])
        await sitting.until(lambda: sitting.chat.view.pair == "qwen3-8b")


async def test_ctrl_c_stops_then_clears_and_only_then_says_how_to_leave() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True)), notifications=True) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(5)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press(*"next", "ctrl+c")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.prompt.text == "next", "what is written meanwhile stays"
        await sitting.pilot.press("ctrl+c")
        assert sitting.prompt.text == ""
        await sitting.pilot.press("ctrl+c")
        await sitting.until(lambda: "Ctrl+Q quits." in sitting.picture(), 10)
        await sitting.pilot.press("up")
        assert sitting.prompt.text == "next", "what was cleared comes back"


async def test_ctrl_c_copies_what_is_selected() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press(*"word", "shift+left", "shift+left", "ctrl+c")
        assert sitting.app.clipboard == "rd" and sitting.prompt.text == "word"


async def test_a_key_with_alt_is_not_written_as_its_letter() -> None:
    """A terminal sends Alt+T as Esc and t; the key came with its letter, and the prompt wrote it."""
    script = Script(text="<think>\nA spark, maybe.\n</think>\n\nHere.")
    async with at_open_desk(FakeBackend(script)) as sitting:
        await sitting.ask()
        sitting.app.post_message(events.Key("alt+t", "t"))
        await sitting.until(lambda: "A spark, maybe." in sitting.picture(), 10)
        sitting.app.post_message(events.Key("alt+z", "z"))
        await sitting.pilot.pause()
        assert sitting.prompt.text == ""


@pytest.mark.parametrize(
    ("editor", "words"),
    [("", "No editor is set"), ("no-such-editor-x", "There is no program"), ("'", "No editor is set")],
)
async def test_an_editor_that_cannot_be_used_is_told(editor: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editor)
    monkeypatch.delenv("EDITOR", raising=False)
    async with at_open_desk(FakeBackend(), notifications=True) as sitting:
        monkeypatch.setattr(type(sitting.app), "suspend", _nothing)
        await sitting.pilot.press(*"draft", "alt+e")
        await sitting.until(lambda: words in " ".join(sitting.picture().split()), 10)
        assert sitting.prompt.text == "draft"


async def test_what_the_editor_saved_stands_at_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my editor.sh"
    script.write_text('#!/bin/sh\nstat -c %a "$2" > "$1"\nprintf "more\\nlines\\n" >> "$2"\n')
    script.chmod(0o700)
    mode = tmp_path / "mode"
    monkeypatch.setenv("VISUAL", f"'{script}' '{mode}'")
    async with at_open_desk() as sitting:
        monkeypatch.setattr(type(sitting.app), "suspend", _nothing)
        assert edited("draft ", sitting.app) == "draft more\nlines"
        await sitting.pilot.press("a", "alt+e")
        assert sitting.prompt.text == "amore\nlines"
    assert mode.read_text().strip() == "600"
    assert not list(Path("/tmp").glob("sparkdesk-message-*"))


def _nothing(app: object) -> object:
    from contextlib import nullcontext

    return nullcontext()
