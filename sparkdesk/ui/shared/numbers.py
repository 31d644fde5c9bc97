"""Numbers as people read them. Pure text, with steady decimals so that columns hold still."""

from datetime import datetime, timedelta

from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.chat.draft_choice import DraftChoice

UNKNOWN = "\u2013"
TIMES = "x"
PARKED = "parked"
EVEN = "as fast as plain"
_FEWEST_ROUNDS = 3
"""Fewer say nothing of a gain: the first have a cold start, and a reply that was gone on with may have but one."""
_LEAST_COST = 0.005
_LEAST_COST_PARKED = 0.01
"""Plain decoding itself differs from the plain estimate by that much."""


def speed(tokens_per_second: float) -> str:
    """Four significant places are more than a reader uses: 41.3, 412, 1204."""
    if tokens_per_second <= 0:
        return UNKNOWN
    return f"{tokens_per_second:.1f}" if tokens_per_second < 100 else f"{tokens_per_second:.0f}"


def milliseconds(value_ms: float) -> str:
    return f"{value_ms:.2f}" if value_ms < 100 else f"{value_ms:.0f}"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def duration(value_ms: float) -> str:
    """A span of time in its natural unit: 340 ms, 2.3 s, 1 min 12 s, 3 h 5 min."""
    if value_ms < 1000:
        return f"{value_ms:.0f} ms"
    if value_ms < 60_000:
        return f"{value_ms / 1000:.1f} s"
    minutes, seconds = divmod(round(value_ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{grouped(minutes // 60)} h {minutes % 60} min"


def magnitude(count: float) -> str:
    """A count of parameters or bytes: 950 k, 3.1 M, 8.2 B."""
    for limit, divisor, unit in ((1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if count < limit:
            return f"{count / divisor:.3g} {unit}"
    return f"{count / 1e9:.3g} B"


def grouped(count: int) -> str:
    """4096 -> 4,096."""
    return f"{count:,}"


def count(number: int, noun: str) -> str:
    """ "1 line", "12 lines"; for nouns whose plural is an s."""
    return f"{grouped(number)} {noun}{'' if number == 1 else 's'}"


def tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{grouped(count)} tokens"


def speedup(stats: ReplyStats) -> str:
    return f"{stats.speedup:.2f}{TIMES}" if stats.speedup > 0 else UNKNOWN


def gain(stats: ReplyStats, *, parked_rounds: int = 0) -> str:
    """What speculation won or lost against plain decoding on this machine, in a few words."""
    if stats.speedup <= 0 or stats.rounds < _FEWEST_ROUNDS:
        return ""
    if _has_only_parked(stats, parked_rounds):
        return PARKED
    cost, least_cost = 1 / stats.speedup - 1, _least_cost(stats, parked_rounds)
    if cost >= 1:
        return f"{1 / stats.speedup:.1f}{TIMES} slower than plain"
    if cost >= least_cost:
        return f"costing you {percent(cost)}"
    if cost > -least_cost:
        return PARKED if is_parked_mostly(stats, parked_rounds) else EVEN
    return f"{speedup(stats)} · saved {duration(stats.saved_ms)}"


def is_loss(stats: ReplyStats, *, parked_rounds: int = 0) -> bool:
    """Whether speculation lost time worth mentioning."""
    if _has_only_parked(stats, parked_rounds):
        return False
    if stats.speedup <= 0 or stats.rounds < _FEWEST_ROUNDS:
        return False
    return 1 / stats.speedup - 1 >= _least_cost(stats, parked_rounds)


def is_parked_mostly(stats: ReplyStats, parked_rounds: int) -> bool:
    return 2 * parked_rounds > stats.rounds


def _has_only_parked(stats: ReplyStats, parked_rounds: int) -> bool:
    """Nothing was drafted: that plain decoding was slower or faster than estimated is not speculation's doing."""
    return not stats.verified and is_parked_mostly(stats, parked_rounds)


def parked(choice: DraftChoice) -> str:
    """That speculation is on hold, and why."""
    return f"{PARKED}: drafts would cost {choice.cost_percent} % here" if choice.cost_percent else PARKED


def chosen(choice: DraftChoice) -> str:
    """What the scheduler drafts now, and what it expects of that."""
    if not choice.length or choice.expected_gain <= 0:
        return ""
    return f"draft {choice.length}: expected {choice.expected_gain:.1f}{TIMES}"


def reply_line(stats: ReplyStats, *, parked_rounds: int = 0, is_told: bool = True) -> str:
    """The line below a reply. Without `is_told`, whoever replied did not say how it decoded."""
    parts = [f"{speed(stats.tokens_per_second)} tok/s", tokens(stats.generated)]
    if stats.verified:
        parts.append(f"accepted length {stats.accepted_length:.2f}")
        parts.append(gain(stats, parked_rounds=parked_rounds))
    elif is_parked_mostly(stats, parked_rounds):
        parts.append(f"plain decoding ({PARKED})")
    elif is_told:
        parts.append("plain decoding")
    return " · ".join(part for part in parts if part)


def _least_cost(stats: ReplyStats, parked_rounds: int) -> float:
    return _LEAST_COST_PARKED if is_parked_mostly(stats, parked_rounds) else _LEAST_COST


_WEEK_DAYS = 7


def age(moment: datetime, now: datetime) -> str:
    """ "now", "5 min", "3 h", "2 days", "12 Nov", "12 Nov 2025"."""
    elapsed = now - moment
    if elapsed < timedelta(minutes=1):
        return "now"
    if elapsed < timedelta(hours=1):
        return f"{elapsed // timedelta(minutes=1)} min"
    if elapsed < timedelta(days=1):
        return f"{elapsed // timedelta(hours=1)} h"
    local, today = moment.astimezone(now.tzinfo), now.date()
    days = (today - local.date()).days
    if days < _WEEK_DAYS:
        return "1 day" if days <= 1 else f"{days} days"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def day(moment: datetime, now: datetime) -> str:
    """The heading under which a list has it: "Today", "Yesterday", "Monday", "October 2026"."""
    local = moment.astimezone(now.tzinfo)
    days = (now.date() - local.date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    return local.strftime("%A" if days < _WEEK_DAYS else "%B %Y")
