"""The list of the settings screen, and the words about the line in front."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sparkdesk.ui.keys import in_words, split
from sparkdesk.ui.settings.preferences import COMMAND_LINE, DEFAULT, Entry

_MARK = 2
_TITLE, _NAME, _SOURCE = 26, 17, 12
"""Cells of the columns; the value has what is left. The longest name of a setting has 16 letters."""
_LEAST_VALUE = 12
_CHANGED = {DEFAULT: " ", COMMAND_LINE: "-"}


class SettingRows(OptionList):
    """One line each: what it is called, its value, and where that comes from."""

    def show(self, settings: Sequence[Entry], keys: Sequence[Entry]) -> None:
        """Everything anew, with the same line in front."""
        before = self.highlighted
        self.clear_options()
        # Of a key, the name is as long as its group and its action are: it gets a line's end instead of a column.
        self.add_options(Option(_line(entry, self.size.width), id=entry.name) for entry in settings)
        self.add_option(Option(Content("Keys"), disabled=True))
        self.add_options(Option(_line(entry, self.size.width), id=entry.name) for entry in keys)
        self.highlighted = 0 if before is None else before


def _line(entry: Entry, width: int) -> Content:
    """Title, value, name in the file, and where the value comes from, as far as there is room."""
    is_usual = entry.source == DEFAULT
    room = max(_LEAST_VALUE, width - _MARK - _TITLE - _NAME - _SOURCE - 4)
    name = _NAME + _SOURCE if entry.key else _NAME
    return Content.assemble(
        (_CHANGED.get(entry.source, "•").ljust(_MARK), "$primary"),
        (_column(entry.title, _TITLE), "$foreground"),
        (_column(shown_value(entry), room), "$spark-quiet" if is_usual else "bold $foreground"),
        (_column(entry.name, name), "$spark-quiet"),
        ("" if is_usual or entry.key else entry.source, "$spark-quiet"),
    )


def _column(text: str, width: int) -> str:
    """So wide, with a space at its end: columns never touch."""
    return (text if len(text) < width else f"{text[: width - 2]}…").ljust(width)


def shown_value(entry: Entry) -> str:
    return " or ".join(in_words(key) for key in split(entry.value)) if entry.key else entry.value or "none"


def about(entry: Entry, *, reload_key: str) -> Content:
    """What the setting means, what it may be, and what holds."""
    usual = " or ".join(in_words(key) for key in split(entry.usual)) if entry.key else entry.usual or "none"
    words = [(f"{entry.meaning}\n", "$foreground"), (f"Allowed: {entry.wanted}. Default: {usual}.", "$spark-quiet")]
    if entry.in_file:
        words.append((f" The command line overrides the file, which has {entry.in_file}.", "$spark-quiet"))
    if entry.effect:
        how = f" ({reload_key})" if "reload" in entry.effect else ""
        words.append((f" Applies {entry.effect}{how}.", "$spark-quiet"))
    return Content.assemble(*words)
