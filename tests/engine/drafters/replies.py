"""One reply of a drafter's pair, for the tests of every kind."""

from collections.abc import Sequence

from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.engine.tables import Run, collect

GREEDY = SamplingSettings(temperature=0)


def answer(
    pair: Pair, prompt: Sequence[int], *, length: int | None, sampling: SamplingSettings = GREEDY, max_tokens: int = 60
) -> Run:
    speculation = SpeculationSettings(is_enabled=length != 0, draft_length=length or None)
    settings = GenerationSettings(max_tokens=max_tokens, sampling=sampling, speculation=speculation)
    return collect(generate(pair, prompt, settings, Control(speculation)))
