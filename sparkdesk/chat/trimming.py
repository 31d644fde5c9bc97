"""Which of the oldest messages are left out when a conversation has outgrown the context. Pure but for the counting.

Whole turns go, and enough of them that the next replies need no new cut: each cut makes the model read all that is
left once more.
"""

from collections.abc import Callable, Sequence

from sparkdesk.chat.messages import Message

_KEPT_SHARE = 0.75
"""Of the context, that a shortened conversation may take."""
_MOST_RESERVED = 512


def is_too_long(prompt_tokens: int, context_tokens: int) -> bool:
    """Whether there would hardly be room for an answer."""
    return prompt_tokens > context_tokens - min(_MOST_RESERVED, context_tokens // 16)


def cut(messages: Sequence[Message], begin: int, context_tokens: int, *, count: Callable[[int], int]) -> int:
    """How many messages to leave out, at least `begin`; `count` says the tokens of the prompt from a message on.

    The newest message of the user always stays; when it alone is too long, that is for the engine to say.
    """
    starts = [index for index, message in enumerate(messages) if message.role == "user" and index > begin]
    if not starts or not is_too_long(count(begin), context_tokens):
        return begin
    low, high = 0, len(starts) - 1
    while low < high:  # the fewest that make it fit: the more is left out, the shorter it is
        middle = (low + high) // 2
        if count(starts[middle]) <= _KEPT_SHARE * context_tokens:
            high = middle
        else:
            low = middle + 1
    return starts[low]
