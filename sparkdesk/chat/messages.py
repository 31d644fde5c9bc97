"""What was said in a conversation."""

from dataclasses import dataclass

from sparkdesk.engine.stats import ReplyStats


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of one side."""

    role: str
    """"system", "user" or "assistant"."""
    content: str
    is_partial: bool = False
    """True for a reply that was stopped or broken off."""
    stats: ReplyStats | None = None
    note: str = ""
    """Why a reply ends where it does, when that was not the model's own choice."""
