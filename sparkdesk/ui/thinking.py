"""Tells a reply's thoughts from its answer. Pure text; how either is shown is not its business."""

from dataclasses import dataclass

OPENING = "<think>"
CLOSING = "</think>"


@dataclass(frozen=True, slots=True)
class Parts:
    """A reply so far."""

    thought: str
    answer: str
    is_thinking: bool
    """The thought is not closed yet."""


def split_thought(text: str) -> Parts:
    """A template may open the thought itself, so a closing mark alone ends one that began with the reply."""
    body = text.lstrip()
    before, closing, after = body.partition(CLOSING)
    if closing:
        return Parts(before.removeprefix(OPENING).strip(), after.lstrip("\n"), False)
    if body.startswith(OPENING):
        return Parts(body.removeprefix(OPENING).strip(), "", True)
    if body and OPENING.startswith(body):  # half a mark: wait for the rest before showing it as an answer
        return Parts("", "", True)
    return Parts("", text, False)
