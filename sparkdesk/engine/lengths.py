"""How many tokens to draft, and how many of them to verify: the seam between the loop and whoever decides."""

from typing import Protocol

from sparkdesk.engine.settings import DEFAULT_DRAFT_LENGTH, SpeculationSettings


class LengthChooser(Protocol):
    """Decides from what was known before the tokens in question were drawn (DSpark paper, section 3.2.2)."""

    def before_draft(self, most: int) -> int:
        """Tokens to draft, 0..most; 0 decodes plainly."""
        ...

    def after_draft(self, confidences: tuple[float, ...]) -> int:
        """How many of the drafted tokens to verify, 0..len(confidences)."""
        ...


class FixedLength:
    """Always the same number of tokens."""

    def __init__(self, length: int) -> None:
        self.length = length

    def before_draft(self, most: int) -> int:
        return max(0, min(self.length, most))

    def after_draft(self, confidences: tuple[float, ...]) -> int:
        return len(confidences)


def chooser_for(settings: SpeculationSettings) -> LengthChooser:
    if not settings.is_enabled:
        return FixedLength(0)
    return FixedLength(settings.draft_length or DEFAULT_DRAFT_LENGTH)
