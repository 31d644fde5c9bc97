"""What other programs cost: the same prompt alone and beside busy loops, plainly and with speculation, in turns."""

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from time import perf_counter, sleep

from sparkdesk.bench.engine import Clock, Engine, Returning, fresh_rounds
from sparkdesk.bench.results import Reply
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.events import Progress

STEP = "Beside busy loops"
_SETTLE_SECONDS = 0.3
"""For the loops to be at it, and for the processor to be free again."""
_PLAIN, _SPECULATIVE = SpeculationSettings(is_enabled=False), SpeculationSettings()

Load = Callable[[int], AbstractContextManager[None]]
"""So many busy loops, for as long as it is entered."""


@dataclass(frozen=True, slots=True)
class BusyReply:
    """One reply: beside busy loops or alone, with speculation or without."""

    is_busy: bool
    is_speculative: bool
    reply: Reply


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Processes of their own that compute without end, as another program may."""
    loops = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"], env={}) for _ in range(count)]
    try:
        sleep(_SETTLE_SECONDS)
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()
        sleep(_SETTLE_SECONDS)


def busy_replies(
    engine: Engine,
    prompts: Sequence[tuple[int, ...]],
    *,
    max_tokens: int,
    loops: int,
    repetitions: int,
    load: Load = busy_loops,
    clock: Clock = perf_counter,
) -> Generator[Progress | BusyReply, None, None]:
    """Every prompt in all ways, right after one another; which comes first alternates. Raises EngineError.

    A first round of the prompts teaches the scheduler and warms the caches, and is not told.
    """
    assert engine.model is not None, "a benchmark is of a loaded model"
    ways = [(is_busy, is_fast) for is_busy in (False, True) for is_fast in (False, True)[: 1 + has_draft(engine)]]
    asked = [prompt for _ in range(1 + repetitions) for prompt in prompts]
    for done, prompt in enumerate(asked):
        for place, (is_busy, is_fast) in enumerate(ways if done % 2 else ways[::-1]):
            yield Progress(STEP, done + place / len(ways), len(asked), "prompts")
            settings = GenerationSettings(
                max_tokens=max_tokens,
                sampling=SamplingSettings(temperature=0.0),
                speculation=_SPECULATIVE if is_fast else _PLAIN,
            )
            steps = Returning(fresh_rounds(engine, prompt, settings, clock=clock))
            with load(loops if is_busy else 0):
                for _ in steps:
                    pass
            if done >= len(prompts):
                yield BusyReply(is_busy, is_fast, steps.result)


def has_draft(engine: Engine) -> bool:
    return engine.model is not None and engine.model.block_size > 0


def speed(replies: Sequence[BusyReply], *, is_busy: bool, is_speculative: bool) -> float:
    """Tokens per second of decoding, all tokens in all their time; 0 where there are none."""
    chosen = [each.reply.stats for each in replies if (each.is_busy, each.is_speculative) == (is_busy, is_speculative)]
    decode_ms = sum(stats.decode_ms for stats in chosen)
    return 1e3 * sum(stats.decoded for stats in chosen) / decode_ms if decode_ms > 0 else 0.0
