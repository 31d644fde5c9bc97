"""The quiet line at the prompt: what sending would take, and what would no longer be read. Pure text."""

from sparkdesk.chat.summary import Count
from sparkdesk.ui.shared import numbers

QUIET, ATTENTION, TROUBLE = "$spark-quiet", "$warning", "$error"


def count_line(count: Count, *, has_words: bool) -> tuple[str, str]:
    """The words, and how loud they are. Without a message there is only the context to speak of."""
    context = f"{numbers.grouped(count.prompt_tokens)} of {numbers.grouped(count.context_tokens)} in context"
    if count.prompt_tokens >= count.context_tokens:
        held = numbers.grouped(count.context_tokens)
        return f"too long: {numbers.tokens(count.prompt_tokens)}, and the context holds {held}", TROUBLE
    parts = [numbers.tokens(count.text_tokens), context] if has_words else [context]
    if count.left_out:
        parts.append(f"{oldest(count.left_out)} will not be read")
        return " · ".join(parts), ATTENTION
    return " · ".join(parts), QUIET


def oldest(left_out: int) -> str:
    return "the oldest message" if left_out == 1 else f"the {left_out} oldest messages"
