"""How long a reply's reasoning took, from the trace of its rounds."""

from collections.abc import Sequence

from sparkdesk.chat.trace import RoundMark, Stretch
from sparkdesk.chat_format.reasoning import opening_tags


def thinking_ms(text: str, stretches: Sequence[Stretch], rounds: Sequence[RoundMark]) -> float:
    """How long the rounds took that brought the thought; 0 when there is no trace of them."""
    tags = opening_tags(text)
    end = text.find(tags.closing) if tags is not None else 0
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
