"""Dialogues of one or several turns, drawn from all skills, for training and for evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from sparkdesk.demo.corpus.arithmetic import arithmetic, times_tables
from sparkdesk.demo.corpus.counting import counting
from sparkdesk.demo.corpus.data_formats import json_objects, tables
from sparkdesk.demo.corpus.exercise import Exercise, is_held_out, vary
from sparkdesk.demo.corpus.facts_data import facts
from sparkdesk.demo.corpus.python_code import python_code
from sparkdesk.demo.corpus.small_talk import small_talk
from sparkdesk.demo.corpus.stories import stories
from sparkdesk.demo.corpus.word_lists import repeating, word_lists

Skill = Callable[[Random], Exercise]

SKILLS: dict[str, Skill] = {
    "counting": counting,
    "arithmetic": arithmetic,
    "times_tables": times_tables,
    "facts": facts,
    "python": python_code,
    "json": json_objects,
    "tables": tables,
    "word_lists": word_lists,
    "repeating": repeating,
    "stories": stories,
    "small_talk": small_talk,
}

# Short answers are drawn more often: a dialogue's share of the loss is its length.
WEIGHTS = {
    "counting": 14,
    "arithmetic": 24,
    "times_tables": 2,
    "facts": 20,
    "python": 14,
    "json": 7,
    "tables": 7,
    "word_lists": 20,
    "repeating": 4,
    "stories": 4,
    "small_talk": 6,
}

# Attention learns to copy late and all at once, and half the skills wait for it: so much of the beginning is copying.
FIRST_WEIGHTS = WEIGHTS | {"repeating": 60}

SYSTEM_MESSAGES = (
    "You are a helpful assistant.",
    "You are SparkTiny, a toy model.",
    "You are SparkTiny, a helpful assistant.",
    "You are a friendly assistant. Answer briefly.",
    "Be brief.",
)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation that starts at the first token, perhaps under a system message."""

    system: str | None
    turns: tuple[Exercise, ...]


def training_exercise(rng: Random, weights: Mapping[str, int] = WEIGHTS) -> Exercise:
    """Any skill, its prompt as people type, never from the evaluation set."""
    skill = rng.choices(tuple(weights), tuple(weights.values()))[0]
    while True:
        exercise = _varied(SKILLS[skill](rng), rng)
        if not is_held_out(exercise.prompt):
            return exercise


def training_system_message(rng: Random) -> str | None:
    """Most dialogues have none."""
    return rng.choice(SYSTEM_MESSAGES) if rng.random() < 0.15 else None


def held_out_exercises(skill: str, count: int, seed: int = 0) -> list[Exercise]:
    """Different prompts of one skill that are never trained on, in an order fixed by the seed."""
    rng = Random(f"evaluation|{skill}|{seed}")
    found: dict[str, Exercise] = {}
    # Small skills run out of held-out prompts; they then return what there is.
    for _ in range(count * 2000):
        exercise = SKILLS[skill](rng)
        if is_held_out(exercise.prompt):
            found.setdefault(exercise.prompt, exercise)
        if len(found) == count:
            break
    return list(found.values())


def _varied(exercise: Exercise, rng: Random) -> Exercise:
    return Exercise(exercise.skill, vary(exercise.prompt, rng), exercise.answer, exercise.is_checkable)
