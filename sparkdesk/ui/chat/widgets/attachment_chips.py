"""The files that go with the next message, each with its size in tokens and a way to take it off again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import HorizontalGroup
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.chat.messages import Attachment
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.shared import numbers

_LONGEST_NAME = 24


@dataclass
class ChipRemoved(Message):
    """The user takes a file off."""

    index: int


class Chip(Widget, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("delete,backspace,enter", "remove", "Take the file off", show=False, id="chips.remove"),
    ]

    def __init__(self, index: int, name: str, tokens: int | None) -> None:
        super().__init__()
        self._index, self._file_name, self._tokens = index, safe_line(name), tokens
        self.tooltip = Content(f"{self._file_name}: click, or Delete, takes it off")

    def render(self) -> RenderResult:
        name = Content(self._file_name).truncate(_LONGEST_NAME, ellipsis=True)
        size = " … " if self._tokens is None else f" {numbers.tokens(self._tokens)} "
        return Content.assemble(("▤ ", "$primary"), name, (size, "$spark-quiet"), ("✕", "bold"))

    def on_click(self) -> None:
        self.action_remove()

    def action_remove(self) -> None:
        self.post_message(ChipRemoved(self._index))


class AttachmentChips(HorizontalGroup):
    """Hidden where there are none."""

    attachments: reactive[tuple[Attachment, ...]] = reactive((), recompose=True)
    sizes: reactive[Mapping[Attachment, int]] = reactive({}, recompose=True)
    """Tokens of each, as far as they were counted."""

    def compose(self) -> ComposeResult:
        for index, each in enumerate(self.attachments):
            yield Chip(index, each.name, self.sizes.get(each))

    def watch_attachments(self, attachments: tuple[Attachment, ...]) -> None:
        self.display = bool(attachments)
