"""What passes cost inside the loop: replies at every draft length in turn, and the time each of their rounds took.

In the loop, because a batch repeated on its own is cheaper there than between a draft and an absorb.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from time import perf_counter

from sparkdesk.bench.comparison import Render
from sparkdesk.bench.engine import Clock, Engine, Returning, fresh_rounds
from sparkdesk.bench.results import Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull
from sparkdesk.events import Notice, Progress

STEP = "Measuring the cost curves"
PLAIN = 0


@dataclass(frozen=True, slots=True)
class Swept:
    """One reply at a fixed draft length; 0 is plain decoding."""

    length: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Tuned:
    """One reply whose draft lengths the scheduler chose."""

    reply: Reply


def sweep(
    engine: Engine,
    prompts: Sequence[Prompt],
    *,
    max_tokens: int,
    render: Render,
    repetitions: int = 1,
    clock: Clock = perf_counter,
) -> Generator[Progress | Notice | Swept, None, None]:
    """Greedy replies to every prompt at every length, each prompt beginning with another length. Raises EngineError."""
    assert engine.model is not None, "a sweep is of a loaded pair"
    lengths = range(engine.model.block_size + 1)
    asked = [prompt for _ in range(repetitions) for prompt in prompts]
    began_s = clock()
    for done, prompt in enumerate(asked):
        elapsed_s = clock() - began_s
        rate = done / elapsed_s if elapsed_s > 0 else 0.0
        tokens = prompt.tokens or render(prompt.text)
        for place in lengths:
            length = (place + done) % len(lengths)
            name = f"{STEP}: draft length {length}"
            at = Progress(name, done + place / len(lengths), len(asked), "prompts", rate)
            yield at
            settings = GenerationSettings(
                max_tokens=max_tokens,
                sampling=SamplingSettings(temperature=0.0),
                speculation=SpeculationSettings(length > PLAIN, length or None),
            )
            steps = Returning(fresh_rounds(engine, tokens, settings, ignore_end=bool(prompt.tokens), clock=clock))
            try:
                for _ in steps:
                    yield at  # so that it can be ended in the midst of a reply
            except ContextFull as error:
                yield Notice(f"{prompt.id} is left out: {error.message}")
                break
            yield Swept(length, steps.result)


def tuned_replies(
    engine: Engine, prompts: Sequence[Prompt], *, max_tokens: int, render: Render, clock: Clock = perf_counter
) -> Generator[Progress | Notice | Tuned, None, None]:
    """Greedy replies with what the scheduler makes of each prompt, to be held against a sweep. Raises EngineError."""
    settings = GenerationSettings(
        max_tokens=max_tokens, sampling=SamplingSettings(temperature=0.0), speculation=SpeculationSettings()
    )
    for done, prompt in enumerate(prompts):
        at = Progress(f"{STEP}: left to the scheduler", done, len(prompts), "prompts")
        tokens = prompt.tokens or render(prompt.text)
        steps = Returning(fresh_rounds(engine, tokens, settings, ignore_end=bool(prompt.tokens), clock=clock))
        try:
            for _ in steps:
                yield at
        except ContextFull as error:
            yield Notice(f"{prompt.id} is left out: {error.message}")
            continue
        yield Tuned(steps.result)
