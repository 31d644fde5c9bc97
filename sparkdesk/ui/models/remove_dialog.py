"""Asks before something is removed: what goes, what it frees, and what else would lose it."""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sparkdesk.library.removal import Removal
from sparkdesk.safe_text import safe_line
from sparkdesk.sizes import size_in_words
from sparkdesk.ui.keys import key_name


class Choice(Static):
    def __init__(self, text: str, action: str) -> None:
        super().__init__(Content.assemble(("▸ ", "$primary"), text))
        self._action = action

    async def on_click(self) -> None:
        await self.screen.run_action(self._action)


_MOST_PATHS = 8


class RemoveScreen(ModalScreen[bool]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Remove", show=False, tooltip="Remove it", id="remove.yes"),
        Binding("escape,n", "answer(False)", "Keep", show=False, tooltip="Keep it", id="remove.no"),
    ]

    def __init__(self, removal: Removal) -> None:
        super().__init__()
        self._removal = removal

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Static(f"Remove {safe_line(self._removal.what)}?", classes="title", markup=False)
            yield Static(Content("\n").join(_lines(self._removal)))
            yield Choice(
                f"{key_name(self, 'remove.yes')} removes it and frees {size_in_words(self._removal.freed_bytes)}",
                "answer(True)",
            )
            yield Choice(f"{key_name(self, 'remove.no')} cancels", "answer(False)")

    def action_answer(self, is_yes: bool) -> None:
        self.dismiss(is_yes)


def _lines(removal: Removal) -> Iterator[Content]:
    paths = (*removal.folders, *removal.files)
    for path in paths[:_MOST_PATHS]:
        yield Content.styled(safe_line(str(path)), "$spark-quiet")
    if len(paths) > _MOST_PATHS:
        yield Content.styled(f"and {len(paths) - _MOST_PATHS} more files", "$spark-quiet")
    for owner in removal.outside:
        yield Content.styled(f"This is in {owner}.", "$warning")
    if removal.losers:
        yield Content.styled(
            f"Without it these pairs no longer work: {safe_line(', '.join(removal.losers))}.", "$error"
        )
    for path in removal.kept:
        yield Content(f"{safe_line(str(path))} is kept: it is in another folder and can be removed separately.")
