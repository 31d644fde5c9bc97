"""A reply as the screen shows it: what the model thought, what it answers, and which of the two it is at."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.chat.trace import RoundMark, Stretch
from sparkdesk.chat_format.thinking import CLOSING, OPENING, split_thinking


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


def thinking_ms(text: str, stretches: Sequence[Stretch], rounds: Sequence[RoundMark]) -> float:
    """How long the rounds took that brought the thought; 0 when there is no trace of them."""
    end = text.find(CLOSING)
    end = len(text) if end < 0 else end
    tokens, length = 0, 0
    for stretch in stretches:
        if length >= end:
            break
        tokens, length = tokens + 1, length + stretch.length
    elapsed_ms, brought = 0.0, 0
    for done in rounds:
        if brought >= tokens:
            break
        elapsed_ms, brought = elapsed_ms + done.elapsed_ms, brought + done.tokens
    return elapsed_ms
