"""What the widgets of the conversation ask the chat screen for. Data only."""

from dataclasses import dataclass

from textual.message import Message


@dataclass
class MessageActed(Message):
    """The user does something with a message of the transcript."""

    act: str
    """"edit", "regenerate", "go_on", "copy", "copy_code", "fold", "previous", "next" or "leave"."""
    position: int


@dataclass
class NewestWanted(Message):
    """The user wants to see the end of the conversation."""


@dataclass
class PlaceChanged(Message):
    """The transcript shows another part of the conversation."""

    earlier: int
    """Messages above the view."""
    later: int
    """Messages below it."""
    is_at_end: bool
