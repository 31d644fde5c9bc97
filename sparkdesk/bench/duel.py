"""Plain decoding against speculation, prompt by prompt on one engine, so that a machine that slows down slows both."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from zlib import crc32

from sparkdesk.bench.engine import Clock, Engine, fresh_reply
from sparkdesk.bench.replies import Comparison, Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull
from sparkdesk.events import Notice, Progress

STEP = "Plain against speculation"
_WARM_UP_TOKENS = 16
_GREEDY = SamplingSettings(temperature=0.0)

Render = Callable[[str], tuple[int, ...]]
"""The tokens of a conversation that begins with this text."""
Judge = Callable[[tuple[int, ...], Reply, Reply], Judgement]
"""From the prompt's tokens, the plain reply and the speculative one."""


@dataclass(frozen=True, slots=True)
class DuelSettings:
    """How both arms answer."""

    max_tokens: int = 256
    sampling: SamplingSettings = _GREEDY
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    """Of the speculative arm."""
    repetitions: int = 1

    @property
    def is_greedy(self) -> bool:
        return self.sampling.temperature <= 0


def duel(
    engine: Engine,
    prompts: Sequence[Prompt],
    settings: DuelSettings,
    *,
    render: Render,
    judge: Judge,
    clock: Clock = perf_counter,
) -> Generator[Progress | Notice | Comparison, None, None]:
    """Answer every prompt twice a repetition; the arm that goes first alternates.

    A prompt longer than the context is left out with a notice. Raises EngineError.
    """
    _warm_up(engine, prompts, settings, render=render)
    total = len(prompts) * settings.repetitions
    began_s = clock()
    for done in range(total):
        repetition, index = divmod(done, len(prompts))
        prompt = prompts[index]
        elapsed_s = clock() - began_s
        yield Progress(f"{STEP}: {prompt.id}", done, total, "prompts", done / elapsed_s if elapsed_s > 0 else 0.0)
        try:
            yield _compare(
                engine,
                prompt,
                settings,
                repetition=repetition,
                is_plain_first=(index + repetition) % 2 == 0,
                render=render,
                judge=judge,
                clock=clock,
            )
        except ContextFull as error:
            yield Notice(f"{prompt.id} is left out: {error.message}")


def seed_of(prompt: Prompt, repetition: int) -> int:
    """The same for both arms and on every machine, another for every repetition."""
    return crc32(f"{prompt.id}/{repetition}".encode())


def _warm_up(engine: Engine, prompts: Sequence[Prompt], settings: DuelSettings, *, render: Render) -> None:
    """The first reply of a process is slower than all others; it must not count against the arm that goes first."""
    if not prompts:
        return
    first = prompts[0]
    tokens = first.tokens[::-1] or render("Say hello in one short sentence.")
    for speculation in (SpeculationSettings(is_enabled=False), settings.speculation):
        short = GenerationSettings(max_tokens=_WARM_UP_TOKENS, sampling=_GREEDY, speculation=speculation)
        fresh_reply(engine, tokens, short, ignore_end=bool(first.tokens))


def _compare(
    engine: Engine,
    prompt: Prompt,
    settings: DuelSettings,
    *,
    repetition: int,
    is_plain_first: bool,
    render: Render,
    judge: Judge,
    clock: Clock,
) -> Comparison:
    tokens = prompt.tokens or render(prompt.text)
    sampling = settings.sampling if settings.is_greedy else replace(settings.sampling, seed=seed_of(prompt, repetition))

    def arm(speculation: SpeculationSettings) -> Reply:
        generation = GenerationSettings(max_tokens=settings.max_tokens, sampling=sampling, speculation=speculation)
        return fresh_reply(engine, tokens, generation, ignore_end=bool(prompt.tokens), clock=clock)

    off = SpeculationSettings(is_enabled=False)
    if is_plain_first:
        plain, speculative = arm(off), arm(settings.speculation)
    else:
        speculative, plain = arm(settings.speculation), arm(off)
    judgement = judge(tokens, plain, speculative) if settings.is_greedy else None
    return Comparison(prompt.id, prompt.domain, repetition, plain, speculative, judgement)
