"""In front of everything while the window is too small for it: a sentence instead of a broken picture."""

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

LEAST = Size(60, 16)


def is_too_small(size: Size) -> bool:
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(ModalScreen[None]):
    def compose(self) -> ComposeResult:
        yield Static()

    def on_mount(self) -> None:
        self._say()

    def on_resize(self) -> None:
        self._say()

    def _say(self) -> None:
        size = self.app.size
        self.query_one(Static).update(
            f"SparkDesk needs a window of {LEAST.width} columns and {LEAST.height} lines; this one has"
            f" {size.width} and {size.height}. Make it larger, or its letters smaller. What runs goes on."
        )
