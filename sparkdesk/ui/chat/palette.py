"""What the palette offers of the chat beside its keys."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.shared import numbers

if TYPE_CHECKING:
    from sparkdesk.ui.chat.screen import ChatScreen


def of_chat(screen: "ChatScreen") -> Iterator[SystemCommand]:
    if not screen.problem:
        yield from _of_speculation(screen)
    if screen.stage.allows("stop"):
        what = "Stop the reply" if screen.stage is Stage.REPLYING else "Cancel loading"
        yield SystemCommand(what, "What came so far is kept", screen.action_stop)
    if screen.stage.allows("new_conversation"):
        yield SystemCommand("New conversation", "This one is kept", screen.action_new_conversation)
    if screen.stage.allows("reload"):
        yield SystemCommand("Reload the model", "The conversation stays", screen.action_reload)
    if screen.desk.model is not None and screen.desk.conversation.key is not None:
        yield SystemCommand("Export this conversation", "To a Markdown or JSON file", screen.action_export)
    yield from _of_race(screen)
    if screen.stage is Stage.READY and screen.desk.conversation.messages:
        yield from _of_messages(screen)
    yield SystemCommand("Show or hide where tokens came from", "Drafted, repeated, plain", screen.action_toggle_origins)
    if screen.deleted_title:
        yield SystemCommand(f"Bring back “{screen.deleted_title}”", "It was deleted", screen.bring_back)
    yield SystemCommand("Copy the last reply", "To the clipboard", screen.action_copy_reply)
    yield SystemCommand("Show or hide live figures", "Speed, acceptance, gain", screen.action_toggle_live)
    yield SystemCommand("Show or hide thoughts", "What the model thought first", screen.action_toggle_thoughts)


def _of_race(screen: "ChatScreen") -> Iterator[SystemCommand]:
    if screen.desk.model is None or screen.problem:
        return
    asked = [message.content for message in screen.desk.conversation.messages if message.role == "user"]
    if asked:
        race = partial(race_prompt, screen, asked[-1])
        yield SystemCommand("Race the last prompt", "Plain decoding against speculation, side by side", race)


def _of_messages(screen: "ChatScreen") -> Iterator[SystemCommand]:
    kept = screen.desk.conversation.messages
    asked = max((index for index, message in enumerate(kept) if message.role == "user"), default=None)
    if asked is not None:
        yield SystemCommand("Edit the last message", "And ask again; the old one is kept", partial(screen.edit, asked))
        yield SystemCommand("Make the last reply again", "The old one is kept as a version", screen.regenerate)
    if kept[-1].is_partial or kept[-1].note:
        yield SystemCommand("Go on with the last reply", "Where it was cut short", screen.go_on)
    yield SystemCommand(
        "Select a message", "To edit, copy or see its versions", partial(screen.action_select_message, -1)
    )


def _of_speculation(screen: "ChatScreen") -> Iterator[SystemCommand]:
    now = screen.speculation
    title = "Switch speculation off" if now.is_enabled else "Switch speculation on"
    yield SystemCommand(title, "Takes effect at once, also in mid-reply", screen.action_toggle_speculation)
    longest = screen.model.block_size if screen.model else 0
    for length in (None, *range(1, longest + 1)):
        name = "auto" if length is None else str(length)
        help_text = (
            "Left to the engine, which may park" if length is None else f"Draft {numbers.tokens(length)} a round"
        )
        set_length = partial(screen.set_speculation, replace(now, draft_length=length))
        yield SystemCommand(f"Draft length: {name}", help_text, set_length)


async def race_prompt(screen: "ChatScreen", text: str) -> None:
    """On the bench, as the first words of a conversation."""
    from sparkdesk.ui.bench.screen import BenchScreen

    await screen.app.run_action("app.open_screen('bench')")
    if isinstance(screen.app.screen, BenchScreen):
        screen.app.screen.race(text)
