"""The line at the bottom: the keys that do something now, the most useful first, as many as there is room for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import RenderResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from sparkdesk.ui.keys import APP_GROUP, short

_GAP = 2
_FIRST, _LAST = f"{APP_GROUP}.help", f"{APP_GROUP}.quit"
"""Never left out: where all keys are told, and the way out."""
_AFTER_SCREENS = ("chat.select_above", "chat.origins", "chat.new", "chat.live")
"""Where there is little room, the ways to other screens go first."""


@dataclass(frozen=True, slots=True)
class Shown:
    key_id: str
    key: str
    """As Textual names it, for a click."""
    name: str
    words: str

    @property
    def width(self) -> int:
        return len(self.name) + 1 + len(self.words)


class KeyBar(Widget):
    ALLOW_SELECT = False

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def render(self) -> RenderResult:
        parts: list[str | tuple[str, str]] = []
        for each in self._shown():
            parts += [(each.name, "bold $footer-key-foreground"), f" {each.words}", " " * _GAP]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        place = 0
        for each in self._shown():
            if place <= event.get_content_offset_capture(self).x < place + each.width:
                self.app.simulate_key(each.key)
                return
            place += each.width + _GAP

    def _shown(self) -> list[Shown]:
        """Of the screen in front: keys of one below a dialog would do nothing."""
        return fitting(worth_showing(self.app.screen.active_bindings.values()), self.content_size.width)

    def _redraw(self, screen: Screen[object]) -> None:
        if screen is self.screen:
            self.refresh()


def worth_showing(active: Iterable[ActiveBinding]) -> list[Shown]:
    """One entry an action, of those that can be used now; help first, the way out last."""
    found: dict[str, Shown] = {}
    for _, binding, is_enabled, _ in active:
        if binding.show and is_enabled and binding.action not in found:
            found[binding.action] = Shown(binding.id or "", binding.key, short(binding.key), binding.description)
    return sorted(found.values(), key=_rank)


def fitting(shown: Sequence[Shown], width: int) -> list[Shown]:
    kept = {each.key_id for each in shown if each.key_id in (_FIRST, _LAST)}
    taken = sum(each.width + _GAP for each in shown if each.key_id in kept) - _GAP
    fits = []
    for each in shown:
        if each.key_id not in kept:
            taken += each.width + _GAP
        if each.key_id in kept or taken <= width:
            fits.append(each)
    return fits


def _rank(shown: Shown) -> int:
    if shown.key_id in (_FIRST, _LAST):
        return 0 if shown.key_id == _FIRST else 4
    if shown.key_id in _AFTER_SCREENS:
        return 3
    return 2 if shown.key_id.startswith(f"{APP_GROUP}.") else 1
