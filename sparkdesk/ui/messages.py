"""What one feature of the screen tells another, or the program. Data only; each feature has its own messages beside."""

from dataclasses import dataclass

from textual.message import Message


@dataclass
class Painted(Message):
    """The first picture is on the screen; heavy work may begin."""


@dataclass
class Noted(Message):
    """Something that belongs into a bug report; without words of the user's or the model's."""

    text: str


@dataclass
class PairChosen(Message):
    """The user wants to chat with that pair."""

    name: str


@dataclass
class RaceRequested(Message):
    """The user wants to see plain decoding and speculation race on that prompt."""

    text: str


@dataclass
class JobReported(Message):
    """How far a download or a build is, for whoever looks at another screen; empty when none goes on any more."""

    text: str
