"""Saying again what was said: the plainest copying, which every other skill builds on."""

from random import Random

from sparkdesk.demo.corpus.exercise import Exercise
from sparkdesk.demo.corpus.words import CITIES, COLOURS, JOBS, NAMES, NOUNS, invented_word

_ASK = ("Repeat: {w}", "Repeat after me: {w}", "Say this again: {w}", "Copy this: {w}", "Write this once more: {w}")
_POOL = (*NAMES, *CITIES, *JOBS, *COLOURS, *NOUNS)
_SEPARATORS = (" ", " ", ", ", "\n", "-")


def repeating(rng: Random) -> Exercise:
    """Words, invented words and numbers in no order that could be guessed."""
    count = rng.choices((rng.randint(1, 6), rng.randint(6, 10)))[0]
    text = rng.choice(_SEPARATORS).join(_item(rng) for _ in range(count))
    return Exercise("repeating", rng.choice(_ASK).format(w=text), text)


def _item(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.8:
        return rng.choice(_POOL)
    return invented_word(rng) if kind < 0.86 else str(rng.randint(0, 999))
