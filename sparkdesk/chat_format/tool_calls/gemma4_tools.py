"""Schemas of functions in the words that Gemma 4's template knows: one type each, and `nullable`."""

from collections.abc import Mapping
from typing import Any

_CHOICES = ("anyOf", "oneOf", "allOf")
_NULL = "null"


def with_single_types(schema: object) -> Mapping[str, Any]:
    """The template asks every property for its type, and fails where there is none or there are several."""
    if not isinstance(schema, Mapping):
        return {"type": "object"}
    out = _with_one_type(schema)
    if isinstance(out.get("properties"), Mapping):
        out["properties"] = {name: with_single_types(inner) for name, inner in out["properties"].items()}
    if "items" in out:
        out["items"] = with_single_types(out["items"])
    return out


def _with_one_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return dict(schema)
    choices: list[Mapping[str, Any]]
    if isinstance(kind, list):
        choices = [{"type": each} for each in kind]
    else:
        choices = [each for name in _CHOICES for each in schema.get(name) or () if isinstance(each, Mapping)]
    real = [each for each in choices if each.get("type") != _NULL]
    first = _with_one_type(real[0]) if real else {"type": "string"}
    rest = {name: value for name, value in schema.items() if name not in (*_CHOICES, "type")}
    return {**first, **rest, **({"nullable": True} if len(real) < len(choices) else {})}
