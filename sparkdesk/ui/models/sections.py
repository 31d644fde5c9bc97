"""The names of a screen's sections in one line; the shown one stands out, and a click asks for another."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static


class _Name(Static):
    def __init__(self, key: str, number: int, text: str) -> None:
        super().__init__(Content.assemble((f"{number} ", "$spark-quiet"), text))
        self.key = key

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(Sections.Asked(self.key))


class Sections(Horizontal):
    @dataclass
    class Asked(Message):
        """The user wants to see that section."""

        key: str

    shown: reactive[str] = reactive("")

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        for number, (key, text) in enumerate(self._names.items(), 1):
            yield _Name(key, number, text)

    def watch_shown(self) -> None:
        for name in self.query(_Name):
            name.set_class(name.key == self.shown, "-shown")

    def on_mount(self) -> None:
        self.watch_shown()
