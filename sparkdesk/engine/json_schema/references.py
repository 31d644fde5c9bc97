"""Places of a schema, and what a $ref points to within it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sparkdesk.engine.json_schema.refusal import refusal, shown

_MOST_STEPS = 8_000


@dataclass(slots=True, eq=False, weakref_slot=True)
class Work:
    """What has been looked at so far: references and alternatives can multiply a small schema without end."""

    steps: int = 0

    def spend(self, steps: int, path: str) -> None:
        """Raises GrammarError where it comes to too much."""
        self.steps += steps
        if self.steps > _MOST_STEPS:
            raise refusal("its references and alternatives multiply too much", path)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A schema within a schema."""

    schema: Any
    root: Any
    """The schema its references begin at: the whole, or the innermost part with an $id."""
    path: str
    """For people: properties.name."""
    work: Work

    @property
    def key(self) -> tuple[int, int]:
        return id(self.schema), id(self.root)

    def inner(self, schema: Any, *names: object) -> "Node":
        root = schema if isinstance(schema, Mapping) and isinstance(schema.get("$id"), str) else self.root
        return Node(schema, root, ".".join(filter(None, (self.path, *map(str, names)))), self.work)

    def resolved(self) -> "Node":
        """What its $ref points to. Raises GrammarError."""
        reference = self.schema["$ref"]
        if not isinstance(reference, str):
            raise refusal("a $ref must be a string", self.path)
        if reference == "#" or reference == self.root_id:
            return Node(self.root, self.root, "#", self.work)
        place, _, fragment = reference.partition("#")
        if place and place != self.root_id:
            raise refusal(f"$ref {shown(reference)!r} points outside the schema, where nothing is fetched", self.path)
        found = self._pointed(fragment) if fragment.startswith("/") else self._anchored(self.root, fragment, 0)
        if found is None:
            raise refusal(f"$ref {shown(reference)!r} points to nothing", self.path)
        return Node(found, self.root, shown(reference), self.work)

    @property
    def root_id(self) -> object:
        return self.root.get("$id") if isinstance(self.root, Mapping) else None

    def _pointed(self, pointer: str) -> Any | None:
        found = self.root
        for step in unquote(pointer).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found

    def _anchored(self, schema: Any, name: str, depth: int) -> Any | None:
        if isinstance(schema, Mapping):
            if schema.get("$anchor") == name:
                return schema
            schema = list(schema.values())
        if isinstance(schema, list):
            for each in schema:
                found = self._anchored(each, name, depth + 1)
                if found is not None:
                    return found
        return None
