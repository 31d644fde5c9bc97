"""What passes between the bench screen, its tabs and its worker. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sparkdesk.bench.race import Race, RaceSettings


@dataclass
class RaceWanted(Message):
    """The user wants this answered by both arms."""

    text: str
    settings: RaceSettings


@dataclass
class CopyRace(Message):
    """The user wants a race's result in one line."""

    race: Race


@dataclass
class MeasuringEnded(Message):
    """The worker is through, for whatever reason."""

    cause: str = ""
    """What went wrong; empty when nothing did."""
    hint: str = ""
    is_cancelled: bool = False
