"""Keys in groups, by the first half of their ids, in the order in which people look for them."""

from collections.abc import Mapping, Set

from textual.binding import Binding

from sparkdesk.ui.keys import APP_GROUP

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
