"""One question with its one right answer, and the rule that keeps some questions out of training."""

import hashlib
import re
from dataclasses import dataclass
from random import Random

HELD_OUT_SHARE = 16
"""One prompt in this many is never trained on."""

SPLIT_SALT = "spark-tiny"

_POLITE_WORDS = frozenset({"please", "hey", "hi", "hello", "can", "could", "you", "now", "ok", "thanks"})
_OPENINGS = ("Please ", "Can you ", "Could you ", "Hey, ", "Hi, ", "Now ", "OK, ")
_IMPERATIVE = re.compile(
    r"(Count|List|Write|Give|Add|Sort|Turn|Make|Tell|Put|Reverse|Convert|Name|Number|Show|Format)\b"
)


@dataclass(frozen=True, slots=True)
class Exercise:
    """A prompt and the answer the target is taught to give."""

    skill: str
    prompt: str
    answer: str
    is_checkable: bool = True
    """False for prose, where many answers would be right."""


def accepts(exercise: Exercise, reply: str) -> bool:
    """Is this reply exactly the right answer (white space at the ends aside)?"""
    return reply.strip() == exercise.answer.strip()


def normal_form(prompt: str) -> str:
    """The prompt without case, punctuation at the end of words and politeness, so that its variants count as one."""
    words = [word.rstrip(".,?!") for word in prompt.lower().split()]
    kept = [word for word in words if word and word not in _POLITE_WORDS]
    # "hello" is all politeness: an empty form would make every greeting the same prompt.
    return " ".join(kept or [word for word in words if word != "please"])


def is_held_out(prompt: str) -> bool:
    """Does this prompt belong to the evaluation set? Decided by a hash, so that no list has to be kept."""
    digest = hashlib.sha256(f"{SPLIT_SALT}|{normal_form(prompt)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_SHARE == 0


def vary(prompt: str, rng: Random) -> str:
    """Write the prompt the way people really type: politely, hastily, without punctuation."""
    if rng.random() < 0.25 and _IMPERATIVE.match(prompt):
        opening = rng.choice(_OPENINGS)
        prompt = opening + prompt[0].lower() + prompt[1:]
        if opening.startswith(("Can", "Could")) and prompt.endswith("."):
            prompt = prompt[:-1] + "?"
    if rng.random() < 0.35:
        prompt = prompt[0].lower() + prompt[1:]
        if rng.random() < 0.5 and ":" not in prompt:  # what follows a colon is material to copy, case and all
            prompt = prompt.lower()
    if rng.random() < 0.35 and prompt[-1] in ".?!":
        prompt = prompt[:-1]
    if rng.random() < 0.06 and prompt[-1] not in ".?!":
        prompt += " please"
    return prompt


NAMES = (
    "Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Victor "
    "Alice Bruno Carla Daniel Ella Frank Gina Hugo Ines Jonas Karen Lucas Maria Nina Oscar Petra Robert Sara Tom Vera"
).split()

CITIES = (
    "Berlin Paris Rome Madrid London Vienna Oslo Lisbon Prague Dublin Athens Warsaw Tokyo Cairo Lima Delhi "
    "Boston Chicago Toronto Sydney Geneva Munich Milan Porto"
).split()

JOBS = (
    "baker nurse teacher pilot farmer painter lawyer driver doctor singer writer cook gardener plumber chemist editor"
).split()

COLOURS = "red blue green yellow black white orange purple brown pink grey silver".split()

NOUNS = (
    "apple arrow anchor bread bridge button candle carpet castle dragon drum desk eagle engine egg falcon flower fork "
    "garden guitar glass hammer honey horse island iron ink jacket jelly jungle kettle kite king ladder lemon lamp "
    "magnet mirror moon needle night nest ocean onion oven paper pencil piano queen quilt quiz rabbit river rocket "
    "salt silver spoon table tiger train umbrella uncle unit valley violin voice water window wolf xylophone "
    "yard yarn yellow zebra zoo zipper cat dog bird fish tree stone cloud boat shoe clock"
).split()

_SYLLABLES = (
    "ba be bo da di do fa fi ga go ka ki ko la le lo ma mi mo na ne no pa pi po ra ri ro sa se so ta ti to va vi zu"
).split()


def invented_word(rng: Random) -> str:
    """A word that exists nowhere, so that copying is learnt and not a vocabulary."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 3)))


def distinct_words(rng: Random, count: int) -> list[str]:
    """Known words, now and then an invented one among them."""
    words = rng.sample(NOUNS, count)
    if rng.random() < 0.2:
        words[rng.randrange(count)] = invented_word(rng)
    return words


def words_with_distinct_initials(rng: Random, count: int) -> list[str]:
    """Known words of which no two start with the same letter: their order shows in one letter."""
    initials = rng.sample(sorted({word[0] for word in NOUNS}), count)
    return [rng.choice([word for word in NOUNS if word[0] == initial]) for initial in initials]
