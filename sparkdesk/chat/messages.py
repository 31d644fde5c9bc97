"""What was said in a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparkdesk.chat.trace import Trace
from sparkdesk.engine.stats import ReplyStats


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that goes with a user's message."""

    name: str
    """Its file name, without the folder."""
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of one side."""

    role: str
    """"system", "user" or "assistant"."""
    content: str
    is_partial: bool = False
    """True for a reply that was stopped or broken off."""
    stats: ReplyStats | None = None
    note: str = ""
    """Why a reply ends where it does, when that was not the model's own choice."""
    attachments: tuple[Attachment, ...] = ()
    """Not part of `content`; the model reads them before it."""
    trace: Trace | None = None
    """Of a reply."""
    model: str = ""
    """Name of the model that replied."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Which of the versions of a message is shown: an edited prompt, a reply that was made again."""

    number: int
    """From 1."""
    count: int


def in_turns(messages: Sequence[Message]) -> list[Message]:
    """Templates want the two sides to take turns; a message that never got its reply is read with the one after it."""
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role == "user":
            message = replace(message, content=f"{turns.pop().content}\n\n{message.content}")
        turns.append(message)
    return turns


_FENCE = "```"


def with_attachments(message: Message) -> Message:
    """The message as the model reads it."""
    if not message.attachments:
        return message
    files = "\n\n".join(fenced(each) for each in message.attachments)
    return replace(message, content=f"{files}\n\n{message.content}", attachments=())


def fenced(attachment: Attachment) -> str:
    """The name, and the text in a fence longer than any within it."""
    fence = _FENCE
    while fence in attachment.text:
        fence += "`"
    return f"{attachment.name}:\n{fence}\n{attachment.text.rstrip()}\n{fence}"
