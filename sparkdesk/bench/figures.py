"""Pure: the figures of a group of comparisons, such as those of one domain."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkdesk.bench import reliability
from sparkdesk.bench.reliability import Reliability
from sparkdesk.bench.results import Comparison
from sparkdesk.bench.spread import Spread, spread_of
from sparkdesk.engine.round import Round

PLAIN_SOURCE, DRAFT_SOURCE = "plain", "draft"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the speculative arm's decoding, each number of 0..1."""

    rounds: float
    time: float
    tokens: float


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Milliseconds of the speculative arm's decoding, all replies together."""

    draft_ms: float
    absorb_ms: float
    verify_ms: float
    other_ms: float
    """Ours: everything outside llama.cpp's calls."""

    @property
    def total_ms(self) -> float:
        return self.draft_ms + self.absorb_ms + self.verify_ms + self.other_ms


@dataclass(frozen=True, slots=True)
class Figures:
    """What speculation gained and why. Speeds are tokens per second of decoding, one value a reply."""

    comparisons: int
    plain_speed: Spread
    speculative_speed: Spread
    gain: Spread
    """Speed with speculation over speed without it, pair by pair; decoding alone."""
    whole_gain: float
    """The same of all tokens in all the time, prefill included: what a user's waiting comes to."""
    accepted_length: float
    acceptance: float
    verified_by_position: tuple[int, ...]
    accepted_by_position: tuple[int, ...]
    calibrated: Reliability | None
    """None where rounds say nothing of what the scheduler expected."""
    calibrated_by_position: tuple[Reliability | None, ...]
    as_drafted: Reliability | None
    as_drafted_by_position: tuple[Reliability | None, ...]
    time: TimeSplit
    sources: dict[str, Share]
    """By where a round's tokens came from: "draft", "context", "plain"."""
    parked: Share
    plain_first_token_ms: Spread
    speculative_first_token_ms: Spread
    verdicts: dict[str, int]

    @property
    def acceptance_by_position(self) -> tuple[float, ...]:
        """Share of the tokens verified at each position that were accepted, those behind a refusal included."""
        pairs = zip(self.accepted_by_position, self.verified_by_position, strict=True)
        return tuple(accepted / verified if verified else 0.0 for accepted, verified in pairs)


def figures_of(comparisons: Iterable[Comparison]) -> Figures:
    found = list(comparisons)
    timed = [each for each in found if each.has_speed]
    stats = [each.speculative.stats for each in found]
    rounds = [done for each in found for done in each.speculative.rounds]
    return Figures(
        comparisons=len(found),
        plain_speed=spread_of(each.plain.stats.tokens_per_second for each in timed),
        speculative_speed=spread_of(each.speculative.stats.tokens_per_second for each in timed),
        gain=spread_of(each.gain for each in timed),
        whole_gain=_whole_gain(found),
        accepted_length=_ratio(sum(each.decoded for each in stats), sum(each.rounds for each in stats)),
        acceptance=_ratio(sum(each.accepted for each in stats), sum(each.verified for each in stats)),
        verified_by_position=_summed([each.verified_by_position for each in stats]),
        accepted_by_position=_summed([each.accepted_by_position for each in stats]),
        calibrated=reliability.reliability(reliability.calibrated(rounds)),
        calibrated_by_position=reliability.by_position(reliability.calibrated(rounds)),
        as_drafted=reliability.reliability(reliability.as_drafted(rounds)),
        as_drafted_by_position=reliability.by_position(reliability.as_drafted(rounds)),
        time=TimeSplit(
            draft_ms=sum(each.draft_ms for each in stats),
            absorb_ms=sum(each.absorb_ms for each in stats),
            verify_ms=sum(each.verify_ms for each in stats),
            other_ms=sum(each.other_ms for each in stats),
        ),
        sources=_sources(rounds),
        parked=_share([done for done in rounds if done.is_parked], rounds),
        plain_first_token_ms=spread_of(each.plain.first_token_ms for each in found),
        speculative_first_token_ms=spread_of(each.speculative.first_token_ms for each in found),
        verdicts=dict(Counter(each.judgement.kind for each in found if each.judgement is not None)),
    )


def by_domain(comparisons: Iterable[Comparison]) -> dict[str, Figures]:
    """Domains in the order in which they first come."""
    groups: dict[str, list[Comparison]] = {}
    for each in comparisons:
        groups.setdefault(each.domain, []).append(each)
    return {domain: figures_of(group) for domain, group in groups.items()}


def source_of(done: Round) -> str:
    """Where the verified tokens come from; where a round does not say so, the draft."""
    return done.source or (DRAFT_SOURCE if done.verified else PLAIN_SOURCE)


def _whole_gain(comparisons: Sequence[Comparison]) -> float:
    """By time per token: sampled replies differ in length."""

    def ms_per_token(is_plain: bool) -> float:
        stats = [(each.plain if is_plain else each.speculative).stats for each in comparisons]
        tokens = sum(each.generated + each.has_end for each in stats)
        return _ratio(sum(each.prefill_ms + each.decode_ms for each in stats), tokens)

    return _ratio(ms_per_token(True), ms_per_token(False))


def _sources(rounds: Sequence[Round]) -> dict[str, Share]:
    groups: dict[str, list[Round]] = {}
    for done in rounds:
        groups.setdefault(source_of(done), []).append(done)
    return {name: _share(group, rounds) for name, group in sorted(groups.items())}


def _share(part: Sequence[Round], whole: Sequence[Round]) -> Share:
    return Share(
        rounds=_ratio(len(part), len(whole)),
        time=_ratio(sum(done.elapsed_ms for done in part), sum(done.elapsed_ms for done in whole)),
        tokens=_ratio(sum(len(done.tokens) for done in part), sum(len(done.tokens) for done in whole)),
    )


def _summed(counts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    length = max(map(len, counts), default=0)
    return tuple(sum(each[i] for each in counts if i < len(each)) for i in range(length))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
