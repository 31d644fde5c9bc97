"""The list of the settings screen, and the words about the line in front."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sparkdesk.ui.keys import in_words, split
from sparkdesk.ui.settings.preferences import COMMAND_LINE, DEFAULT, Entry

_NAME, _KEY, _SOURCE = 26, 18, 12
_CHANGED = {DEFAULT: " ", COMMAND_LINE: "-"}


class SettingRows(OptionList):
    """One line each: what it is called, its value, and where that comes from."""

    def show(self, settings: Sequence[Entry], keys: Sequence[Entry]) -> None:
        """Everything anew, with the same line in front."""
        before = self.highlighted
        width = max(20, self.size.width - _NAME - _SOURCE - 8)
        self.clear_options()
        self.add_options(Option(_line(entry, width), id=entry.name) for entry in settings)
        self.add_option(Option(Content("Keys"), disabled=True))
        self.add_options(Option(_line(entry, width), id=entry.name) for entry in keys)
        self.highlighted = 0 if before is None else before


def _line(entry: Entry, width: int) -> Content:
    is_usual = entry.source == DEFAULT
    room = _KEY if entry.key else width
    value = shown_value(entry)
    value = value if len(value) < room else value[: room - 2] + "…"
    return Content.assemble(
        (_CHANGED.get(entry.source, "•") + " ", "$primary"),
        (entry.name.ljust(_NAME), "$foreground"),
        (value.ljust(room), "$spark-quiet" if is_usual else "bold $foreground"),
        (entry.meaning[: max(0, width - 6)] if entry.key else "" if is_usual else entry.source, "$spark-quiet"),
    )


def shown_value(entry: Entry) -> str:
    return " or ".join(in_words(key) for key in split(entry.value)) if entry.key else entry.value or "none"


def about(entry: Entry, *, reload_key: str) -> Content:
    """What the setting means, what it may be, and what holds."""
    usual = " or ".join(in_words(key) for key in split(entry.usual)) if entry.key else entry.usual or "none"
    words = [(f"{entry.meaning}\n", "$foreground"), (f"May be {entry.wanted}. By default {usual}.", "$spark-quiet")]
    if entry.in_file:
        words.append((f" The command line holds till the end; the file says {entry.in_file}.", "$spark-quiet"))
    if entry.effect:
        how = f" ({reload_key})" if "load" in entry.effect else ""
        words.append((f" A change {entry.effect}{how}.", "$spark-quiet"))
    return Content.assemble(*words)
