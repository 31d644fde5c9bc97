"""What is asked of a bench by choosing on a screen, and the card it makes. Imports nothing of the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from sparkdesk.bench.run_store import KeptRun


@dataclass(frozen=True, slots=True)
class SuiteAsked:
    """A run over the suite, as it was chosen on the screen."""

    domains: tuple[str, ...]
    per_domain: int | None
    """Most prompts of a domain; None is all."""
    max_tokens: int


@dataclass(frozen=True, slots=True)
class SweepAsked:
    """A look at what passes cost, as it was chosen on the screen."""

    domains: tuple[str, ...]
    """One prompt of each is asked."""
    max_tokens: int


@dataclass(frozen=True, slots=True)
class CardMade:
    """A report card, ready to be shown, copied or saved."""

    run: KeptRun
    card: dict[str, Any]
    markdown: str
