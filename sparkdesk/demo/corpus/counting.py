"""Counting: up, down, in steps, in commas or line by line."""

from random import Random

from sparkdesk.demo.corpus.exercise import Exercise

_UP = (
    "Count from {a} to {b}",
    "Count up from {a} to {b}",
    "List the numbers from {a} to {b}",
    "Write the numbers from {a} to {b}",
    "Give me all numbers from {a} to {b}",
    "Count {a} to {b}",
)
_TO = ("Count to {b}", "Count up to {b}", "Count from one to {b}")
_DOWN = (
    "Count down from {a} to {b}",
    "Count backwards from {a} to {b}",
    "Count from {a} down to {b}",
    "List the numbers from {a} down to {b}",
)
_STEPS = (
    "Count from {a} to {b} in steps of {s}",
    "Count from {a} to {b} by {s}",
    "List the numbers from {a} to {b} in steps of {s}",
    "Write the numbers from {a} to {b} in steps of {s}",
)
_EVEN = ("List the even numbers from {a} to {b}", "Count the even numbers from {a} to {b}")
_ODD = ("List the odd numbers from {a} to {b}", "Count the odd numbers from {a} to {b}")


def counting(rng: Random) -> Exercise:
    """At most 40 numbers below 250; from one also up to 100."""
    kind = rng.choices(("up", "to", "down", "steps", "parity"), (7, 3, 4, 4, 2))[0]
    prompt, numbers = _BUILDERS[kind](rng)
    separator = ", "
    if rng.random() < 0.2:
        prompt += rng.choice((", one per line", ", each on its own line"))
        separator = "\n"
    return Exercise("counting", prompt + ".", separator.join(map(str, numbers)))


def _length(rng: Random) -> int:
    """Mostly short ranges: where to stop is the hard part, and a long range teaches it no better than a short one."""
    return rng.choices((rng.randint(3, 10), rng.randint(8, 20), rng.randint(20, 40)), (5, 3, 2))[0]


def _start(rng: Random) -> int:
    return rng.choices((1, rng.randint(0, 20), rng.randint(20, 100), rng.randint(100, 200)), (3, 3, 3, 1))[0]


def _up(rng: Random) -> tuple[str, list[int]]:
    first = _start(rng)
    numbers = list(range(first, first + _length(rng)))
    return rng.choice(_UP).format(a=numbers[0], b=numbers[-1]), numbers


def _to(rng: Random) -> tuple[str, list[int]]:
    last = rng.choices((rng.randint(3, 20), rng.randint(20, 100), 10 * rng.randint(1, 10)), (4, 1, 1))[0]
    return rng.choice(_TO).format(b=last), list(range(1, last + 1))


def _down(rng: Random) -> tuple[str, list[int]]:
    last = rng.choices((1, 0, rng.randint(2, 80), rng.randint(100, 200)), (5, 2, 3, 1))[0]
    numbers = list(range(last + _length(rng) - 1, last - 1, -1))
    return rng.choice(_DOWN).format(a=numbers[0], b=numbers[-1]), numbers


def _steps(rng: Random) -> tuple[str, list[int]]:
    step = rng.choice((2, 3, 4, 5, 10))
    first = rng.choices((0, step, rng.randint(1, 50)), (3, 3, 2))[0]
    numbers = list(range(first, first + step * (_length(rng) // 2 + 3), step))
    return rng.choice(_STEPS).format(a=numbers[0], b=numbers[-1], s=step), numbers


def _parity(rng: Random) -> tuple[str, list[int]]:
    remainder = rng.randint(0, 1)
    first = 2 * rng.choices((rng.randint(0, 3), rng.randint(0, 40)))[0] + remainder
    numbers = list(range(first, first + 2 * (_length(rng) // 2 + 3), 2))
    templates = _ODD if remainder else _EVEN
    return rng.choice(templates).format(a=numbers[0], b=numbers[-1]), numbers


_BUILDERS = {"up": _up, "to": _to, "down": _down, "steps": _steps, "parity": _parity}
