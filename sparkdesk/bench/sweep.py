"""What passes cost inside the loop: replies at every draft length in turn, and the time each of their rounds took.

In the loop, because a batch repeated on its own is cheaper there than between a draft and an absorb.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from time import perf_counter

from sparkdesk.bench.duel import Render
from sparkdesk.bench.engine import Clock, Engine, fresh_reply
from sparkdesk.bench.replies import Reply
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
            yield Progress(name, done + place / len(lengths), len(asked), "prompts", rate)
            settings = GenerationSettings(
                max_tokens=max_tokens,
                sampling=SamplingSettings(temperature=0.0),
                speculation=SpeculationSettings(length > PLAIN, length or None),
            )
            try:
                reply = fresh_reply(engine, tokens, settings, ignore_end=bool(prompt.tokens), clock=clock)
            except ContextFull as error:
                yield Notice(f"{prompt.id} is left out: {error.message}")
                break
            yield Swept(length, reply)
