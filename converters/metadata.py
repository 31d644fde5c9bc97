"""The key-value entries of a GGUF file as plain values, before any file is open."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    value: object
    kind: str
    """The GGUF value type by name, such as `UINT32`; `ARRAY` for lists."""

    item_kind: str | None = None
    """The type of a list's items."""


def u32(key: str, value: int) -> Entry:
    return Entry(key, value, "UINT32")


def f32(key: str, value: float) -> Entry:
    return Entry(key, value, "FLOAT32")


def flag(key: str, value: bool) -> Entry:
    return Entry(key, value, "BOOL")


def text(key: str, value: str) -> Entry:
    return Entry(key, value, "STRING")


def i32_list(key: str, values: Sequence[int]) -> Entry:
    return Entry(key, list(values), "ARRAY", "INT32")


def f32_list(key: str, values: Sequence[float]) -> Entry:
    return Entry(key, list(values), "ARRAY", "FLOAT32")


def flag_list(key: str, values: Sequence[bool]) -> Entry:
    return Entry(key, list(values), "ARRAY", "BOOL")


def text_list(key: str, values: Sequence[str]) -> Entry:
    return Entry(key, list(values), "ARRAY", "STRING")
