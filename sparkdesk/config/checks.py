"""What a value of the settings file may be: each makes of it what the program takes, or raises ValueError."""

from typing import Any

_LONGEST, _DEEPEST = 4096, 8
MOST_THREADS, MOST_LAYERS = 1024, 4096
MOST_CONTEXT_TOKENS = 1 << 24
"""More than any model was trained with; memory is reckoned from it before a model is there to ask."""
_MOST_MEGABYTES, _MOST_DRAFT = 1 << 24, 256
ALL_LAYERS = -1
AUTO = "auto"
CACHE_TYPES = ("f16", "q8_0", "q4_0")
"""What the target's KV cache may hold its numbers in."""


def count(value: object, *, most: int) -> int:
    # TOML's true is Python's True, which is an int.
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value


def threads(value: object) -> int:
    return count(value, most=MOST_THREADS)


def tokens(value: object) -> int:
    return count(value, most=MOST_CONTEXT_TOKENS)


def layers(value: object) -> int:
    return ALL_LAYERS if value == AUTO else count(value, most=MOST_LAYERS)


def cache_type(value: object) -> str:
    return value if value in CACHE_TYPES and isinstance(value, str) else refuse()


def megabytes(value: object) -> int | None:
    return None if value == AUTO else count(value, most=_MOST_MEGABYTES)


def draft_length(value: object) -> int | None:
    if value == AUTO:
        return None
    return count(value, most=_MOST_DRAFT) or refuse()


def switch(value: object) -> bool:
    return value if isinstance(value, bool) else refuse()


def word(value: object) -> str:
    return value if isinstance(value, str) and value and len(value) <= _LONGEST and "\0" not in value else refuse()


def folders(value: object) -> tuple[str, ...]:
    return tuple(word(each) for each in value) if isinstance(value, list) else refuse()


def number(value: object) -> float:
    """TOML's true is Python's True, which is a number; its nan is one too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 < value < 1e6:
        raise ValueError
    return float(value)


def share(value: object) -> float:
    return number(value) if 0 <= number(value) <= 1 else refuse()


def not_negative(value: object) -> float:
    return number(value) if number(value) >= 0 else refuse()


def text(value: object) -> str:
    return value if isinstance(value, str) else refuse()


def flat_keys(value: object, depth: int = 0) -> dict[str, str]:
    """TOML makes a table of the dots in chat.reload; the names are whole again here. Raises ValueError."""
    flat: dict[str, str] = {}
    if depth > _DEEPEST:
        raise ValueError
    for name, keys in (value if isinstance(value, dict) else refuse()).items():
        inner = flat_keys(keys, depth + 1) if isinstance(keys, dict) else {"": word(keys)}
        flat |= {f"{name}.{last}".rstrip("."): key for last, key in inner.items()}
    return flat


def refuse() -> Any:
    raise ValueError
