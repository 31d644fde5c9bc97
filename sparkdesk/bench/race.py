"""One prompt answered plainly and with speculation, one after the other, kept so that both can be watched together."""

from collections.abc import Generator
from dataclasses import dataclass, field
from time import perf_counter

from sparkdesk.bench.comparison import GREEDY, Judge, Render, warm_up
from sparkdesk.bench.engine import Clock, Engine, Returning, fresh_rounds
from sparkdesk.bench.race_arm import RaceArm, arm_of
from sparkdesk.bench.results import Comparison, Judgement
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.runner.protocol import RoundDone

PLAIN, SPECULATIVE = "plain", "speculation"
RACE_DOMAIN = "race"
_OFF = SpeculationSettings(is_enabled=False)


@dataclass(frozen=True, slots=True)
class RaceSettings:
    """How both arms answer."""

    max_tokens: int = 400
    sampling: SamplingSettings = GREEDY
    """Where it is not greedy, both arms have its seed, and the texts are not compared."""
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    is_plain_first: bool = True
    """Which arm is measured first; a machine that slows down favours that one."""

    @property
    def is_greedy(self) -> bool:
        return self.sampling.temperature <= 0


@dataclass(frozen=True, slots=True)
class WarmingUp:
    """The first replies of a process are slow, and count for neither."""


@dataclass(frozen=True, slots=True)
class ArmAdvanced:
    """The arm that is being measured has come this far."""

    arm: str
    prompt_done: int
    prompt_tokens: int
    generated: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Judging:
    """Both arms are through; what they said is being compared."""


@dataclass(frozen=True, slots=True)
class Race:
    """Both arms, and whether they say the same."""

    plain: RaceArm
    speculative: RaceArm
    judgement: Judgement | None
    """None where replies are sampled: then different texts are no mistake."""
    is_plain_first: bool
    temperature: float = 0.0

    @property
    def gain(self) -> float:
        """Decoding speed with speculation as a multiple of plain decoding; 0 where nothing was decoded."""
        plain = self.plain.reply.stats.tokens_per_second
        return self.speculative.reply.stats.tokens_per_second / plain if plain > 0 else 0.0

    @property
    def saved_ms(self) -> float:
        """What plain decoding would take longer for the speculative arm's tokens, prefill and all; negative: less."""
        return self.plain.ms_per_token * self.speculative.total_tokens - self.speculative.finish_ms

    @property
    def is_even_length(self) -> bool:
        """Whether both said equally much, so that the first to finish is the faster."""
        return self.plain.total_tokens == self.speculative.total_tokens

    @property
    def accepted_length(self) -> float:
        return self.speculative.reply.stats.accepted_length

    @property
    def longest_ms(self) -> float:
        return max(self.plain.finish_ms, self.speculative.finish_ms)

    def as_comparison(self) -> Comparison:
        """For whatever counts comparisons."""
        return Comparison(RACE_DOMAIN, RACE_DOMAIN, 0, self.plain.reply, self.speculative.reply, self.judgement)


RaceEvent = WarmingUp | ArmAdvanced | Judging | Race


def race(
    engine: Engine,
    prompt: Prompt,
    settings: RaceSettings,
    *,
    render: Render,
    judge: Judge,
    clock: Clock = perf_counter,
) -> Generator[RaceEvent, None, None]:
    """Both arms from an empty cache; the Race comes last. Closing it early ends the reply. Raises EngineError."""
    yield WarmingUp()
    for _ in warm_up(engine, prompt, settings.speculation, render=render):
        yield WarmingUp()
    tokens = prompt.tokens or render(prompt.text)
    race_arms: dict[str, RaceArm] = {}
    arms = ((PLAIN, _OFF), (SPECULATIVE, settings.speculation))
    for arm, speculation in arms if settings.is_plain_first else reversed(arms):
        generation = GenerationSettings(
            max_tokens=settings.max_tokens, sampling=settings.sampling, speculation=speculation
        )
        race_arms[arm] = yield from _arm(engine, arm, tokens, generation, ignore_end=bool(prompt.tokens), clock=clock)
    judgement = None
    if settings.is_greedy:
        yield Judging()
        judgement = judge(tokens, race_arms[PLAIN].reply, race_arms[SPECULATIVE].reply)
    yield Race(
        race_arms[PLAIN],
        race_arms[SPECULATIVE],
        judgement,
        settings.is_plain_first,
        settings.sampling.temperature,
    )


def _arm(
    engine: Engine,
    arm: str,
    tokens: tuple[int, ...],
    settings: GenerationSettings,
    *,
    ignore_end: bool,
    clock: Clock,
) -> Generator[ArmAdvanced, None, RaceArm]:
    """Told round by round, because a journey can only be ended between two events."""
    yield ArmAdvanced(arm, 0, len(tokens), 0, settings.max_tokens)
    rounds: list[RoundDone] = []
    generated = 0
    steps = Returning(fresh_rounds(engine, tokens, settings, ignore_end=ignore_end, clock=clock))
    for event in steps:
        if isinstance(event, RoundDone):
            rounds.append(event)
            generated += len(event.round.tokens)
            yield ArmAdvanced(arm, len(tokens), len(tokens), generated, settings.max_tokens)
        else:
            yield ArmAdvanced(arm, event.progress.done, event.progress.total, 0, settings.max_tokens)
    return arm_of(steps.result, rounds)
