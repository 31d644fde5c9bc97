"""What a benchmark needs of the engine, and one fresh, timed reply from it."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from sparkdesk.bench.results import Reply
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.errors import EngineError
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone

Clock = Callable[[], float]
"""Seconds, as perf_counter counts them."""

Step = TypeVar("Step")
Result = TypeVar("Result")


class Engine(Protocol):
    """The part of runner.client.EngineClient that tests replace."""

    @property
    def model(self) -> ModelInfo | None: ...
    def generate(
        self, tokens: Sequence[int], settings: GenerationSettings, ignore_end: bool = False
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]: ...


def fresh_rounds(
    engine: Engine,
    prompt: tuple[int, ...],
    settings: GenerationSettings,
    *,
    ignore_end: bool = False,
    clock: Clock = perf_counter,
) -> Generator[Prefilling | RoundDone, None, Reply]:
    """One reply whose whole prompt is decoded, whatever the engine answered before.

    Closing it early ends the reply after its round. Raises EngineError.
    """
    afresh = replace(settings, reads_afresh=True)
    reply = yield from _timed_rounds(engine, prompt, afresh, ignore_end=ignore_end, clock=clock)
    reused = reply.stats.prompt_tokens - reply.stats.prefilled_tokens
    if reused > 0:
        raise EngineError(
            f"{reused} prompt tokens came from the cache of another reply, so the figures would be false.",
            "This is a mistake in SparkDesk; please report it.",
        )
    return reply


class Returning(Generic[Step, Result]):
    """A journey to loop over, that keeps what it returns; an early end of the loop ends it too."""

    result: Result

    def __init__(self, steps: Generator[Step, None, Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Step]:
        with closing(self._steps):
            self.result = yield from self._steps


def _timed_rounds(
    engine: Engine, prompt: tuple[int, ...], settings: GenerationSettings, *, ignore_end: bool, clock: Clock
) -> Generator[Prefilling | RoundDone, None, Reply]:
    tokens: list[int] = []
    rounds: list[Round] = []
    began_s, first_token_ms = clock(), 0.0
    with closing(engine.generate(prompt, settings, ignore_end)) as events:
        for event in events:
            if isinstance(event, Finished):
                return Reply(tuple(tokens), event.stop_reason, event.stats, tuple(rounds), first_token_ms)
            if isinstance(event, RoundDone):
                if not tokens and not rounds:
                    first_token_ms = 1e3 * (clock() - began_s)
                tokens += event.round.tokens
                if not event.round.is_first:
                    rounds.append(event.round)
            yield event
    raise AssertionError("a reply ends with Finished")
