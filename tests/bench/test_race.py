"""The race: both arms from an empty cache, kept round by round, and what of a lane can be seen when."""

import pytest
from msgspec.structs import replace

from sparkdesk.bench.race import PLAIN, SPECULATIVE, ArmAdvanced, Judging, Race, RaceEvent, RaceSettings, race
from sparkdesk.bench.race_arm import Piece, arm_of, seen_at
from sparkdesk.bench.results import Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull
from sparkdesk.runner.protocol import RoundDone
from tests.bench.rounds import lent_engine, reply
from tests.scripted_engine import ScriptedEngine

PROMPT = Prompt("race", "race", "Count to nine.")


def judge(prompt: tuple[int, ...], plain: Reply, speculative: Reply) -> Judgement:
    return Judgement("identical" if plain.tokens == speculative.tokens else "diverged")


def raced(engine: ScriptedEngine, settings: RaceSettings | None = None) -> list[RaceEvent]:
    chosen = settings or RaceSettings(max_tokens=9)
    return list(race(engine, PROMPT, chosen, render=lambda text: tuple(map(ord, text)), judge=judge))


def test_both_arms_read_the_whole_prompt_and_the_result_comes_last() -> None:
    engine = lent_engine()
    found = raced(engine)[-1]
    assert isinstance(found, Race)
    assert set(engine.reused) == {0}
    assert found.gain == pytest.approx(2.0)
    # Ten ms of prefill in both; eight tokens in 80 ms and in 40.
    assert (found.plain.finish_ms, found.speculative.finish_ms) == (90.0, 50.0)
    assert found.saved_ms == pytest.approx(40.0)
    assert found.judgement == Judgement("identical") and found.accepted_length == 4.0


def test_each_arm_is_told_as_it_goes_in_the_order_that_was_asked_for() -> None:
    for is_plain_first, order in ((True, [PLAIN, SPECULATIVE]), (False, [SPECULATIVE, PLAIN])):
        events = raced(lent_engine(), RaceSettings(max_tokens=9, is_plain_first=is_plain_first))
        told = [event for event in events if isinstance(event, ArmAdvanced)]
        assert list(dict.fromkeys(event.arm for event in told)) == order
        assert [event.generated for event in told if event.arm == PLAIN][-1] == 9
        assert isinstance(events[-2], Judging)
        found = events[-1]
        assert isinstance(found, Race) and found.is_plain_first == is_plain_first


def test_a_sampled_race_gives_both_arms_one_seed_and_no_verdict() -> None:
    engine = lent_engine()
    warm = RaceSettings(max_tokens=9, sampling=SamplingSettings(temperature=0.7, seed=5))
    found = raced(engine, warm)[-1]
    assert isinstance(found, Race) and found.judgement is None and found.temperature == 0.7
    assert [settings.sampling.seed for settings in engine.settings if settings.max_tokens == 9] == [5, 5]


def test_the_speculative_arm_gets_the_draft_length_asked_for() -> None:
    engine = lent_engine()
    raced(engine, RaceSettings(max_tokens=9, speculation=SpeculationSettings(True, 3)))
    asked = [settings.speculation for settings in engine.settings if settings.max_tokens == 9]
    assert asked == [SpeculationSettings(False), SpeculationSettings(True, 3)]


def test_a_prompt_too_long_is_refused() -> None:
    with pytest.raises(ContextFull):
        raced(lent_engine(context_tokens=10))


FIRST = RoundDone(Round((1,), (False,), is_first=True), (b"One",))
BLOCK = RoundDone(Round((2, 3), (True, False), verify_ms=30.0, draft_ms=10.0), (b" two", b" thr\xc3"))
LAST = RoundDone(Round((4,), (False,), verify_ms=20.0, has_end=True), (b"\xa9e",))
LANE = arm_of(reply([BLOCK.round, LAST.round]), (FIRST, BLOCK, LAST))


def test_a_lane_has_every_token_with_whole_characters_and_its_origin() -> None:
    assert [step.at_ms for step in LANE.steps] == [10.0, 50.0, 70.0]
    assert [step.total_tokens for step in LANE.steps] == [1, 3, 5]
    assert LANE.steps[1].pieces == (Piece(" two", True), Piece(" thr", False))
    assert LANE.text == "One two thrée"


def test_half_a_character_at_the_end_is_shown_as_such() -> None:
    assert arm_of(reply([]), (replace(FIRST, pieces=(b"One\xc3",)),)).text == "One\ufffd"


@pytest.mark.parametrize(
    ("at_ms", "steps", "tokens", "is_finished"),
    [(0, 0, 0, False), (9.9, 0, 0, False), (10, 1, 1, False), (49, 1, 1, False), (50, 2, 3, False), (70, 3, 5, True)],
)
def test_a_round_is_seen_when_it_is_over_and_not_before(
    at_ms: float, steps: int, tokens: int, is_finished: bool
) -> None:
    seen = seen_at(LANE, at_ms)
    assert (seen.steps, seen.tokens, seen.is_finished) == (steps, tokens, is_finished)
    assert seen.share == tokens / 5


def test_the_live_speed_counts_decoding_alone_and_ends_at_the_replys_own() -> None:
    assert seen_at(LANE, 10).tokens_per_second == 0
    assert seen_at(LANE, 60).tokens_per_second == pytest.approx(1e3 * 2 / 50)
    assert seen_at(LANE, 1e9).tokens_per_second == LANE.reply.stats.tokens_per_second


def test_the_live_speed_forgets_what_is_long_past() -> None:
    slow = [RoundDone(Round((1,), (False,), verify_ms=200.0), (b"a",)) for _ in range(10)]
    fast = [RoundDone(Round((1,), (False,), verify_ms=20.0), (b"a",)) for _ in range(100)]
    arm = arm_of(reply([each.round for each in (*slow, *fast)]), (FIRST, *slow, *fast))
    assert seen_at(arm, 2010 - 1).tokens_per_second == pytest.approx(5, rel=0.3)
    assert seen_at(arm, 3500).tokens_per_second == pytest.approx(50, rel=0.1)


def test_an_empty_lane_is_over_at_once() -> None:
    arm = arm_of(reply([]), ())
    assert seen_at(arm, 0).is_finished and arm.finish_ms == 10.0 and arm.ms_per_token == 0.0
