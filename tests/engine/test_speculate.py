"""The loop over scripted parts: provenance, cache positions, ends, toggles."""

from collections.abc import Iterator

import pytest

from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from sparkdesk.engine.stats import Outcome
from sparkdesk.errors import ContextFull, EngineError
from tests.engine.tables import ScriptedPair, collect, cycle_pair, run, step_by_step

GREEDY = SamplingSettings(temperature=0)


def events(pair: ScriptedPair, prompt: list[int], control: Control, max_tokens: int = 40) -> Iterator[object]:
    settings = GenerationSettings(max_tokens=max_tokens, sampling=GREEDY, speculation=control.speculation)
    return generate(pair, prompt, settings, control)


@pytest.mark.parametrize("length", range(8))
@pytest.mark.parametrize("wrong", [(), (3, 4, 9, 10, 11), tuple(range(16))], ids=["all right", "some", "all wrong"])
def test_greedy_output_equals_plain_decoding(length: int, wrong: tuple[int, ...]) -> None:
    """A wrong acceptance or a lost bonus token changes the text."""
    plain = run(cycle_pair(), [1, 2], length=0).tokens
    assert run(cycle_pair(wrong=wrong), [1, 2], length=length).tokens == plain
    assert plain == tuple((3 + i) % 16 for i in range(40))


@pytest.mark.parametrize("length", range(1, 8))
@pytest.mark.parametrize("wrong", [(), (3, 9), tuple(range(16))], ids=["right", "mostly right", "wrong"])
def test_a_draft_token_by_token_gives_the_same_text(length: int, wrong: tuple[int, ...]) -> None:
    done = run(step_by_step(cycle_pair(wrong=wrong)), [1, 2], length=length)
    assert done.tokens == run(cycle_pair(), [1, 2], length=0).tokens
    block = run(cycle_pair(wrong=wrong), [1, 2], length=length)
    assert [r.accepted for r in done.rounds] == [r.accepted for r in block.rounds]


def test_each_token_says_where_it_came_from() -> None:
    """The draft is wrong after token 5, so a round of three breaks off there and the target's own token follows."""
    rounds = run(cycle_pair(wrong=[5]), [1], length=3, max_tokens=9).rounds
    assert [r.tokens for r in rounds] == [(2,), (3, 4, 5, 6), (7, 8, 9, 10)]
    rounds = run(cycle_pair(wrong=[4]), [1], length=3, max_tokens=9).rounds
    assert [r.tokens for r in rounds] == [(2,), (3, 4, 5), (6, 7, 8, 9), (10,)]
    assert [r.is_drafted for r in rounds[:3]] == [(False,), (True, True, False), (True, True, True, False)]
    assert [(r.drafted, r.verified, r.accepted) for r in rounds[:3]] == [(0, 0, 0), (3, 3, 2), (3, 3, 3)]


def test_a_first_token_costs_no_round() -> None:
    done = run(cycle_pair(), [1], length=3, max_tokens=9)
    assert done.rounds[0].is_first
    assert done.outcome.stats.rounds == 2
    assert done.outcome.stats.accepted_length == 4.0
    assert done.outcome.stats.acceptance_by_position == (1.0, 1.0, 1.0)


def test_a_reply_never_exceeds_what_was_asked_for() -> None:
    for max_tokens in range(1, 12):
        done = run(cycle_pair(), [1], length=7, max_tokens=max_tokens)
        assert len(done.tokens) == max_tokens
        assert done.outcome.stop_reason == "length"


def test_a_reply_ends_before_its_stop_token_even_inside_an_accepted_block() -> None:
    pair = cycle_pair()
    done = run(pair, [1], length=7, stop_tokens=frozenset({6}))
    assert done.tokens == (2, 3, 4, 5)
    assert done.outcome.stop_reason == "end"
    assert pair.target.tokens == [1, 2, 3, 4, 5]
    assert done.outcome.stats.accepted_length == 4.0, "the end token was gained too"
    assert pair.drafter is not None and pair.drafter.length == 5


def test_plain_decoding_of_a_reply_that_ends_has_an_accepted_length_of_one() -> None:
    assert run(cycle_pair(), [1], length=0, stop_tokens=frozenset({6})).outcome.stats.accepted_length == 1.0


def test_a_stop_token_as_first_token_gives_an_empty_reply() -> None:
    done = run(cycle_pair(), [1], length=3, stop_tokens=frozenset({2}))
    assert done.tokens == () and done.outcome.stop_reason == "end" and done.outcome.stats.generated == 0


def test_the_context_is_filled_to_its_last_token_and_not_beyond() -> None:
    """The scripted target refuses to decode beyond its context."""
    for length in (0, 3, 7):
        done = run(cycle_pair(context_tokens=20), [1, 2, 3], length=length, max_tokens=0)
        assert done.outcome.stop_reason == "context"
        assert len(done.tokens) == 18


def test_prompts_that_cannot_be_answered_are_refused() -> None:
    with pytest.raises(ContextFull, match="20 tokens, the context holds 20"):
        run(cycle_pair(context_tokens=20), [1] * 20, length=3)
    with pytest.raises(EngineError, match="Token 99 is not in the vocabulary"):
        run(cycle_pair(), [1, 99], length=3)
    with pytest.raises(EngineError, match="empty"):
        run(cycle_pair(), [], length=3)


