"""A conversation as the history holds it, and the title it has as long as nobody gave it one."""

from dataclasses import dataclass

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree

_TITLE = 60


@dataclass(frozen=True, slots=True)
class Kept:
    tree: MessageTree
    settings: ChatSettings
    title: str
    """The user's own; empty while it is the first words."""


def title_of(tree: MessageTree) -> str:
    """The first words that were sent."""
    number = next((number for number in tree.shown if tree.message(number).role == "user"), None)
    return shortened(tree.message(number).content) if number is not None else ""


def shortened(text: str) -> str:
    line = " ".join(text[: 4 * _TITLE].split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rsplit(' ', 1)[0]}…"
