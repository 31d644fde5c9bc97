"""A reply as the screen shows it: what the model thought, what it answers, and which of the two it is at."""

from dataclasses import dataclass

from sparkdesk.chat.thinking import CLOSING, OPENING, split_thinking


@dataclass(frozen=True, slots=True)
class Parts:
    """A reply so far."""

    thought: str
    answer: str
    is_thinking: bool
    """The thought is not closed yet."""


def split_reply(text: str) -> Parts:
    thought, answer = split_thinking(text)
    is_thinking = text.lstrip().startswith(OPENING) and CLOSING not in text
    return Parts(thought, answer, is_thinking)
