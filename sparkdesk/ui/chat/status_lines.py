"""The quiet lines: how a reply goes and ended, and what sending a message would take. Pure text."""

from collections.abc import Sequence

from sparkdesk.chat.events import ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.summary import Count
from sparkdesk.chat.trace import RoundMark
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.live_stats import LiveFigures
from sparkdesk.ui.shared import numbers

QUIET, ATTENTION, TROUBLE = "$spark-quiet", "$warning", "$error"
_REASONS = {
    "cancelled": "■ stopped",
    "length": "■ reached the token limit",
    "context": "■ the context is full: {way_out}",
}


def finished_line(end: ReplyFinished, *, parked_rounds: int, is_told: bool, way_out: str, answer_keys: str) -> str:
    """`way_out` is what can be done about a full context, `answer_keys` make a reply after all."""
    if end.stop_reason == "cancelled" and not end.text:
        return f"■ stopped before the first word · the message is kept · {answer_keys} regenerates"
    reason = _REASONS.get(end.stop_reason, "")
    parts = (
        reason.format(way_out=way_out),
        numbers.reply_line(end.stats, parked_rounds=parked_rounds, is_told=is_told),
    )
    return " · ".join(part for part in parts if part)


def kept_line(message: Message, rounds: Sequence[RoundMark], *, is_told: bool, model: str) -> str:
    """Below a reply of the history. `model` is what is loaded now, as it is shown: another one's name is told."""
    parked_rounds = sum(done.is_parked for done in rounds)
    stats = message.stats
    parts = (
        f"■ {message.note.rstrip('.')}" if message.note else "",
        numbers.reply_line(stats, parked_rounds=parked_rounds, is_told=is_told) if stats else "",
        safe_line(message.model) if safe_line(message.model) != model else "",
    )
    return " · ".join(part for part in parts if part)


def running_line(shown: LiveFigures, *, stop_key: str) -> str:
    """Below a reply that is being made."""
    if shown.prefill and not shown.prefill.total:
        return f"waiting for the server … · {stop_key} stops"
    if shown.prefill:
        return f"reading the prompt … {shown.prefill.done} / {shown.prefill.total} tokens"
    return f"… {numbers.tokens(shown.reply.generated)} · {numbers.speed(shown.now)} tok/s · {stop_key} stops"


def stalled_line(*, stop_key: str, reload_key: str) -> str:
    return f"the engine does not react · {stop_key} twice ends it, {reload_key} loads it again"


def broken_line(stats: ReplyStats | None, *, parked_rounds: int, is_told: bool) -> str:
    if stats is None:
        return "interrupted before the first word"
    return f"interrupted · {numbers.reply_line(stats, parked_rounds=parked_rounds, is_told=is_told)}"


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
