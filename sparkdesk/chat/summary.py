"""What lists of conversations show, and what a message not yet sent would take. Values only."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """One conversation of the history."""

    key: int
    title: str
    changed_at: datetime
    """With its time zone."""
    message_count: int
    """Of the branch that is shown."""
    model: str
    """Name of the model that replied last."""


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation in which the searched words occur."""

    summary: Summary
    before: str
    """A line of the place where they occur: before, the words as they stand there, after."""
    match: str
    after: str


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens that sending would take."""

    prompt_tokens: int
    """The whole prompt: template, system prompt, the messages still read, attachments, and the text."""
    text_tokens: int
    """The part of it that would be new."""
    context_tokens: int
    """What the loaded model's context holds."""
    left_out: int = 0
    """Messages that would not be read any more."""
