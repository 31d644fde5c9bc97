"""What passes between the models screen and its workers. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sparkdesk.builder.catalog_state import Contents
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.events import Report
    from sparkdesk.fit import Plan
    from sparkdesk.hub.search import Hit
    from sparkdesk.library.removal import Removal


@dataclass
class ContentsRead(Message):
    """The library and the catalogue as they are now."""

    contents: Contents
    free: str


@dataclass
class FitKnown(Message):
    """How the model or pair of that row would load."""

    key: str
    plan: Plan | None


@dataclass
class HitsFound(Message):
    text: str
    hits: list[Hit]


@dataclass
class Asked(Message):
    """What the hub said of an order."""

    forecast: Forecast | None


@dataclass
class AskAdvanced(Message):
    event: Report


@dataclass
class RemovalPlanned(Message):
    removal: Removal


@dataclass
class Removed(Message):
    what: str
    freed_bytes: int


@dataclass
class Refused(Message):
    """Something could not be done; said where it was asked for."""

    cause: str
    hint: str
    retry: str = ""
    """Which key asks again; empty where none does."""


@dataclass
class JobEnded(Message):
    """A download or a build is over, however it ended; what is here has changed."""
