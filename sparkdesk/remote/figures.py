"""What a server tells of a reply's cost, as the desk's own figures. Pure; what is not told stays nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats

_SAMPLE = re.compile(
    r"^(vllm:spec_decode_num_\w+?)(?:_total)?(?:\{(.*)\})?\s+([0-9]{1,15}(?:\.[0-9]+)?(?:e\+?[0-9]{1,2})?)\s*$",
    re.MULTILINE,
)
_POSITION = re.compile(r'position="([0-9]{1,3})"')
_MOST_TOKENS = 4096
"""Of one round."""
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class Timings:
    """llama.cpp's `timings`, so far or in the end."""

    predicted: int = 0
    predicted_ms: float = 0.0
    drafted: int = 0
    accepted: int = 0
    prompt: int = 0
    prompt_ms: float = 0.0
    cached: int = 0
    plain_ms: float = 0.0
    """What a plain step costs there; only our own server tells."""


def timings_of(said: Mapping[str, Any]) -> Timings | None:
    """None where the chunk has none."""
    given = said.get("timings")
    if not isinstance(given, Mapping):
        return None
    return Timings(
        predicted=int(_number(given, "predicted_n")),
        predicted_ms=_number(given, "predicted_ms"),
        drafted=int(_number(given, "draft_n")),
        accepted=int(_number(given, "draft_n_accepted")),
        prompt=int(_number(given, "prompt_n")),
        prompt_ms=_number(given, "prompt_ms"),
        cached=int(_number(given, "cache_n")),
        plain_ms=_number(given, "plain_per_token_ms"),
    )


def round_between(before: Timings, now: Timings, *, tokens: int, elapsed_ms: float) -> Round:
    """What came since the last chunk: by the server's own clock where it has one, else by ours."""
    spent_ms = now.predicted_ms - before.predicted_ms
    verified = min(max(0, now.drafted - before.drafted), _MOST_TOKENS)
    accepted = min(verified, max(0, now.accepted - before.accepted))
    # llama-server tells of a whole round with its first token, and the others follow one by one.
    count = max(now.predicted - before.predicted, accepted + 1 if verified else 0) or tokens
    count = min(count, _MOST_TOKENS)
    return Round(
        tokens=(0,) * count,
        is_drafted=tuple(index < accepted for index in range(count)),
        verified=verified,
        accepted=accepted,
        source="draft" if verified else "",
        verify_ms=spent_ms if spent_ms > 0 else elapsed_ms,
        plain_ms_per_token=now.plain_ms,
    )


def finished_stats(live: ReplyStats, said: Mapping[str, Any]) -> ReplyStats:
    """The live figures, corrected by what the last chunks told: `usage`, `timings`."""
    stats = live
    usage = said.get("usage")
    if isinstance(usage, Mapping):
        stats = replace(
            stats,
            prompt_tokens=int(_number(usage, "prompt_tokens")) or stats.prompt_tokens,
            generated=int(_number(usage, "completion_tokens")) or stats.generated,
        )
    timings = timings_of(said)
    if timings is not None and timings.predicted_ms > 0:
        # The server's clock counts its first token too, ours does not: `decoded` leaves that one out.
        stats = replace(
            stats,
            generated=timings.predicted or stats.generated,
            prefilled_tokens=timings.prompt,
            prefill_ms=timings.prompt_ms,
            verified=timings.drafted,
            accepted=timings.accepted,
            draft_ms=0.0,
            absorb_ms=0.0,
            verify_ms=timings.predicted_ms,
            other_ms=0.0,
            plain_ms_per_token=timings.plain_ms,
        )
        if timings.drafted:
            stats = replace(stats, rounds=max(1, stats.generated - stats.accepted - 1))
    return stats


@dataclass(frozen=True, slots=True)
class DraftCounters:
    """vLLM's Prometheus counters of speculative decoding, of the whole server since its start."""

    drafts: int = 0
    drafted: int = 0
    accepted: int = 0
    accepted_by_position: tuple[int, ...] = ()

    def since(self, before: "DraftCounters") -> "DraftCounters":
        earlier = before.accepted_by_position + (0,) * len(self.accepted_by_position)
        by_position = tuple(now - then for now, then in zip(self.accepted_by_position, earlier, strict=False))
        return DraftCounters(
            self.drafts - before.drafts, self.drafted - before.drafted, self.accepted - before.accepted, by_position
        )


def draft_counters(metrics: str) -> DraftCounters | None:
    """Out of the text of /metrics; None where it says nothing of drafts."""
    counts: dict[str, int] = {}
    positions: dict[int, int] = {}
    for name, labels, value in _SAMPLE.findall(metrics):
        kind = name.removeprefix("vllm:spec_decode_num_")
        position = _POSITION.search(labels)
        if position is not None:
            positions[int(position[1])] = positions.get(int(position[1]), 0) + int(float(value))
        else:
            counts[kind] = counts.get(kind, 0) + int(float(value))
    if "drafts" not in counts:
        return None
    by_position = tuple(positions.get(index, 0) for index in range(max(positions, default=-1) + 1))
    return DraftCounters(counts["drafts"], counts.get("draft_tokens", 0), counts.get("accepted_tokens", 0), by_position)


def with_counters(stats: ReplyStats, told: DraftCounters) -> ReplyStats:
    """The figures of a reply during which the server counted so much; nobody else was served then, one hopes."""
    if told.drafts <= 0:
        return stats
    return replace(
        stats,
        rounds=told.drafts,
        verified=told.drafted,
        accepted=told.accepted,
        verified_by_position=(told.drafts,) * len(told.accepted_by_position),
        accepted_by_position=told.accepted_by_position,
    )


def _number(said: Mapping[str, Any], name: str) -> float:
    value = said.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if 0 <= value <= _LARGEST else 0.0
