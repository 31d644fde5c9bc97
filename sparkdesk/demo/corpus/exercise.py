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
