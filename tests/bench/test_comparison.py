"""The comparison itself: fresh prompts, arms in turn, fixed seeds, and what happens to a prompt that is too long."""

from collections.abc import Callable, Generator, Sequence

import pytest

from sparkdesk.bench.comparison import ComparisonSettings, compare_replies, seed_of
from sparkdesk.bench.results import Comparison, Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone
from tests.bench.rounds import eight_tokens, lent_engine
from tests.reply_scripts import playing
from tests.scripted_engine import ScriptedEngine

PROMPTS = (Prompt("a", "x", "same start, a"), Prompt("b", "x", "same start, b"), Prompt("c", "y", "same start, c"))


def render(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def judge(prompt: tuple[int, ...], plain: Reply, speculative: Reply) -> Judgement:
    return Judgement("identical" if plain.tokens == speculative.tokens else "diverged")


def ticking() -> Callable[[], float]:
    ticks = iter(range(1_000_000))
    return lambda: float(next(ticks))


def measured(
    engine: ScriptedEngine, settings: ComparisonSettings | None = None, prompts: tuple[Prompt, ...] = PROMPTS
) -> list[Progress | Notice | Comparison]:
    chosen = settings or ComparisonSettings()
    return list(compare_replies(engine, prompts, chosen, render=render, judge=judge, clock=ticking()))


def test_every_arm_reads_its_whole_prompt() -> None:
    """The prompts share their beginning: what one left in the cache must not help the next."""
    engine = lent_engine()
    found = [event for event in measured(engine) if isinstance(event, Comparison)]
    assert [each.prompt_id for each in found] == ["a", "b", "c"]
    assert set(engine.reused) == {0}
    for each in found:
        assert each.plain.stats.prefilled_tokens == each.speculative.stats.prefilled_tokens == len("same start, a")
        assert each.gain == pytest.approx(2.0)


def test_a_token_prompt_that_begins_like_the_strange_text_is_fresh_too() -> None:
    for first in (0, 1, 2):
        engine = lent_engine()
        measured(engine, prompts=(Prompt("t", "tokens", "", (first, 5, 6)),))
        assert set(engine.reused) == {0}
        last = engine.requests[-1]
        assert last.tokens == (first, 5, 6) and last.ignore_end


def test_an_engine_that_reuses_all_the_same_is_found_out() -> None:
    with pytest.raises(EngineError, match="from the cache of another reply"):
        measured(lent_engine(forgets=False))


def test_the_arm_that_goes_first_alternates() -> None:
    engine = lent_engine()
    measured(engine, ComparisonSettings(max_tokens=9, repetitions=2))
    timed = [settings.speculation.is_enabled for settings in engine.settings if settings.max_tokens == 9]
    first = timed[::2]
    assert first == [False, True, False, True, False, True]
    assert [not each for each in first] == timed[1::2]


def test_greedy_replies_are_judged_and_sampled_ones_are_not() -> None:
    greedy = measured(lent_engine())
    assert [each.judgement for each in greedy if isinstance(each, Comparison)] == [Judgement("identical")] * 3
    warm = measured(lent_engine(), ComparisonSettings(sampling=SamplingSettings(temperature=0.7)))
    assert [each.judgement for each in warm if isinstance(each, Comparison)] == [None] * 3


def test_both_arms_of_a_sampled_prompt_have_its_seed() -> None:
    engine = lent_engine()
    warm = ComparisonSettings(max_tokens=9, sampling=SamplingSettings(temperature=0.7), repetitions=2)
    measured(engine, warm, PROMPTS[:2])
    seeds = [settings.sampling.seed for settings in engine.settings if settings.max_tokens == 9]
    assert seeds[::2] == seeds[1::2] == [seed_of(PROMPTS[i % 2], i // 2) for i in range(4)]
    assert len(set(seeds)) == 4


def test_the_draft_length_asked_for_is_that_of_the_speculative_arm() -> None:
    engine = lent_engine()
    measured(engine, ComparisonSettings(max_tokens=9, speculation=SpeculationSettings(True, 5)), PROMPTS[:1])
    asked = [settings.speculation for settings in engine.settings if settings.max_tokens == 9]
    assert asked == [SpeculationSettings(False), SpeculationSettings(True, 5)]


def test_a_prompt_too_long_for_the_context_is_left_out() -> None:
    engine = lent_engine(context_tokens=40)
    events = measured(engine, prompts=(PROMPTS[0], Prompt("long", "x", "x" * 50), PROMPTS[1]))
    assert [event.prompt_id for event in events if isinstance(event, Comparison)] == ["a", "b"]
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert notice.text.startswith("long is left out: The prompt has 50 tokens")


def test_progress_has_a_rate_and_an_end_and_comes_within_a_reply_too() -> None:
    """A reply may take a minute, and whoever waits wants to see it move, and to end it there."""
    progress = [event for event in measured(lent_engine()) if isinstance(event, Progress)]
    done = [event.done for event in progress]
    assert done == sorted(done) and {0, 1, 2} <= set(done) and 2.5 < done[-1] < 3
    assert len(done) > 3 * 10
    assert {(event.total, event.unit) for event in progress} == {(3, "prompts")}
    assert progress[-1].rate_per_second > 0


def test_closing_it_in_the_midst_of_a_reply_ends_the_reply() -> None:
    closed: list[int] = []

    class Watched(ScriptedEngine):
        def generate(
            self,
            tokens: Sequence[int],
            settings: GenerationSettings,
            ignore_end: bool = False,
            spells_control: bool = False,
        ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
            try:
                yield from super().generate(tokens, settings, ignore_end, spells_control)
            except GeneratorExit:
                closed.append(len(self.requests))
                raise

    engine = Watched(playing(eight_tokens), is_lent=True)
    events = compare_replies(engine, PROMPTS, ComparisonSettings(), render=render, judge=judge)
    assert next(event for event in events if isinstance(event, Progress) and event.done > 1)
    assert len(engine.requests) not in closed
    events.close()
    assert closed[-1] == len(engine.requests)


def test_the_first_token_is_timed_and_not_counted_as_a_round() -> None:
    (found,) = (event for event in measured(lent_engine(), prompts=PROMPTS[:1]) if isinstance(event, Comparison))
    assert found.plain.first_token_ms == 1000.0  # the clock ticks once a look
    assert len(found.plain.rounds) == 8 and len(found.speculative.rounds) == 2
    assert len(found.plain.tokens) == 9


def test_nothing_to_ask_is_nothing_to_do() -> None:
    assert measured(lent_engine(), prompts=()) == []
