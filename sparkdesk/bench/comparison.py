"""Plain decoding against speculation, prompt by prompt on one engine, so that a machine that slows down slows both."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from zlib import crc32

from sparkdesk.bench.engine import Clock, Engine, Returning, fresh_rounds
from sparkdesk.bench.results import Comparison, Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull
from sparkdesk.events import Notice, Progress
from sparkdesk.runner.protocol import Prefilling, RoundDone

STEP = "Plain against speculation"
_WARM_UP_TOKENS = 16
_ARMS = 2
_OFF = SpeculationSettings(is_enabled=False)
GREEDY = SamplingSettings(temperature=0.0)

Render = Callable[[str], tuple[int, ...]]
"""The tokens of a conversation that begins with this text."""
Judge = Callable[[tuple[int, ...], Reply, Reply], Judgement]
"""From the prompt's tokens, the plain reply and the speculative one."""


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """How both arms answer."""

    max_tokens: int = 256
    sampling: SamplingSettings = GREEDY
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    """Of the speculative arm."""
    repetitions: int = 1

    @property
    def is_greedy(self) -> bool:
        return self.sampling.temperature <= 0


def compare_replies(
    engine: Engine,
    prompts: Sequence[Prompt],
    settings: ComparisonSettings,
    *,
    render: Render,
    judge: Judge,
    clock: Clock = perf_counter,
) -> Generator[Progress | Notice | Comparison, None, None]:
    """Answer every prompt twice a repetition; the arm that goes first alternates.

    A prompt longer than the context is left out with a notice. Raises EngineError.
    """
    total = len(prompts) * settings.repetitions
    if prompts:
        for _ in warm_up(engine, prompts[0], settings.speculation, render=render):
            yield Progress(f"{STEP}: warming up", 0, total, "prompts")
    began_s = clock()
    for done in range(total):
        repetition, index = divmod(done, len(prompts))
        prompt = prompts[index]
        elapsed_s = clock() - began_s
        at = Progress(f"{STEP}: {prompt.id}", done, total, "prompts", done / elapsed_s if elapsed_s > 0 else 0.0)
        yield at
        try:
            yield from _compare(
                engine,
                prompt,
                settings,
                repetition=repetition,
                is_plain_first=(index + repetition) % 2 == 0,
                at=at,
                render=render,
                judge=judge,
                clock=clock,
            )
        except ContextFull as error:
            yield Notice(f"{prompt.id} is left out: {error.message}")


def seed_of(prompt: Prompt, repetition: int) -> int:
    """The same for both arms and on every machine, another for every repetition."""
    return crc32(f"{prompt.id}/{repetition}".encode())


def warm_up(
    engine: Engine, prompt: Prompt, speculation: SpeculationSettings, *, render: Render
) -> Generator[Prefilling | RoundDone, None, None]:
    """The first reply of a process is slower than all others; it must not count against the arm that goes first."""
    tokens = prompt.tokens[::-1] or render("Say hello in one short sentence.")
    for each in (_OFF, speculation):
        short = GenerationSettings(max_tokens=_WARM_UP_TOKENS, sampling=GREEDY, speculation=each)
        yield from fresh_rounds(engine, tokens, short, ignore_end=bool(prompt.tokens))


def _compare(
    engine: Engine,
    prompt: Prompt,
    settings: ComparisonSettings,
    *,
    repetition: int,
    is_plain_first: bool,
    at: Progress,
    render: Render,
    judge: Judge,
    clock: Clock,
) -> Generator[Progress | Comparison, None, None]:
    """Progress after every round, so that it can be seen, and ended, in the midst of a long reply."""
    tokens = prompt.tokens or render(prompt.text)
    sampling = settings.sampling if settings.is_greedy else replace(settings.sampling, seed=seed_of(prompt, repetition))
    replies: dict[bool, Reply] = {}
    for place, is_plain in enumerate((is_plain_first, not is_plain_first)):
        speculation = _OFF if is_plain else settings.speculation
        generation = GenerationSettings(max_tokens=settings.max_tokens, sampling=sampling, speculation=speculation)
        steps = Returning(fresh_rounds(engine, tokens, generation, ignore_end=bool(prompt.tokens), clock=clock))
        generated = 0
        for event in steps:
            if isinstance(event, RoundDone):
                generated += len(event.round.tokens)
            yield replace(at, done=at.done + (place + generated / settings.max_tokens) / _ARMS)
        replies[is_plain] = steps.result
    plain, speculative = replies[True], replies[False]
    judgement = judge(tokens, plain, speculative) if settings.is_greedy else None
    yield Comparison(prompt.id, prompt.domain, repetition, plain, speculative, judgement)
