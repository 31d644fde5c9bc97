"""What is kept of a screen that ended by an error no one expected: where that was, what came before, and the draft."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from textual.screen import Screen

from sparkdesk.chat.messages import Attachment
from sparkdesk.error_log import place_of
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.session_log import Noted, now


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written and attached, and not sent."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.text.strip() and not self.attachments


@dataclass(frozen=True, slots=True)
class Failure:
    error: Exception
    draft: Draft
    noted: tuple[Noted, ...]
    """What the session's log had, and this."""

    @property
    def place(self) -> str:
        """Class and place, without the error's text."""
        return place_of(self.error)


def failure_of(error: Exception, screens: Sequence[Screen[Any]], noted: Sequence[Noted]) -> Failure:
    """The screens may be in any state."""
    draft = Draft()
    with suppress(Exception):
        draft = _draft(screens)
    return Failure(error, draft, (*noted, now(f"Unexpected {place_of(error)}")))


def _draft(screens: Sequence[Screen[Any]]) -> Draft:
    for screen in screens:
        if isinstance(screen, ChatScreen):
            return Draft(screen.view.composer.prompt.text, screen.view.composer.attachments)
    return Draft()


def restore_draft(chat: ChatScreen, draft: Draft) -> None:
    if draft.text:
        chat.view.composer.prompt.show(draft.text)
    for each in draft.attachments:
        chat.view.composer.attach(each)
