"""All keys, read off the bindings themselves: help cannot go stale."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sparkdesk.ui.keys import in_words
from sparkdesk.ui.widgets.prompt import Prompt

_AUTO = "Draft auto: the engine chooses, and parks where drafts would cost time."


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close", show=False, id="help.close"),
    ]

    def __init__(self, bindings: Iterable[ActiveBinding]) -> None:
        super().__init__()
        self._active = list(bindings)

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static("Keys", classes="title")
            yield Static(Content("\n").join(self._lines()))
            yield Static(_AUTO, classes="lead")
            yield Static("Esc closes", classes="lead")

    def _lines(self) -> list[Content]:
        by_place = sorted(self._active, key=_place)
        own = [each.binding for each in by_place if not each.binding.system]
        keys: dict[str, tuple[list[str], str]] = {}
        for binding in _worth_showing(own):
            words = binding.tooltip or binding.description
            keys.setdefault(binding.action, ([], words))[0].append(in_words(binding.key))
        return [Content.assemble((f"{', '.join(names):>20}  ", "$primary"), words) for names, words in keys.values()]


def _place(active: ActiveBinding) -> tuple[bool, int]:
    """The desk's keys before the prompt's, and within each as their class lists them."""
    actions = [binding.action for binding in Binding.make_bindings(type(active.node).BINDINGS)]
    position = actions.index(active.binding.action) if active.binding.action in actions else len(actions)
    return isinstance(active.node, Prompt), position


def _worth_showing(bindings: Iterable[Binding]) -> Iterable[Binding]:
    """The desk's own keys and the prompt's; not the dozens of cursor keys that every text field has."""
    prompt_actions = {binding.action for binding in Binding.make_bindings(Prompt.BINDINGS)}
    for binding in bindings:
        if binding.show or binding.tooltip or binding.action in prompt_actions:
            yield binding