def test_the_next_turn_decodes_only_what_is_new() -> None:
    pair = cycle_pair()
    first = run(pair, [1, 2, 3], length=3, max_tokens=10)
    again = run(pair, [1, 2, 3, *first.tokens, 7, 7], length=3, max_tokens=5)
    assert again.outcome.stats.prefilled_tokens == 3  # the last token of the reply was never decoded
    other = run(pair, [1, 2, 9], length=3, max_tokens=5)
    assert other.outcome.stats.prefilled_tokens == 1


@pytest.mark.parametrize("stop_after", range(1, 12))
def test_a_reply_closed_early_leaves_both_caches_usable(stop_after: int) -> None:
    """The scripted drafter notices a feature row that is missing or at the wrong place."""
    pair = cycle_pair(wrong=[4, 5, 11])
    stream = events(pair, [1, 2, 3], Control(SpeculationSettings(draft_length=3)))
    for _ in range(stop_after):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert run(pair, [1, 2, 3, 4, 5], length=3).tokens == run(cycle_pair(), [1, 2, 3, 4, 5], length=0).tokens


def test_a_pass_that_fails_in_mid_reply_leaves_both_caches_usable() -> None:
    pair = cycle_pair(wrong=[4])
    decode, calls = pair.target.decode, iter(range(99))

    def failing(tokens: list[int], *, all_rows: bool) -> object:
        rows = decode(tokens, all_rows=all_rows)
        if next(calls) == 3:
            raise EngineError("the device is gone")
        return rows

    pair.target.decode = failing  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineError):
        run(pair, [1, 2, 3], length=3)
    assert run(pair, [1, 2, 3], length=3).tokens == run(cycle_pair(), [1, 2, 3], length=0).tokens


def test_cancelling_ends_the_reply_after_the_round_in_progress() -> None:
    control = Control(SpeculationSettings(draft_length=3))
    seen = []
    for event in events(cycle_pair(), [1], control):
        seen.append(event)
        control.is_cancelled = sum(isinstance(e, Round) for e in seen) == 3
    assert sum(isinstance(e, Round) for e in seen) == 3
    assert getattr(seen[-1], "stop_reason", "") == "cancelled"


def test_a_cancelled_prefill_gives_no_token() -> None:
    control = Control(SpeculationSettings(draft_length=3))
    control.is_cancelled = True
    done = collect(events(cycle_pair(), [1, 2], control))  # type: ignore[arg-type]
    assert done.tokens == () and done.outcome.stop_reason == "cancelled"


def test_speculation_can_be_switched_in_mid_reply_without_a_new_prefill() -> None:
    """Rows decoded while it is off must reach the draft in one absorb when it comes back."""
    pair, control = cycle_pair(), Control(SpeculationSettings(draft_length=3))
    rounds: list[Round] = []
    for event in events(pair, [1, 2], control, max_tokens=60):
        if isinstance(event, Round):
            rounds.append(event)
            control.speculation = SpeculationSettings(is_enabled=not 4 <= len(rounds) < 10, draft_length=3)
    assert [len(r.tokens) for r in rounds[1:4]] == [4, 4, 4]
    assert [len(r.tokens) for r in rounds[4:10]] == [1] * 6
    assert [len(r.tokens) for r in rounds[10:14]] == [4, 4, 4, 4]
    assert pair.target.decoded_rows == 2 + 4 * sum(r.verified == 3 for r in rounds) + sum(
        r.verified + 1 for r in rounds[1:] if r.verified != 3
    )


def test_a_pair_without_a_draft_decodes_plainly() -> None:
    pair = cycle_pair()
    pair.drafter = None
    done = run(pair, [1, 2], length=3)
    assert done.tokens == run(cycle_pair(), [1, 2], length=0).tokens
    assert done.outcome.stats.accepted_length == 1.0


def test_a_pair_without_a_draft_repeats_the_context_when_tuned_and_only_then() -> None:
    tuned = SpeculationSettings()
    for speculation, has_lookups in ((tuned, True), (SpeculationSettings(is_enabled=False), False)):
        pair = cycle_pair()
        pair.drafter = None
        done = run(pair, [1, 2], length=0, max_tokens=200, speculation=speculation)
        assert done.tokens == run(cycle_pair(), [1, 2], length=0, max_tokens=200).tokens
        assert bool(done.outcome.stats.from_context) == has_lookups


def test_penalties_apply_inside_a_block_as_they_do_in_plain_decoding() -> None:
    """A drafted token must count as said for the row after it."""
    sampling = SamplingSettings(temperature=0, repeat_penalty=3.0, presence_penalty=2.0, frequency_penalty=0.5)
    for length in range(1, 8):
        drafted = run(cycle_pair(5), [1], length=length, max_tokens=60, sampling=sampling).tokens
        assert drafted == run(cycle_pair(5), [1], length=0, max_tokens=60, sampling=sampling).tokens


def test_a_reply_cancelled_while_it_waited_leaves_the_caches_alone() -> None:
    """Somebody else's conversation is in them, and it goes on."""
    pair = cycle_pair()
    run(pair, [1, 2, 3], length=3, max_tokens=5)
    held = list(pair.target.tokens)
    control = Control(SpeculationSettings())
    control.is_cancelled = True
    (only,) = generate(pair, [9, 9], GenerationSettings(), control)
    assert isinstance(only, Outcome) and only.stop_reason == "cancelled"
    assert pair.target.tokens == held
