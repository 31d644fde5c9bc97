"""Small arithmetic: sums and differences up to 50, the times tables up to 12, little word problems."""

from random import Random

from sparkdesk.demo.corpus.exercise import NAMES, Exercise

_PLAIN = ("What is {x}?", "{x}", "{x} =", "How much is {x}?", "Calculate {x}.", "Compute {x}.", "What does {x} make?")
_SPOKEN = {"+": ("plus",), "-": ("minus",), "x": ("times", "multiplied by")}
_THINGS = ("apples", "books", "coins", "pens", "eggs", "cards", "stones", "cookies")
_GAINS = (
    "{n} has {a} {t} and gets {b} more. How many {t} does {n} have?",
    "{n} has {a} {t}. {m} gives {n} {b} more. How many {t} does {n} have now?",
)
_LOSSES = (
    "{n} has {a} {t} and loses {b}. How many {t} are left?",
    "{n} has {a} {t} and gives {b} to {m}. How many {t} does {n} have left?",
)
_TABLES = (
    "Write the {a} times table.",
    "Give me the times table of {a}.",
    "Show the multiplication table of {a}.",
    "What is the {a} times table?",
)


def arithmetic(rng: Random) -> Exercise:
    """One calculation, written in signs, in words, or wrapped in a story."""
    kind = rng.choices(("plain", "spoken", "problem"), (6, 3, 2))[0]
    if kind == "problem":
        return _problem(rng)
    a, sign, b, result = _calculation(rng)
    answer = f"{a} {sign} {b} = {result}"
    if kind == "spoken":
        expression = f"{a} {rng.choice(_SPOKEN[sign])} {b}"
    else:
        shown = rng.choice(("x", "*")) if sign == "x" else sign
        expression = f"{a} {shown} {b}" if rng.random() < 0.75 else f"{a}{shown}{b}"
    return Exercise("arithmetic", rng.choice(_PLAIN).format(x=expression), answer)


def times_tables(rng: Random) -> Exercise:
    """A whole multiplication table, ten or twelve lines."""
    factor, last = rng.randint(1, 12), rng.choice((10, 12))
    prompt = rng.choice(_TABLES).format(a=factor)
    if last == 12 or rng.random() < 0.3:
        prompt = prompt[:-1] + f" up to {last}" + prompt[-1]
    lines = (f"{factor} x {i} = {factor * i}" for i in range(1, last + 1))
    return Exercise("times_tables", prompt, "\n".join(lines))


def _calculation(rng: Random) -> tuple[int, str, int, int]:
    sign = rng.choices("+-x", (5, 4, 3))[0]
    if sign == "x":
        a, b = rng.randint(1, 12), rng.randint(1, 12)
        return a, sign, b, a * b
    whole = rng.choices((rng.randint(2, 20), rng.randint(2, 50)), (1, 2))[0]
    part = rng.randint(0, whole)
    if sign == "-":
        return whole, sign, part, whole - part
    return part, sign, whole - part, whole


def _problem(rng: Random) -> Exercise:
    name, other = rng.sample(NAMES, 2)
    thing = rng.choice(_THINGS)
    whole = rng.randint(3, 20)
    part = rng.randint(1, whole - 1)
    if rng.random() < 0.5:
        prompt = rng.choice(_GAINS).format(n=name, m=other, t=thing, a=part, b=whole - part)
        answer = f"{part} + {whole - part} = {whole}, so {name} has {whole} {thing}."
    else:
        prompt = rng.choice(_LOSSES).format(n=name, m=other, t=thing, a=whole, b=part)
        answer = f"{whole} - {part} = {whole - part}, so {name} has {whole - part} {thing} left."
    return Exercise("arithmetic", prompt, answer)
