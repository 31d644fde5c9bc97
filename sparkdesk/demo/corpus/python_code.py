"""Requests for short Python functions and classes, with the program that answers each."""

from random import Random

from sparkdesk.demo.corpus.exercise import NOUNS, Exercise

_ASK = (
    "Write a Python function {f} that {w}.",
    "Write a function {f} in Python that {w}.",
    "Write Python code for a function {f} that {w}.",
    "Give me a Python function {f} that {w}.",
    "Show me a Python function {f} that {w}.",
)
_ASK_UNNAMED = (
    "Write a Python function that {w}.",
    "Write a function that {w}.",
    "Give me a Python function that {w}.",
    "Show me a Python function that {w}.",
    "Write Python code that {w}.",
)
UNNAMED = "solve"
"""What a function is called when the prompt gives it no name."""
_ASK_CLASS = (
    "Write a Python class {f} with the fields {w}.",
    "Give me a Python class {f} with the fields {w}.",
    "Show me a class {f} in Python with the fields {w}.",
)
_TESTS = (
    "is even",
    "is odd",
    "is positive",
    "is negative",
    "is greater than {n}",
    "is less than {n}",
    "is divisible by {n}",
)
_CONDITIONS = {
    "is even": "number % 2 == 0",
    "is odd": "number % 2 == 1",
    "is positive": "number > 0",
    "is negative": "number < 0",
    "is greater than {n}": "number > {n}",
    "is less than {n}": "number < {n}",
    "is divisible by {n}": "number % {n} == 0",
}
_STEPS = {"adds {n}": "+ {n}", "subtracts {n}": "- {n}", "multiplies by {n}": "* {n}", "divides by {n}": "/ {n}"}
_SINGLE_STEP = {
    "adds {n}": "adds {n} to a number",
    "subtracts {n}": "subtracts {n} from a number",
    "multiplies by {n}": "multiplies a number by {n}",
    "divides by {n}": "divides a number by {n}",
}
_FIELDS = "name age size weight price colour city height speed title owner count length score".split()
_VERBS = "compute make get find build run check scale update handle process apply convert prepare".split()


def python_code(rng: Random) -> Exercise:
    """One program out of a dozen families, each with names and constants of its own."""
    build = rng.choices(tuple(_FAMILIES), tuple(_FAMILIES.values()))[0]
    prompt, lines = build(rng)
    return Exercise("python", prompt, "```python\n" + "\n".join(lines) + "\n```")


def _name(rng: Random) -> str:
    if rng.random() < 0.35:
        return UNNAMED
    return f"{rng.choice(_VERBS)}_{rng.choice(NOUNS)}"


def _ask(rng: Random, name: str, what: str) -> str:
    return rng.choice(_ASK_UNNAMED if name == UNNAMED else _ASK).format(f=name, w=what)


def _doc(what: str) -> str:
    """The request as a docstring: "adds 3" -> "Adds 3."."""
    return f'    """{what[0].upper()}{what[1:]}."""'


