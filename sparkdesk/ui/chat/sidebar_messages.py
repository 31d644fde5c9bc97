"""What the sidebar asks the chat screen for, and what it tells it. Data only."""

from dataclasses import dataclass

from textual.message import Message


class SidebarMessage(Message):
    """One of these."""


@dataclass
class HistoryFailed(SidebarMessage):
    """The history said no."""

    cause: str
    hint: str


@dataclass
class ConversationPicked(SidebarMessage):
    """The user wants to see this one."""

    key: int


@dataclass
class ConversationUndeleted(SidebarMessage):
    """It is kept again."""

    key: int
    was_open: bool
    """When it was deleted."""


@dataclass
class NewAsked(SidebarMessage):
    """The user wants a new conversation."""


@dataclass
class DeleteAsked(SidebarMessage):
    key: int
    title: str


@dataclass
class ExportAsked(SidebarMessage):
    key: int
    title: str


@dataclass
class SidebarClosed(SidebarMessage):
    """The user has what they wanted, or gave up."""
