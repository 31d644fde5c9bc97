"""What the widgets around the conversation ask the screen for, and what its workers bring them. Data only."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from sparkdesk.chat.summary import Found, Summary


@dataclass
class ListAsked(Message):
    """The conversations that are kept, or those in which words occur."""

    words: str
    """Empty for all."""


@dataclass
class ListBrought(Message):
    """What is kept."""

    words: str
    """What was asked for."""
    found: Sequence[Summary] | Sequence[Found]


@dataclass
class SavedTold(Message):
    """What speculation saved in all that is kept."""

    saved_ms: float


@dataclass
class HistoryFailed(Message):
    """The history said no."""

    cause: str
    hint: str


@dataclass
class ConversationPicked(Message):
    """The user wants to see this one."""

    key: int


@dataclass
class NewAsked(Message):
    """The user wants a new conversation."""


@dataclass
class RenameAsked(Message):
    key: int
    title: str


@dataclass
class DeleteAsked(Message):
    key: int
    title: str


@dataclass
class UndeleteAsked(Message):
    """Bring back what was deleted last."""


@dataclass
class ExportAsked(Message):
    key: int
    title: str


@dataclass
class SidebarClosed(Message):
    """The user has what they wanted, or gave up."""
