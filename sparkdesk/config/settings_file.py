"""Changes single settings in the user's file, and leaves everything else there as it was written.

The file is read anew for every change and renamed into place whole, so what an editor saved meanwhile is kept; where it
changed the very setting in question, the user is asked instead.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkdesk.atomic_file import write_whole
from sparkdesk.config.checks import flat_keys
from sparkdesk.config.settings import SETTINGS, Setting, Settings, parsed, read_text, settings_from
from sparkdesk.errors import SparkDeskError, UsageError
from sparkdesk.local_path import real_path

_BEGINNING = "# SparkDesk's settings. F2 on the screen changes them too, and leaves what you write here as it is.\n\n"
_MOST_TRIES = 5

Values = Mapping[str, Any]
"""A file as it was read: values by name."""


class ChangedMeanwhile(SparkDeskError):
    """Someone else changed the same setting since it was shown."""


def setting_named(name: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.name == name)


def typed(name: str, text: str) -> object:
    """The value that a user means by what was typed, quotes or not. Raises ValueError when it cannot be one."""
    setting, text = setting_named(name), text.strip()
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        value = text
    if isinstance(setting.usual, list) and isinstance(value, str):
        value = [folder.strip() for folder in value.split(",") if folder.strip()]
    setting.check(value)
    return value


def in_words(value: object) -> str:
    """The way it can be typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


Check = Callable[[Settings], object]
"""Raises UsageError for what only the screen can tell to be wrong, before anything is written."""


def change(path: Path, name: str, value: object, *, shown: Values, check: Check | None = None) -> None:
    """Set `name`, whose value was `shown` (nothing there: the default) when the user decided.

    Raises ChangedMeanwhile, or UsageError when the file cannot be read, understood or written.
    """

    def edit(document: Any) -> None:
        document[name] = value

    _rewrite(path, _Place(name, lambda values: values.get(name), edit), shown, check)


def reset(path: Path, name: str, *, shown: Values, check: Check | None = None) -> None:
    """Back to the default: without the line."""

    def edit(document: Any) -> None:
        document.pop(name, None)

    _rewrite(path, _Place(name, lambda values: values.get(name), edit), shown, check)


def change_key(path: Path, key_id: str, keys: str, *, shown: Values, check: Check | None = None) -> None:
    """Give an action of the screen other keys; none is its default."""

    def edit(document: Any) -> None:
        import tomlkit

        table = document.setdefault("keys", tomlkit.table())
        _drop(table, key_id.split("."))
        table.pop(key_id, None)
        if keys:
            table[key_id] = keys

    def look(values: Values) -> object:
        return flat_keys(values.get("keys", {})).get(key_id)

    _rewrite(path, _Place(key_id, look, edit), shown, check)


@dataclass(frozen=True, slots=True)
class _Place:
    """One setting in a file."""

    name: str
    look: Callable[[Values], object]
    edit: Callable[[Any], None]


def _drop(table: Any, names: list[str]) -> None:
    """Both `chat.reload` and `[keys.chat] reload` are tables within tables."""
    first, *rest = names
    if first in table and rest and isinstance(table[first], Mapping):
        _drop(table[first], rest)
        if not table[first]:
            del table[first]
    elif not rest:
        table.pop(first, None)


def _rewrite(path: Path, place: _Place, shown: Values, check: Check | None) -> None:
    path = real_path(path)  # a link to the file among one's dotfiles stays one
    for _ in range(_MOST_TRIES):
        text = read_text(path)
        settings_from(now := parsed(text, path), path)
        if place.look(now) != place.look(shown):
            what = f"{place.name} was changed in {path} meanwhile."
            raise ChangedMeanwhile(what, "Look at it, and change it if you will.")
        changed = _edited(text or _BEGINNING, place, path)
        settings = settings_from(parsed(changed, path), path)  # nothing is written that would not be read
        if check is not None:
            check(settings)
        if read_text(path) == text:
            _write(path, changed)
            return
    raise UsageError(f"{path} keeps changing.", "Is another program writing it?")


def _edited(text: str, place: _Place, path: Path) -> str:
    import tomlkit

    try:
        document = tomlkit.parse(text)
        place.edit(document)
        return tomlkit.dumps(document)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{path} is written in a way that cannot be changed here.", "Mend it in an editor.") from error


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", "Nothing was changed.") from error
