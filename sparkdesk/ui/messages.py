"""What passes between threads, widgets and screens. Data only."""

from dataclasses import dataclass

from textual.message import Message

from sparkdesk.ui.desk import OpenEvent


@dataclass
class Painted(Message):
    """The first picture is on the screen; heavy work may begin."""


@dataclass
class Noted(Message):
    """Something that belongs into a bug report; without words of the user's or the model's."""

    text: str


@dataclass
class PromptSent(Message):
    """The user sent a prompt."""

    text: str


@dataclass
class Pasted(Message):
    """The user pasted a text at the prompt, or dropped a file there, which terminals write as its path."""

    text: str


@dataclass
class LastChipUnwanted(Message):
    """The user struck backspace at an empty prompt."""


@dataclass
class PageTurned(Message):
    """The user scrolls the conversation from the prompt."""

    pages: int
    """Negative is up."""


@dataclass
class MessageActed(Message):
    """The user does something with a message of the transcript."""

    act: str
    """"edit", "regenerate", "go_on", "copy", "copy_code", "fold", "previous", "next" or "leave"."""
    position: int


@dataclass
class EditLeft(Message):
    """The user does not want to change the message after all."""


@dataclass
class NewestWanted(Message):
    """The user wants to see the end of the conversation."""


@dataclass
class PlaceChanged(Message):
    """The transcript shows another part of the conversation."""

    earlier: int
    """Messages above the view."""
    later: int
    """Messages below it."""
    is_at_end: bool


@dataclass
class SwitchPressed(Message):
    """The user clicked the speculation switch."""


@dataclass
class OpenAdvanced(Message):
    """Opening the desk is one step further."""

    event: OpenEvent


@dataclass
class DeskOpened(Message):
    """The model is ready."""


@dataclass
class OpenCancelled(Message):
    """The user cancelled the opening, and it has ended."""


@dataclass
class OpenFailed(Message):
    """The model could not be opened."""

    cause: str
    hint: str


@dataclass
class ReplyRefused(Message):
    """The reply could not even begin."""

    cause: str
    hint: str


@dataclass
class PairChosen(Message):
    """The user wants to chat with that pair."""

    name: str


@dataclass
class JobReported(Message):
    """How far a download or a build is, for whoever looks at another screen; empty when none goes on any more."""

    text: str
