"""Identical, near-tie or diverged: the verdict on two answers, with the engine asked only where they differ."""

from dataclasses import replace

import pytest

from sparkdesk.chat.verdict import (
    DIVERGED,
    IDENTICAL,
    NEAR_TIE,
    Answered,
    Difference,
    compare_answers,
    first_difference,
    judge,
)
from sparkdesk.runner.protocol import Compared
from tests.reply_scripts import saying
from tests.scripted_engine import END, ScriptedEngine

ENDS = (90, 91)


@pytest.mark.parametrize(
    ("plain", "speculative", "difference"),
    [
        (Answered((1, 2), "end"), Answered((1, 2), "end"), None),
        (Answered((), "end"), Answered((), "end"), None),
        (Answered((1, 2, 3), "end"), Answered((1, 5, 3), "end"), Difference(1, (2,), (5,))),
        (Answered((1, 2), "length"), Answered((1, 2, 3), "end"), None),
        (Answered((1,), "cancelled"), Answered((1, 2, 3), "end"), None),
        (Answered((1, 2), "end"), Answered((1, 2, 3), "length"), Difference(2, ENDS, (3,))),
        (Answered((1, 2, 3), "length"), Answered((1, 2), "end"), Difference(2, (3,), ENDS)),
        (Answered((1, 2), "length"), Answered((1, 2), "end"), None),
    ],
)
def test_the_first_difference_is_found(plain: Answered, speculative: Answered, difference: Difference | None) -> None:
    """A text that was cut agrees as far as it goes; a text that ended chose to end there."""
    assert first_difference(plain, speculative, end_tokens=ENDS) == difference


@pytest.mark.parametrize(
    ("margin", "noise", "kind"),
    [
        (0.0, 0.0, NEAR_TIE),
        (1e-6, 0.0, DIVERGED),
        (0.04, 0.01, NEAR_TIE),
        (-0.04, 0.01, NEAR_TIE),
        (0.05, 0.01, DIVERGED),
        (-3.0, 0.01, DIVERGED),
    ],
)
def test_a_difference_within_the_noise_is_a_near_tie(margin: float, noise: float, kind: str) -> None:
    """Calling rounding a bug would accuse every quantized model; calling a bug rounding would hide it."""
    assert judge(3, margin=margin, noise=noise).kind == kind


def test_the_engine_is_asked_at_the_difference_only() -> None:
    engine = ScriptedEngine(saying(), margins={(2, 5): Compared(0.01, 0.02)})
    verdict = compare_answers(engine, (7, 8), plain=Answered((1, 2, 3), "end"), speculative=Answered((1, 5, 3), "end"))
    assert engine.compared == [((7, 8, 1), 2, 5)]
    assert (verdict.kind, verdict.position, verdict.margin, verdict.noise) == (NEAR_TIE, 1, 0.01, 0.02)


def test_equal_answers_cost_no_question() -> None:
    engine = ScriptedEngine(saying())
    same = Answered((1, 2), "end")
    assert compare_answers(engine, (7,), plain=same, speculative=same).kind == IDENTICAL
    assert not engine.compared


def test_an_answer_that_ended_is_measured_by_its_likeliest_end_token() -> None:
    """A model has several; an unlikely one that happens to be close to the other token would hide a bug."""
    engine = ScriptedEngine(saying(), margins={(END, 5): Compared(4.0, 0.01), (91, 5): Compared(0.001, 0.01)})
    assert engine.model is not None
    engine.model = replace(engine.model, end_tokens=(END, 91))
    verdict = compare_answers(engine, (7,), plain=Answered((1,), "end"), speculative=Answered((1, 5), "length"))
    assert (verdict.kind, verdict.margin) == (DIVERGED, 4.0)
