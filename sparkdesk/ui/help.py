"""All keys, read off the bindings themselves, and what the marks mean: help cannot go stale."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sparkdesk.ui import keys
from sparkdesk.ui.chat import token_origins
from sparkdesk.ui.chat.slash_commands import HELP
from sparkdesk.ui.chat.widgets.gain_sections import DRAFT, REST, VERIFY
from sparkdesk.ui.chat.widgets.speculation_switch import NONE, OFF, ON, PARKED
from sparkdesk.ui.keys import group_of, grouped, in_words, keys_of


@dataclass(frozen=True, slots=True)
class Symbol:
    mark: str
    meaning: str
    style: str


SYMBOLS = (
    Symbol(ON, "speculation is on: the draft proposes", "$primary"),
    Symbol(PARKED, "on but parked: drafts would cost time here", "$spark-calm"),
    Symbol(OFF, "speculation is off: plain decoding", "$foreground"),
    Symbol(NONE, "no draft can be used; why is said beside it", "$warning"),
    Symbol("draft auto · 3", "the engine chooses how many tokens: 3 now", "$primary"),
    Symbol("━", "speed with speculation, under the chart", "$primary"),
    Symbol("╌", "speed without", "$spark-calm"),
    Symbol("┈", "where plain decoding would be", "$spark-quiet"),
    Symbol(f"{DRAFT} {VERIFY} {REST}", "time per round: drafting, verifying, other", "$primary"),
    Symbol("1 ░▒▓█··", "how often the first drafted token is accepted", "$primary"),
    *(
        Symbol("abc", f"a token's origin: {words}", token_origins.STYLES[source])
        for source, words in token_origins.WORDS.items()
    ),
    Symbol("✗", "what went wrong", "$error"),
    Symbol("!", "what to know", "$warning"),
    Symbol("■", "ended before its end", "$error"),
)


_KEYS, _WORDS = 20, 51


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", show=False, id="help.close"),
        Binding("up", "scroll(-1)", "Up", show=False, id="help.up"),
        Binding("down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("pageup", "scroll(-10)", "Page up", show=False, id="help.page_up"),
        Binding("pagedown", "scroll(10)", "Page down", show=False, id="help.page_down"),
    ]

    def __init__(self, active: Iterable[ActiveBinding]) -> None:
        """`active` are the keys of the screen in front, whose groups come first."""
        super().__init__()
        self._here = {group_of(each.binding.id) for each in active if each.binding.id} - {keys.APP_GROUP}

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(placeholder="Type to search · Up and Down scroll · Esc closes", compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(id="keys")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._show("")

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        self._show(event.value)
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _show(self, sought: str) -> None:
        lines = list(self._lines(sought.strip().lower()))
        self.query_one("#keys", Static).update(Content("\n").join(lines or [Content("No matches.")]))

    def _lines(self, sought: str) -> Iterator[Content]:
        for title, bindings in grouped(keys.everything(), self._here):
            lines = [Symbol(_said(keys_of(self, each.id or "")), _words(each), "$primary") for each in bindings]
            names = [f"{each.id} {each.description}" for each in bindings]
            yield from _section(title, zip(lines, names, strict=True), sought)
        commands = ((Symbol(f"/{name}", words, "$primary"), "") for name, words in HELP.items())
        yield from _section("Commands, written at the prompt", commands, sought)
        yield from _section("What the marks mean", ((each, "") for each in SYMBOLS), sought)


def _section(title: str, lines: Iterable[tuple[Symbol, str]], sought: str) -> Iterator[Content]:
    """Each with other words it may be sought by; the heading only where something was found."""
    found = [line for line, names in lines if sought in f"{title} {line.mark} {line.meaning} {names}".lower()]
    if found:
        yield Content.styled(title, "bold")
    for line in found:
        first, *rest = wrap(line.meaning, _WORDS)
        yield Content.assemble(" " * (_KEYS - len(line.mark)), (line.mark, line.style), f"  {first}")
        yield from (Content(" " * (_KEYS + 2) + words) for words in rest)
    if found:
        yield Content("")


def _said(names: tuple[str, ...]) -> str:
    """As many of them as there is room for; the settings screen shows all."""
    said = in_words(names[0])
    for name in names[1:]:
        longer = f"{said}, {in_words(name)}"
        said = longer if len(longer) <= _KEYS else said
    return said


def _words(binding: Binding) -> str:
    return binding.tooltip or binding.description
