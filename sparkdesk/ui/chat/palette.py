"""What the palette offers of the chat beside its keys. An entry that stands in for a key runs that key's action."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from sparkdesk.chat.messages import Message
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.conversations import Conversations
from sparkdesk.ui.chat.generation_settings import GenerationSettings
from sparkdesk.ui.chat.message_actions import MessageActions
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.messages import RaceRequested
from sparkdesk.ui.shared import numbers


def of_chat(
    screen: Screen[Any],
    stage: Stage,
    backend: ChatBackend,
    generation: GenerationSettings,
    conversations: Conversations,
    actions: MessageActions,
) -> Iterator[SystemCommand]:
    key = partial(partial, screen.run_action)
    messages = backend.conversation.messages
    if generation.can_switch:
        yield from _of_speculation(screen, generation)
    if stage.allows("stop"):
        what = "Stop the reply" if stage is Stage.REPLYING else "Cancel loading"
        yield SystemCommand(what, "What came so far is kept", key("stop"))
    if stage.allows("new_conversation"):
        yield SystemCommand("New conversation", "This one is kept", key("new_conversation"))
    if stage.allows("reload"):
        yield SystemCommand("Reload the model", "The conversation stays", key("reload"))
    if backend.model is not None and backend.conversation.key is not None:
        yield SystemCommand("Export this conversation", "To a Markdown or JSON file", conversations.export)
    asked = [message.content for message in messages if message.role == "user"]
    if asked and backend.model is not None and (backend.model.draft_name or backend.model.switch_problem):
        race = partial(screen.post_message, RaceRequested(asked[-1]))
        yield SystemCommand("Race the last prompt", "Plain decoding against speculation, side by side", race)
    if stage is Stage.READY and messages:
        yield from _of_messages(screen, messages, actions)
    yield SystemCommand(
        "Show or hide token sources", "Drafted, repeated from the context, plain", key("toggle_origins")
    )
    if conversations.deleted_title:
        yield SystemCommand(
            f"Undo deleting “{safe_line(conversations.deleted_title)}”", "It was deleted", conversations.undelete
        )
    yield SystemCommand("Copy the last reply", "To the clipboard", key("copy_reply"))
    yield SystemCommand("Show or hide live figures", "Speed, acceptance, gain", key("toggle_live"))
    yield SystemCommand("Show or hide thoughts", "What the model thought first", key("toggle_thoughts"))


def _of_messages(
    screen: Screen[Any], messages: tuple[Message, ...], actions: MessageActions
) -> Iterator[SystemCommand]:
    asked = max((index for index, message in enumerate(messages) if message.role == "user"), default=None)
    if asked is not None:
        edit = partial(actions.edit, asked)
        yield SystemCommand("Edit the last message", "And ask again; the old one is kept", edit)
        yield SystemCommand("Regenerate the last reply", "The old one is kept as a version", actions.regenerate)
    if messages[-1].is_partial or messages[-1].note:
        yield SystemCommand("Continue the last reply", "Where it was cut short", actions.go_on)
    select = partial(screen.run_action, "select_message(-1)")
    yield SystemCommand("Select a message", "To edit, copy or see its versions", select)


def _of_speculation(screen: Screen[Any], generation: GenerationSettings) -> Iterator[SystemCommand]:
    now = generation.speculation
    title = "Switch speculation off" if now.is_enabled else "Switch speculation on"
    toggle = partial(screen.run_action, "toggle_speculation")
    yield SystemCommand(title, "Takes effect at once, also in mid-reply", toggle)
    for length in (None, *range(1, generation.longest_draft + 1)) if generation.longest_draft else ():
        name = "auto" if length is None else str(length)
        help_text = (
            "Left to the engine, which may park" if length is None else f"Draft {numbers.tokens(length)} a round"
        )
        set_length = partial(generation.set_speculation, replace(now, draft_length=length))
        yield SystemCommand(f"Draft length: {name}", help_text, set_length)