def _calculation(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    chosen = rng.sample(list(_STEPS), rng.randint(1, 3))
    numbers = [rng.randint(2, 99) for _ in chosen]
    steps = [step.format(n=n) for step, n in zip(chosen, numbers, strict=True)]
    what = " and then ".join([f"takes a number, {steps[0]}", *steps[1:]])
    if len(chosen) == 1 and rng.random() < 0.7:
        what = _SINGLE_STEP[chosen[0]].format(n=numbers[0])
    body = [f"    number = number {_STEPS[step].format(n=n)}" for step, n in zip(chosen, numbers, strict=True)]
    return _ask(rng, name, what), [f"def {name}(number):", _doc(what), *body, "    return number"]


def _test(rng: Random) -> tuple[str, str]:
    text = rng.choice(_TESTS)
    n = rng.randint(3, 99)
    return text.format(n=n), _CONDITIONS[text].format(n=n)


def _filter(rng: Random) -> tuple[str, list[str]]:
    name, (test, condition) = _name(rng), _test(rng)
    what = f"returns every number in a list that {test}"
    return _ask(rng, name, what), [
        f"def {name}(numbers):",
        _doc(what),
        "    result = []",
        "    for number in numbers:",
        f"        if {condition}:",
        "            result.append(number)",
        "    return result",
    ]


def _count(rng: Random) -> tuple[str, list[str]]:
    name, (test, condition) = _name(rng), _test(rng)
    what = f"counts the numbers in a list where each {test}"
    return _ask(rng, name, what), [
        f"def {name}(numbers):",
        _doc(what),
        "    count = 0",
        "    for number in numbers:",
        f"        if {condition}:",
        "            count = count + 1",
        "    return count",
    ]


def _sum(rng: Random) -> tuple[str, list[str]]:
    name, (test, condition) = _name(rng), _test(rng)
    what = f"adds up every number in a list that {test}"
    return _ask(rng, name, what), [
        f"def {name}(numbers):",
        _doc(what),
        "    total = 0",
        "    for number in numbers:",
        f"        if {condition}:",
        "            total = total + number",
        "    return total",
    ]


def _extreme(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    word, sign = rng.choice((("largest", ">"), ("smallest", "<")))
    what = f"returns the {word} number in a list"
    return _ask(rng, name, what), [
        f"def {name}(numbers):",
        _doc(what),
        f"    {word} = numbers[0]",
        "    for number in numbers:",
        f"        if number {sign} {word}:",
        f"            {word} = number",
        f"    return {word}",
    ]


def _print_loop(rng: Random) -> tuple[str, list[str]]:
    name, noun = _name(rng), rng.choice(NOUNS)
    first, last = rng.randint(0, 10), rng.randint(11, 99)
    what = f"prints {noun} and a number from {first} to {last}"
    return _ask(rng, name, what), [
        f"def {name}():",
        _doc(what),
        f"    for number in range({first}, {last + 1}):",
        f'        print("{noun}", number)',
    ]


def _countdown(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    start, step = rng.randint(10, 99), rng.randint(1, 9)
    what = f"counts down from {start} in steps of {step}"
    return _ask(rng, name, what), [
        f"def {name}():",
        _doc(what),
        f"    number = {start}",
        "    while number >= 0:",
        "        print(number)",
        f"        number = number - {step}",
    ]


def _lookup(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    words = rng.sample(NOUNS, 2 * rng.randint(2, 4))
    pairs = list(zip(words[::2], words[1::2], strict=True))
    what = "maps " + ", ".join(f"{a} to {b}" for a, b in pairs)
    branches = [line for a, b in pairs for line in (f'    if word == "{a}":', f'        return "{b}"')]
    return _ask(rng, name, what), [f"def {name}(word):", _doc(what), *branches, "    return None"]


def _string(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    letter = rng.choice("abcdefghijklmnopqrstuvwxyz")
    what = f"counts how often the letter {letter} is in a text"
    return _ask(rng, name, what), [
        f"def {name}(text):",
        _doc(what),
        "    count = 0",
        "    for letter in text:",
        f'        if letter == "{letter}":',
        "            count = count + 1",
        "    return count",
    ]


def _one_liner(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    what, argument, expression = rng.choice(
        (
            ("reverses a text", "text", "text[::-1]"),
            ("makes a text upper case", "text", "text.upper()"),
            ("makes a text lower case", "text", "text.lower()"),
            ("counts the words in a text", "text", "len(text.split())"),
            ("returns the length of a list", "items", "len(items)"),
            ("returns the last item of a list", "items", "items[-1]"),
            ("returns the first item of a list", "items", "items[0]"),
            ("sorts a list", "items", "sorted(items)"),
            ("returns the square of a number", "number", "number * number"),
            ("returns the average of a list", "numbers", "sum(numbers) / len(numbers)"),
            ("checks if a number is even", "number", "number % 2 == 0"),
            ("checks if a text is a palindrome", "text", "text == text[::-1]"),
            ("adds two numbers", "a, b", "a + b"),
            ("multiplies two numbers", "a, b", "a * b"),
        )
    )
    return _ask(rng, name, what), [f"def {name}({argument}):", _doc(what), f"    return {expression}"]


def _classic(rng: Random) -> tuple[str, list[str]]:
    name = _name(rng)
    what, body = rng.choice(
        (
            (
                "returns the factorial of n",
                ["result = 1", "for i in range(2, n + 1):", "    result = result * i", "return result"],
            ),
            (
                "returns the first n Fibonacci numbers",
                [
                    "a, b = 0, 1",
                    "numbers = []",
                    "for i in range(n):",
                    "    numbers.append(a)",
                    "    a, b = b, a + b",
                    "return numbers",
                ],
            ),
            (
                "checks if n is prime",
                [
                    "if n < 2:",
                    "    return False",
                    "for i in range(2, n):",
                    "    if n % i == 0:",
                    "        return False",
                    "return True",
                ],
            ),
            (
                "adds the numbers from 1 to n",
                ["total = 0", "for i in range(1, n + 1):", "    total = total + i", "return total"],
            ),
        )
    )
    return _ask(rng, name, what), [f"def {name}(n):", _doc(what), *(f"    {line}" for line in body)]


def _class(rng: Random) -> tuple[str, list[str]]:
    name = rng.choice(NOUNS).capitalize()
    fields = rng.sample(_FIELDS, rng.randint(2, 4))
    shown = " and ".join(filter(None, (", ".join(fields[:-1]), fields[-1])))
    lines = [f"class {name}:", f"    def __init__(self, {', '.join(fields)}):"]
    lines += [f"        self.{field} = {field}" for field in fields]
    for field in fields:
        lines += ["", f"    def get_{field}(self):", f"        return self.{field}"]
    return rng.choice(_ASK_CLASS).format(f=name, w=shown), lines


_FAMILIES = {
    _calculation: 4,
    _filter: 3,
    _count: 3,
    _sum: 3,
    _extreme: 1,
    _print_loop: 2,
    _countdown: 2,
    _lookup: 3,
    _string: 2,
    _one_liner: 3,
    _classic: 2,
    _class: 3,
}
