"""Did speculation change the text? Compares a plain and a speculative answer token by token.

At the first difference the target itself is asked how close the two tokens were. Rounding differs with the number of
rows in a pass, so a near-tie may fall either way and both texts are right; anything wider is a bug.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.chat.engine import Engine

IDENTICAL, NEAR_TIE, DIVERGED = "identical", "near-tie", "diverged"

NOISE_MULTIPLE = 4.0
"""Two logits, each off by the noise, move their margin by twice as much; and the noise is the largest of a few samples,
not a bound, hence twice again."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One side of the comparison."""

    tokens: tuple[int, ...]
    stop_reason: str
    """"end" is a choice of the model's; every other reason cut the text."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two answers part: the token that each has there."""

    position: int
    plain: tuple[int, ...]
    """The token of the plain answer; all end tokens where it ended, because the answer does not say which it was."""
    speculative: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result, with its figures."""

    kind: str
    """"identical", "near-tie" or "diverged"."""
    position: int | None = None
    """Index of the first token that differs."""
    margin: float = 0.0
    """By how much the target prefers the plain token, in logits."""
    noise: float = 0.0


def compare_answers(engine: Engine, prompt: Sequence[int], *, plain: Answered, speculative: Answered) -> Verdict:
    """The verdict on two greedy answers to the same prompt tokens; asks the engine only where they differ."""
    assert engine.model is not None, "answers come from a loaded model"
    difference = first_difference(plain, speculative, end_tokens=engine.model.end_tokens)
    if difference is None:
        return Verdict(IDENTICAL)
    so_far = (*prompt, *plain.tokens[: difference.position])
    figures = [
        [engine.compare(so_far, first, second) for second in difference.speculative] for first in difference.plain
    ]
    # The best of one side against the best of the other: an answer that ended took its likeliest end token.
    margin = max(min(figure.margin for figure in against) for against in figures)
    return judge(difference.position, margin=margin, noise=max(figure.noise for row in figures for figure in row))


def first_difference(plain: Answered, speculative: Answered, *, end_tokens: tuple[int, ...]) -> Difference | None:
    """None when the texts are the same as far as both go: one may have been cut before the other."""
    pairs = zip(plain.tokens, speculative.tokens, strict=False)
    position = next((i for i, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
    if position is None:
        position = min(len(plain.tokens), len(speculative.tokens))
    ours = _choices_at(plain, position, end_tokens)
    theirs = _choices_at(speculative, position, end_tokens)
    return None if not ours or not theirs or ours == theirs else Difference(position, ours, theirs)


def judge(position: int, *, margin: float, noise: float) -> Verdict:
    kind = NEAR_TIE if abs(margin) <= NOISE_MULTIPLE * noise else DIVERGED
    return Verdict(kind, position, margin, noise)


def _choices_at(answer: Answered, position: int, end_tokens: tuple[int, ...]) -> tuple[int, ...]:
    """What the model chose there; nothing where the answer was cut."""
    if position < len(answer.tokens):
        return (answer.tokens[position],)
    return end_tokens if answer.stop_reason == "end" else ()
