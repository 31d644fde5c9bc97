"""The desk's keys: found in the bindings, changed by the settings file, and written the way people say them.

A binding's id, "group.action", is its name in the file's [keys] table and its place in the help. Nothing is listed
twice: what keys there are is read off the classes that bind them.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Set
from functools import cache

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys, format_key, key_to_character

from sparkdesk.errors import UsageError

APP_GROUP = "desk"
"""Its keys work everywhere, and so must differ from all others."""
GROUPS = {
    "desk": "Everywhere",
    "chat": "Chat",
    "prompt": "Writing",
    "message": "A selected message",
    "conversations": "Conversations",
    "conversation": "This conversation",
    "models": "Models",
    "bench": "Bench",
    "settings": "Settings",
    "fields": "A field of a form",
}
"""Others follow, under their own names."""
_PACKAGE = "sparkdesk.ui"
_AT_THE_PROMPT = (APP_GROUP, "chat", "prompt")
"""Groups whose keys must work while one writes; those of the others are used elsewhere."""
_MODIFIERS = ("ctrl", "alt", "shift", "super", "hyper", "meta")
_WORDS = {
    "escape": "Esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "space": "Space",
    "enter": "Enter",
    "tab": "Tab",
    "backspace": "Backspace",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "insert": "Ins",
}


def keys_of(node: DOMNode, key_id: str) -> tuple[str, ...]:
    """What is bound to it now, as Textual names keys."""
    return split(node.app._keymap.get(key_id) or _default(key_id).key)


def key_name(node: DOMNode, key_id: str) -> str:
    """The first of its keys as a text says it: "Ctrl+R"."""
    return in_words(keys_of(node, key_id)[0])


def in_words(key: str) -> str:
    *modifiers, last = key.split("+")
    said = _WORDS.get(last) or format_key(last)
    is_letter = bool(modifiers) and len(said) == 1
    return "+".join((*(name.title() for name in modifiers), said.upper() if is_letter or _is_function(last) else said))


def short(key: str) -> str:
    """Where there is little room: "^R"."""
    return in_words(key).replace("Ctrl+", "^")


def split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(","))


def loaded() -> dict[str, Binding]:
    """Every binding of ours that has an id, by its id, of the classes that were imported so far."""
    return {binding.id: binding for holder in holders() for binding in bindings_of(holder) if binding.id}


def everything() -> dict[str, Binding]:
    """The same for all there is. Imports every screen, which takes a moment."""
    package = importlib.import_module(_PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return loaded()


def bindings_of(holder: type[DOMNode]) -> Iterator[Binding]:
    """What the class itself binds, not what it inherits."""
    for binding in vars(holder).get("BINDINGS", ()):
        yield binding if isinstance(binding, Binding) else Binding(*binding)


def checked(wanted: Mapping[str, str], known: Mapping[str, Binding]) -> dict[str, str]:
    """The keymap to give to Textual. Raises UsageError naming the first thing wrong.

    Keys that two actions share as they come (Esc does) may stay shared: only one of the two can be meant at a time.
    """
    for key_id in wanted:
        if key_id not in known:
            raise UsageError(
                f"The settings file's [keys] names {key_id}, which is not an action.",
                f"Known are {', '.join(sorted(known))}.",
            )
    keymap = {key_id: tuple(_checked_key(key, known[key_id]) for key in split(keys)) for key_id, keys in wanted.items()}
    groups = {_group(key_id) for key_id in known}
    taken: dict[tuple[str, str], str] = {}
    for key_id, binding in known.items():
        for key in keymap.get(key_id) or split(binding.key):
            for group in _rivals(_group(key_id), groups):
                other = taken.get((group, key))
                is_meant = other and key in split(binding.key) and key in split(known[other].key)
                if other and other != key_id and not is_meant and (key_id in keymap or other in keymap):
                    both = f"The settings file's [keys] gives {in_words(key)} to both {other} and {key_id}."
                    raise UsageError(both, "Give one of them another key.")
            taken.setdefault((_group(key_id), key), key_id)
    return {key_id: ",".join(keys) for key_id, keys in keymap.items()}


def _rivals(group: str, groups: set[str]) -> set[str]:
    """Groups whose keys can be meant at the same time."""
    if group == APP_GROUP:
        return groups
    return {APP_GROUP, group} | (set(_AT_THE_PROMPT) if group in _AT_THE_PROMPT else set())


def _checked_key(key: str, binding: Binding) -> str:
    *modifiers, last = key.lower().split("+") if len(key) > 1 else (key,)
    is_known = last in _key_names() or key_to_character(last) is not None
    if not last or not is_known or any(name not in _MODIFIERS for name in modifiers):
        raise UsageError(
            f"The settings file's [keys] gives {key!r} to {binding.id}, which is not a key.",
            "Keys are written like f4, ctrl+s, alt+up; several with commas between.",
        )
    if _group(binding.id or "") in _AT_THE_PROMPT and _is_written("+".join((*modifiers, last)), binding):
        raise UsageError(
            f"The settings file's [keys] gives {key!r} to {binding.id}, but the prompt needs it for writing.",
            "Take another key with Ctrl or Alt, or a function key.",
        )
    return "+".join((*modifiers, last))


def _is_written(key: str, binding: Binding) -> bool:
    """Whether the key never comes through a text area, or would be missed there."""
    from textual.widgets import TextArea

    character = key_to_character(key)
    if character is not None and character.isprintable():
        return True
    is_editing = any(key == each.key for each in Binding.make_bindings(TextArea.BINDINGS))
    return is_editing and not binding.priority and _group(binding.id or "") != "prompt"


def _group(key_id: str) -> str:
    return key_id.partition(".")[0]


def _is_function(key: str) -> bool:
    return re.fullmatch(r"f\d+", key) is not None


@cache
def _key_names() -> frozenset[str]:
    return frozenset(str(key.value).rpartition("+")[2] for key in Keys)


@cache
def _default(key_id: str) -> Binding:
    return loaded()[key_id]


def holders() -> Iterator[type[DOMNode]]:
    waiting: list[type[DOMNode]] = [DOMNode]
    seen: set[type[DOMNode]] = set()
    while waiting:
        for holder in waiting.pop().__subclasses__():
            if holder not in seen:
                seen.add(holder)
                waiting.append(holder)
                if holder.__module__.startswith(f"{_PACKAGE}."):
                    yield holder


def grouped(bindings: Mapping[str, Binding], here: Set[str] = frozenset()) -> list[tuple[str, list[Binding]]]:
    """By the first half of the id: what can be used here, then everywhere, then elsewhere."""
    groups: dict[str, list[Binding]] = {}
    for key_id, binding in bindings.items():
        groups.setdefault(group_of(key_id), []).append(binding)
    order = list(GROUPS)

    def place(group: str) -> tuple[bool, bool, int]:
        return (
            group not in here,
            group != APP_GROUP,
            order.index(group) if group in order else len(order),
        )

    return [(GROUPS.get(group, group.title()), groups[group]) for group in sorted(groups, key=place) if group != "help"]


def group_of(key_id: str | None) -> str:
    return (key_id or "").partition(".")[0]
