"""One lane of a race: the text as it came, how fast it comes, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Digits, Static

from sparkdesk.bench.race_arm import RaceArm, Seen, Step, seen_at
from sparkdesk.ui.shared import bars, numbers

_READING = "reading the prompt …"
FIRST, SECOND, DONE = 1, 2, 3
_PLACES = {FIRST: "⚑ first", SECOND: "second", DONE: "done"}


class RaceArmView(Vertical):
    """Shows a lane at a moment of its time. What the draft had proposed has the colour of speculation."""

    place: reactive[int] = reactive(0)
    """FIRST or SECOND where the lanes are equally long, else DONE; 0 for one that is still running."""

    def __init__(self, name: str, *, id: str, glyph: str) -> None:
        super().__init__(id=id)
        self._name, self._glyph = name, glyph
        self._arm: RaceArm | None = None
        self._shown = -1
        """How many steps the text has; -1 before the first look."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="text"):
            yield Static(classes="words")
        with Horizontal(classes="speed"):
            yield Digits("0", classes="digits")
            yield Static("tok/s", classes="unit")
        yield Static(classes="track")

    def on_mount(self) -> None:
        self.watch_place()

    def begin(self, arm: RaceArm) -> None:
        self._arm, self._shown = arm, -1
        self.place = 0
        self.show_at(0.0)

    def show_at(self, at_ms: float) -> Seen | None:
        """What was there then; None before a race."""
        if self._arm is None:
            return None
        seen = seen_at(self._arm, at_ms)
        if seen.steps != self._shown:
            self._shown = seen.steps
            words = Content.assemble(*_words(self._arm.steps[: seen.steps])) if seen.steps else _READING
            self.query_one(".words", Static).update(words)
            self.call_after_refresh(self._follow)
        speed = numbers.speed(seen.tokens_per_second)
        self.query_one(Digits).update("0" if speed == numbers.UNKNOWN else speed)
        self._show_track(seen)
        now_ms = min(at_ms, self._arm.finish_ms)
        total = numbers.tokens(seen.tokens)
        self.border_subtitle = f"{total} · {now_ms / 1e3:.2f} s"
        return seen

    def _follow(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def watch_place(self) -> None:
        words = _PLACES.get(self.place, "")
        self.border_title = f"{self._glyph} {self._name}" + (f" · {words}" if words else "")
        self.set_class(self.place == FIRST, "-first")

    def _show_track(self, seen: Seen) -> None:
        track = self.query_one(".track", Static)
        width = max(0, track.content_size.width)
        filled = bars.bar(seen.share, width).rstrip()
        track.update(Content.assemble(filled, ("·" * (width - len(filled)), "$spark-faint")))


def _words(steps: Iterable[Step]) -> Iterable[str | tuple[str, str]]:
    for step in steps:
        for piece in step.pieces:
            if piece.text:
                yield (piece.text, "$primary") if piece.is_drafted else piece.text
