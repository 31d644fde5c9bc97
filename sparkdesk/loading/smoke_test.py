"""Lets a pair answer three prompts, plainly and with speculation: the proof that target and draft work together."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkdesk.errors import EngineError, PairMismatch
from sparkdesk.events import Notice, Progress
from sparkdesk.loading import bench_adapters

if TYPE_CHECKING:
    from sparkdesk.bench.race import Race
    from sparkdesk.bench.results import Judgement
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.engine.settings import LoadSettings
    from sparkdesk.loading.choice import ChosenPair
    from sparkdesk.runner.client import EngineClient

PROMPTS = (
    "Count from 1 to 40.",
    "Write a Python function that adds up the numbers in a list.",
    "Why is the sky blue? Answer in a few sentences.",
)
_MAX_TOKENS = 48
_HARDLY_ANY = 0.1
"""Share of blocks whose first token is right, below which no draft can gain: sound ones have .5 even on prose, those of
another target or of another quantization a few in a hundred."""
_TRYING = "Trying the pair"


@dataclass(frozen=True, slots=True)
class Verified:
    model: "ModelInfo"
    asked: "Sequence[tuple[str, Race]]"

    @property
    def verdict(self) -> str:
        """The worst of all."""
        from sparkdesk.bench.results import KINDS

        return max((judged(found).kind for _, found in self.asked), key=KINDS.index)

    @property
    def accepted_length(self) -> float:
        stats = [found.speculative.reply.stats for _, found in self.asked]
        return _ratio(sum(each.decoded for each in stats), sum(each.rounds for each in stats))

    @property
    def acceptance(self) -> float:
        """Of the first drafted tokens of all blocks, the share that was right; 0 where nothing was drafted."""
        return next(iter(self.acceptance_by_position), 0.0)

    @property
    def acceptance_by_position(self) -> list[float]:
        """Of the drafted tokens that were looked at at each position, the share that was right."""
        stats = [found.speculative.reply.stats for _, found in self.asked]
        return [
            _ratio(
                sum(sum(each.accepted_by_position[i : i + 1]) for each in stats),
                sum(sum(each.verified_by_position[i : i + 1]) for each in stats),
            )
            for i in range(max(len(each.verified_by_position) for each in stats))
        ]

    @property
    def warning(self) -> str:
        if self.acceptance >= _HARDLY_ANY:
            return ""
        return (
            f"Hardly any drafted token was accepted ({self.acceptance:.1%} of the first of each block): the draft may "
            "belong to another target or to another quantization of it, or one of the two was converted wrongly. The "
            "target answers without it: --drafter context."
        )

    @property
    def sentence(self) -> str:
        return self.warning or f"Tested: {self.verdict}, accepted length {self.accepted_length:.2f}."


def trying(
    engine: "EngineClient", pair: "ChosenPair", how: "LoadSettings"
) -> Generator[Progress | Notice, None, Verified]:
    """Loads the pair in the engine, which is closed in the end. Raises EngineError."""
    from sparkdesk.engine.settings import SpeculationSettings
    from sparkdesk.loading.loading import open_pair

    with engine:
        model = yield from open_pair(engine, pair, how=how, speculation=SpeculationSettings())
        if model.draft_problem:
            raise PairMismatch(model.draft_problem)
        asked = []
        for number, prompt in enumerate(PROMPTS):
            asked.append((prompt, (yield from _raced(engine, prompt, model, done=number))))
        return Verified(model, asked)


def judged(found: "Race") -> "Judgement":
    """Greedy races are."""
    assert found.judgement is not None
    return found.judgement


def refuse_divergence(found: Verified) -> None:
    """Raises EngineError."""
    if found.verdict == "diverged":
        raise EngineError(
            "With speculation the text is another than without it, by more than rounding explains.",
            "Please report it, with the JSON of sparkdesk convert verify --json; plain decoding is not affected.",
        )


def _raced(engine: "EngineClient", prompt: str, model: "ModelInfo", *, done: int) -> Generator[Progress, None, "Race"]:
    from sparkdesk.bench.race import RACE_DOMAIN, Race, RaceSettings, race
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.engine.settings import SpeculationSettings

    # The whole block every time: the scheduler would leave out what it expects little of.
    whole = SpeculationSettings(is_enabled=True, draft_length=model.block_size)
    settings = RaceSettings(max_tokens=_MAX_TOKENS, speculation=whole)
    events = race(
        engine,
        Prompt(RACE_DOMAIN, RACE_DOMAIN, prompt),
        settings,
        render=bench_adapters.renderer(engine, settings.sampling),
        judge=bench_adapters.judge(engine),
    )
    with closing(events):
        for event in events:
            if isinstance(event, Race):
                return event
            yield Progress(_TRYING, done, len(PROMPTS), "prompts")
    raise AssertionError("a race ends with its result")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
