"""Which of the oldest messages are left out when a conversation has outgrown the context. Pure but for the counting.

Whole turns go, and enough of them that the next replies need no new cut: each cut makes the model read all that is
left once more.
"""

from collections.abc import Callable, Sequence

from sparkdesk.chat.messages import Message

_KEPT_SHARE = 0.75
"""Of the context, that a shortened conversation may take."""
_MOST_RESERVED = 1024
_LONG_TOKEN = 16
"""Characters; texts of longer tokens on average are rare, and only cost the time of counting them."""


def is_too_long(prompt_tokens: int, context_tokens: int) -> bool:
    """Whether there would be little room for an answer: less than an eighth of the context."""
    return prompt_tokens > context_tokens - min(_MOST_RESERVED, context_tokens // 8)


def cut(messages: Sequence[Message], begin: int, context_tokens: int, *, count: Callable[[int], int]) -> int:
    """How many messages to leave out, at least `begin`; `count` says the tokens of the prompt from a message on.

    The newest message of the user always stays; when it alone is too long, that is for the engine to say.
    """
    starts = [index for index, message in enumerate(messages) if message.role == "user" and index > begin]
    if not starts:
        return begin
    fitting, most = len(starts), _KEPT_SHARE * context_tokens
    is_likely_long = _characters(messages[begin:]) > _LONG_TOKEN * context_tokens
    if not is_likely_long and not is_too_long(count(begin), context_tokens):
        return begin
    # From the end, in growing steps: a conversation of years is never counted whole only to leave most of it out.
    low, step = len(starts) - 1, 1
    while low >= 0 and count(starts[low]) <= most:
        fitting, low, step = low, low - step, 2 * step
    low = max(-1, low)
    while fitting - low > 1:  # the fewest that make it fit: the more is left out, the shorter it is
        middle = (low + fitting) // 2
        if count(starts[middle]) <= most:
            fitting = middle
        else:
            low = middle
    if is_likely_long and fitting == 0 and not is_too_long(count(begin), context_tokens):
        return begin
    return starts[min(fitting, len(starts) - 1)]


def _characters(messages: Sequence[Message]) -> int:
    files = sum(len(file.text) for message in messages for file in message.attachments)
    return files + sum(len(message.content) for message in messages)
