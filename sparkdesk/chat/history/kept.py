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


_BEFORE, _AFTER = 40, 80


def place_of(text: str, words: list[str]) -> tuple[str, str, str]:
    """(before, match, after), one line; the beginning of the text where no word is found to the letter."""
    folded = text.casefold()
    at, word = min(((folded.find(word), word) for word in words if word in folded), default=(-1, ""))
    # Some characters fold into two, so a place in the folded text is not always one in the text.
    if at < 0 or len(folded) != len(text):
        return "", "", _line(text[: _BEFORE + _AFTER])
    end = at + len(word)
    before, after = text[max(0, at - _BEFORE) : at], text[end : end + _AFTER]
    return _line(before.rpartition("\n")[2]), text[at:end], _line(after.partition("\n")[0])


def _line(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text)
