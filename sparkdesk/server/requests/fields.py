"""Reads the fields of a JSON object, each checked, each refused with a sentence that names it."""

import math
from collections.abc import Mapping, Sequence
from typing import NoReturn, cast

from sparkdesk.server.errors import bad_request
from sparkdesk.server.requests.decoding import kind_of


class Fields:
    """A JSON object of a request. null counts as not given, as OpenAI's clients send it."""

    def __init__(self, given: object, where: str = "") -> None:
        self._where = where
        if not isinstance(given, Mapping):
            self.refuse("", f"must be a JSON object, not {kind_of(given)}")
        self.given = cast(Mapping[str, object], given)

    def path(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where and name else self._where or name

    def refuse(self, name: str, must: str) -> NoReturn:
        path = self.path(name)
        raise bad_request(f"{path or 'The body'} {must}.", param=path or None)

    def has(self, name: str) -> bool:
        return self.given.get(name) is not None

    def number(self, name: str, otherwise: float, *, least: float, most: float) -> float:
        value = self.given.get(name)
        if value is None:
            return otherwise
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(name, f"must be a number, not {kind_of(value)}")
        if not least <= value <= most or not math.isfinite(value):
            self.refuse(name, f"must be from {least:g} to {most:g}")
        return float(value)

    def whole(self, name: str, otherwise: int, *, least: int, most: int) -> int:
        value = self.given.get(name)
        if value is None:
            return otherwise
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int:
            self.refuse(name, f"must be a whole number, not {kind_of(value)}")
        if not least <= value <= most:
            self.refuse(name, f"must be from {least} to {most}")
        return value

    def switch(self, name: str, otherwise: bool) -> bool:
        value = self.given.get(name)
        if value is None:
            return otherwise
        if not isinstance(value, bool):
            self.refuse(name, f"must be true or false, not {kind_of(value)}")
        return value

    def text(self, name: str, otherwise: str = "") -> str:
        value = self.given.get(name)
        if value is None:
            return otherwise
        if not isinstance(value, str):
            self.refuse(name, f"must be a string, not {kind_of(value)}")
        return value

    def needed_text(self, name: str) -> str:
        text = self.text(name)
        if not text:
            self.refuse(name, "is missing" if not self.has(name) else "must not be empty")
        return text

    def items(self, name: str) -> Sequence[object]:
        value = self.given.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(name, f"must be an array, not {kind_of(value)}")
        return value

    def inner(self, name: str) -> "Fields | None":
        return Fields(self.given[name], self.path(name)) if self.has(name) else None

    def others(self, known: frozenset[str]) -> tuple[str, ...]:
        """Paths of the fields that are given beside the known ones."""
        return tuple(self.path(name) for name in self.given if name not in known and self.has(name))
