"""What passes between the bench screen, its tabs and its worker. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sparkdesk.bench.race import Race, RaceSettings
    from sparkdesk.bench.requests import SuiteAsked, SweepAsked
    from sparkdesk.bench.results import Comparison
    from sparkdesk.bench.run_store import KeptRun


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
class RunWanted(Message):
    """The user wants the suite run."""

    asked: SuiteAsked


@dataclass
class SweepWanted(Message):
    """The user wants to see what passes cost."""

    asked: SweepAsked


@dataclass
class KeepWanted(Message):
    """A run is over, to its end or not: its figures are to be kept."""

    asked: SuiteAsked
    comparisons: tuple[Comparison, ...]
    is_complete: bool


@dataclass
class RunKept(Message):
    """They are."""

    run: KeptRun


@dataclass
class CardWanted(Message):
    """The user wants a report card of a kept run."""

    run: KeptRun


@dataclass
class ForgetWanted(Message):
    """The user wants a kept run deleted."""

    run: KeptRun


@dataclass
class MeasuringEnded(Message):
    """The worker is through, for whatever reason."""

    cause: str = ""
    """What went wrong; empty when nothing did."""
    hint: str = ""
    is_cancelled: bool = False
