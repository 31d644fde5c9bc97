"""The corpus: the same from the same seed, its evaluation prompts never trained on, its answers right."""

import csv
import io
import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from sparkdesk.demo.corpus.dialogue import FIRST_WEIGHTS, SKILLS, WEIGHTS, held_out_exercises, training_exercise
from sparkdesk.demo.corpus.exercise import Exercise, accepts, is_held_out, normal_form, vary
from sparkdesk.demo.corpus.facts_data import every_fact

CHECKABLE = [skill for skill in SKILLS if held_out_exercises(skill, 1)[0].is_checkable]
FIRST_WORDS = (
    "hello",
    "Hi",
    "hey",
    "Who are you?",
    "What can you do?",
    "help",
    "count to 100",
    "thanks",
    "Tell me a story.",
)


def drawn(skill: str, count: int = 300) -> list[Exercise]:
    rng = Random(f"test|{skill}")
    return [SKILLS[skill](rng) for _ in range(count)]


def code_of(exercise: Exercise) -> str:
    return exercise.answer.removeprefix("```python\n").removesuffix("\n```")


def test_the_same_seed_gives_the_same_exercises() -> None:
    assert [training_exercise(Random(7)) for _ in range(200)] == [training_exercise(Random(7)) for _ in range(200)]
    assert training_exercise(Random(7)) != training_exercise(Random(8))


def test_every_skill_is_trained_and_only_known_ones_are_weighted() -> None:
    assert set(WEIGHTS) == set(FIRST_WEIGHTS) == set(SKILLS)
    assert {training_exercise(rng).skill for rng in [Random(0)] for _ in range(2000)} == set(SKILLS)


@pytest.mark.parametrize("skill", SKILLS)
def test_held_out_prompts_never_occur_in_training(skill: str) -> None:
    """The prompts as typed, and also their polite and careless variants."""
    rng = Random(3)
    trained = {normal_form(training_exercise(rng, {skill: 1}).prompt) for _ in range(3000)}
    held_out = {normal_form(exercise.prompt) for exercise in held_out_exercises(skill, 60)}
    assert held_out
    assert not trained & held_out


@pytest.mark.parametrize(
    "prompt", ["Count from 3 to 9.", "What is the capital of France?", "Sort these words: nest, apple", "Hello"]
)
def test_a_prompt_and_its_variants_fall_on_the_same_side(prompt: str) -> None:
    rng = Random(0)
    assert {normal_form(vary(prompt, rng)) for _ in range(200)} == {normal_form(prompt)}


@pytest.mark.parametrize("prompt", FIRST_WORDS)
def test_what_people_type_first_is_trained_on(prompt: str) -> None:
    assert not is_held_out(prompt)


def test_every_fact_is_trained_on_in_some_words() -> None:
    """Phrasings are held out, facts never: nobody can know the capital of a country it never heard of."""
    for phrasings in every_fact():
        assert not all(is_held_out(exercise.prompt) for exercise in phrasings), phrasings[0]


def test_there_are_a_few_hundred_facts_each_with_one_answer() -> None:
    answers = [{exercise.answer for exercise in phrasings} for phrasings in every_fact()]
    assert len(answers) >= 350
    assert all(len(found) == 1 for found in answers)


@pytest.mark.parametrize("skill", CHECKABLE)
def test_the_right_answer_is_accepted_and_a_damaged_one_is_not(skill: str) -> None:
    for exercise in drawn(skill, 50):
        assert accepts(exercise, exercise.answer + "\n")
        assert not accepts(exercise, exercise.answer[:-1])
        assert not accepts(exercise, exercise.answer + " and more")


def test_sums_are_right() -> None:
    for exercise in drawn("arithmetic"):
        left, right = exercise.answer.split(",")[0].split(" = ")
        a, sign, b = left.split()
        expected = {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign]
        assert int(right) == expected
        assert 0 <= int(a) <= 100 and 0 <= int(b) <= 100 and expected <= 144


def test_counting_moves_in_equal_steps_from_the_first_number_to_the_last() -> None:
    for exercise in drawn("counting"):
        numbers = [int(part) for part in exercise.answer.replace("\n", ", ").split(", ")]
        assert len({b - a for a, b in pairwise(numbers)}) == 1
        assert str(numbers[-1]) in exercise.prompt
        assert len(numbers) <= 100


def test_every_python_answer_compiles() -> None:
    for exercise in drawn("python", 500):
        compile(code_of(exercise), exercise.prompt, "exec")


@pytest.mark.parametrize(
    ("wanted", "argument", "expected"),
    [
        ("reverses a text", "abc", "cba"),
        ("returns the factorial of n", 5, 120),
        ("returns the first n Fibonacci numbers", 6, [0, 1, 1, 2, 3, 5]),
        ("checks if n is prime", 91, False),
        ("adds the numbers from 1 to n", 10, 55),
        ("returns the largest number in a list", [3, 9, 4], 9),
        ("returns the smallest number in a list", [3, 9, 4], 3),
        ("returns every number in a list that is even", [1, 2, 4], [2, 4]),
        ("counts the numbers in a list where each is odd", [1, 2, 3], 2),
        ("adds up every number in a list that is positive", [-1, 2, 3], 5),
    ],
)
def test_python_answers_do_what_was_asked(wanted: str, argument: object, expected: object) -> None:
    found = next(exercise for exercise in drawn("python", 5000) if f"that {wanted}." in exercise.prompt)
    names: dict[str, Any] = {}
    exec(code_of(found), names)
    function = next(value for value in names.values() if callable(value))
    assert function(argument) == expected


def test_json_answers_hold_the_fields_of_the_prompt() -> None:
    for exercise in drawn("json"):
        value = json.loads(exercise.answer.removeprefix("```json\n").removesuffix("\n```"))
        for record in value if isinstance(value, list) else [value]:
            assert ", ".join(f"{key} {field}" for key, field in record.items()) in exercise.prompt


def test_tables_hold_the_records_of_the_prompt() -> None:
    for exercise in drawn("tables"):
        if exercise.answer.startswith("```csv"):
            rows = list(csv.reader(io.StringIO(exercise.answer.removeprefix("```csv\n").removesuffix("\n```"))))
        else:
            lines = exercise.answer.splitlines()
            assert set(lines[1]) == {"|", " ", "-"}
            rows = [line.strip("| ").split(" | ") for line in lines[:1] + lines[2:]]
        header, *records = rows
        assert 2 <= len(records) <= 5
        for record in records:
            assert ", ".join(f"{key} {field}" for key, field in zip(header, record, strict=True)) in exercise.prompt


def test_sorted_lists_are_sorted_and_have_different_initials() -> None:
    sorts = [e for e in drawn("word_lists", 600) if "lphabetical" in e.prompt or e.prompt.startswith("Sort")]
    assert sorts
    for exercise in sorts:
        words = exercise.answer.split(", ")
        assert words == sorted(words)
        assert len({word[0] for word in words}) == len(words)
        assert all(word in exercise.prompt for word in words)


def test_a_story_is_about_what_was_asked() -> None:
    for exercise in drawn("stories"):
        if " about a " in exercise.prompt:
            hero = exercise.prompt.split(" about a ")[1].split()[0].strip(".?")
            assert hero in exercise.answer
