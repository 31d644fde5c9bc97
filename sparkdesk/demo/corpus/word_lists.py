"""Rewriting a list of words: sort, reverse, upper case, number, bullets, commas."""

from random import Random

from sparkdesk.demo.corpus.exercise import (
    CITIES,
    COLOURS,
    JOBS,
    NAMES,
    NOUNS,
    Exercise,
    distinct_words,
    invented_word,
    words_with_distinct_initials,
)

_TASKS = {
    "sort": ("Sort these words: {w}", "Put these words in alphabetical order: {w}", "Sort alphabetically: {w}"),
    "reverse": (
        "Reverse this list: {w}",
        "Reverse the order of these words: {w}",
        "Write these words backwards, last first: {w}",
    ),
    "upper": ("Write these words in upper case: {w}", "Make these words upper case: {w}", "Convert to upper case: {w}"),
    "number": (
        "Number these words: {w}",
        "Make a numbered list of these words: {w}",
        "Turn this into a numbered list: {w}",
    ),
    "bullets": (
        "Turn this list into bullets: {w}",
        "Make a bullet list: {w}",
        "Write these words as bullet points: {w}",
    ),
    "commas": ("Join these words with commas:\n{l}", "Write these lines as one comma-separated list:\n{l}"),
    "quote": ("Put each word in quotes: {w}", "Quote these words: {w}"),
    "first": ("What is the first word of this list: {w}", "Give me only the first word: {w}"),
    "last": ("What is the last word of this list: {w}", "Give me only the last word: {w}"),
}


def word_lists(rng: Random) -> Exercise:
    """One task on three to five words; a list to sort has at most four, with different first letters."""
    task = rng.choices(tuple(_TASKS), (8, 4, 4, 3, 3, 2, 2, 1, 1))[0]
    count = rng.randint(3, 5)
    if task == "sort":
        words = words_with_distinct_initials(rng, min(count, 4))
    else:
        words = rng.sample(NOUNS, count) if task == "upper" else distinct_words(rng, count)
    prompt = rng.choice(_TASKS[task]).format(w=", ".join(words), l="\n".join(words))
    return Exercise("word_lists", prompt, solve(task, words))


def solve(task: str, words: list[str]) -> str:
    """The right answer of a task."""
    match task:
        case "sort":
            return ", ".join(sorted(words))
        case "reverse":
            return ", ".join(reversed(words))
        case "upper":
            return ", ".join(word.upper() for word in words)
        case "number":
            return "\n".join(f"{i}. {word}" for i, word in enumerate(words, start=1))
        case "bullets":
            return "\n".join(f"- {word}" for word in words)
        case "commas":
            return ", ".join(words)
        case "quote":
            return ", ".join(f'"{word}"' for word in words)
        case "first":
            return words[0]
        case "last":
            return words[-1]
    raise ValueError(f"no such task: {task}")


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
