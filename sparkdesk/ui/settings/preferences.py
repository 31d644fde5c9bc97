"""The settings as the screen shows and changes them: what holds, where it comes from, and what F2 may do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.config.checks import flat_keys
from sparkdesk.config.settings import SETTINGS, Setting, Settings, read_values, settings_from

if TYPE_CHECKING:
    from textual.binding import Binding

DEFAULT, FILE, COMMAND_LINE = "default", "file", "command line"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the settings screen."""

    name: str
    """In the settings file."""
    title: str
    """What people call it."""
    value: str
    """What holds, as it can be typed."""
    source: str
    """DEFAULT, FILE or COMMAND_LINE."""
    meaning: str
    wanted: str
    usual: str
    effect: str = ""
    in_file: str = ""
    """What the file says where the command line says something else."""
    key: Binding | None = None
    """The binding whose keys these are; None for a setting."""


_TABLES = ("keys", "presets")
"""Of the file: keys have lines of their own here, presets are written in the file."""


class Preferences:
    """One user's settings file, and what the command line said instead."""

    def __init__(self, path: Path, given: Mapping[str, object] | None = None) -> None:
        self.path = path
        self._given = given or {}
        self._shown: dict[str, Any] = {}

    def read(self) -> Settings:
        """What the file says now, which is then what changes are compared with. Raises UsageError."""
        shown = read_values(self.path)
        settings = settings_from(shown, self.path)
        self._shown = shown
        return settings

    def entries(self) -> list[Entry]:
        """As of the last `read`."""
        return [self._entry(setting) for setting in SETTINGS if setting.name not in _TABLES]

    def key_entries(self, bindings: Iterable[Binding]) -> list[Entry]:
        chosen = flat_keys(self._shown.get("keys", {}))
        return [
            Entry(
                name=binding.id or "",
                title=binding.description,
                value=chosen.get(binding.id or "", binding.key),
                source=FILE if binding.id in chosen else DEFAULT,
                meaning=f"{binding.tooltip or binding.description}.",
                wanted="keys such as f4, ctrl+s or alt+up, with commas between",
                usual=binding.key,
                key=binding,
            )
            for binding in bindings
        ]

    def change(self, entry: Entry, text: str, *, check: Callable[[Settings], object]) -> None:
        """Raises ValueError when it cannot be meant, UsageError or ChangedMeanwhile when it cannot be kept."""
        from sparkdesk.config import settings_file

        if entry.key is not None:
            settings_file.change_key(self.path, entry.name, text.strip(), shown=self._shown, check=check)
        else:
            value = settings_file.typed(entry.name, text)
            settings_file.change(self.path, entry.name, value, shown=self._shown, check=check)

    def change_theme(self, name: str) -> None:
        """Whatever the file said before. Raises UsageError."""
        self.read()
        self.change(next(entry for entry in self.entries() if entry.name == "theme"), name, check=lambda settings: None)

    def reset(self, entry: Entry, *, check: Callable[[Settings], object]) -> None:
        from sparkdesk.config import settings_file

        if entry.key is not None:
            settings_file.change_key(self.path, entry.name, "", shown=self._shown, check=check)
        else:
            settings_file.reset(self.path, entry.name, shown=self._shown, check=check)

    def _entry(self, setting: Setting) -> Entry:
        name = setting.name
        in_file = self._shown.get(name, setting.usual)
        value = self._given.get(name, in_file)
        return Entry(
            name=name,
            title=setting.title,
            value=_typed(value),
            source=COMMAND_LINE if name in self._given else FILE if name in self._shown else DEFAULT,
            meaning=setting.meaning,
            wanted=setting.wanted,
            usual=_typed(setting.usual),
            effect=setting.effect,
            in_file=_typed(in_file) if name in self._given else "",
        )


def _typed(value: object) -> str:
    from sparkdesk.config.settings_file import in_words

    return in_words(value)
