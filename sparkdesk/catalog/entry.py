"""One pair of the catalogue, checked field by field as it is read from TOML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RELEASED, COMMUNITY = "released", "community"

SYNTHETIC_PAIR, SYNTHETIC_TARGET, NOT_RUN = "synthetic pair", "synthetic target", ""
CHECKED = {
    SYNTHETIC_PAIR: "Checked by us: exact on a synthetic pair of this shape. The real one was not run by us.",
    SYNTHETIC_TARGET: "Checked by us: exact on a synthetic target of this architecture. The pair was not run by us.",
    NOT_RUN: "Not run by us.",
}
"""How far a pair was tried by those who list it, in words."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class BadEntry(ValueError):
    """What is wrong, in words that begin with the field's name."""


@dataclass(frozen=True, slots=True)
class GgufSource:
    """Somebody's ready-made GGUF files."""

    repository: str
    quantizations: tuple[str, ...] = ()
    """Those known to be there; the hub is asked for the files themselves."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    checkpoint: str
    """Repository or folder of the original; empty where there is only GGUF."""
    gguf: tuple[GgufSource, ...]
    licence: str


@dataclass(frozen=True, slots=True)
class PairEntry:
    name: str
    title: str
    kind: str
    """RELEASED by DeepSpec's authors, or from the COMMUNITY."""
    target: ModelEntry
    draft: ModelEntry
    notes: tuple[str, ...] = ()
    checked: str = NOT_RUN
    """One of CHECKED."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know of it, and how far it was tried."""
        return (*self.notes, CHECKED[self.checked])


def read_entry(given: Mapping[str, Any]) -> PairEntry:
    fields = _Fields(given, "")
    fields.only("name", "title", "kind", "target", "draft", "notes", "checked")
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        raise BadEntry(f"name is {name!r}, but must be of small letters, digits, dots and dashes")
    kind = fields.text("kind", COMMUNITY)
    if kind not in (RELEASED, COMMUNITY):
        raise BadEntry(f"kind is {kind!r}, but must be {RELEASED!r} or {COMMUNITY!r}")
    checked = fields.text("checked", NOT_RUN)
    if checked not in CHECKED:
        known = " or ".join(repr(each) for each in CHECKED if each)
        raise BadEntry(f"checked is {checked!r}, but must be {known}, or left out")
    target, draft = _model(fields, "target"), _model(fields, "draft")
    return PairEntry(name, fields.text("title", name), kind, target, draft, fields.texts("notes"), checked)


def _model(pair: "_Fields", role: str) -> ModelEntry:
    fields = _Fields(pair.table(role), f"{role}.")
    fields.only("checkpoint", "gguf", "licence")
    sources = tuple(_gguf_source(table, f"{role}.gguf.") for table in fields.tables("gguf"))
    model = ModelEntry(fields.text("checkpoint", ""), sources, fields.text("licence", ""))
    if not model.checkpoint and not model.gguf:
        raise BadEntry(f"{role} has neither a checkpoint nor gguf")
    return model


def _gguf_source(given: Mapping[str, Any], path: str) -> GgufSource:
    fields = _Fields(given, path)
    fields.only("repository", "quantizations")
    return GgufSource(fields.text("repository"), tuple(each.upper() for each in fields.texts("quantizations")))


class _Fields:
    def __init__(self, given: Mapping[str, Any], path: str) -> None:
        self._given, self._path = given, path

    def only(self, *known: str) -> None:
        for name in self._given:
            if name not in known:
                raise BadEntry(f"{self._path}{name} is not known; known are {', '.join(known)}")

    def text(self, name: str, otherwise: str | None = None) -> str:
        value = self._given.get(name, otherwise)
        if not isinstance(value, str) or (otherwise is None and not value):
            raise self._wrong(name, "a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._given.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(name, "a list of texts")
        return tuple(value)

    def table(self, name: str) -> Mapping[str, Any]:
        value = self._given.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "a table")
        return value

    def tables(self, name: str) -> list[Mapping[str, Any]]:
        value = self._given.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self._wrong(name, "a list of tables")
        return value

    def _wrong(self, name: str, wanted: str) -> BadEntry:
        if name not in self._given:
            return BadEntry(f"{self._path}{name} is missing")
        return BadEntry(f"{self._path}{name} is {self._given[name]!r}, but must be {wanted}")
