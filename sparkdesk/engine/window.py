"""Sliding-window layers: whether their cache keeps the whole context or little more than the window."""

from dataclasses import dataclass

from sparkdesk.engine.interfaces import BATCH_ROWS
from sparkdesk.gguf.header import ArrayLength, GgufFile

_BYTES = 2  # of a float16 in the KV cache
_MOST_SHARE = 0.15
"""Of the free memory, that keeping the whole context may take."""


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """How a target's sliding-window layers are cached."""

    keeps_whole: bool = True
    note: str = ""
    """For the user, where the cache is cut short."""


def plan_window(target: GgufFile, *, window: int, context_tokens: int, free_bytes: int) -> WindowPlan:
    """Keep the whole context where memory allows: then an edited conversation need not be read again.

    `window` is 0 for a model without such layers, `free_bytes` where it is not known.
    """
    extra_tokens = context_tokens - window - BATCH_ROWS
    if not window or extra_tokens <= 0:
        return WindowPlan()
    extra_bytes = extra_tokens * bytes_per_token(target)
    if not free_bytes or extra_bytes <= _MOST_SHARE * free_bytes:
        return WindowPlan()
    return WindowPlan(
        False,
        f"To save {extra_bytes / 1e9:.1f} GB, the layers that look back {window:,} tokens keep little more than that: "
        "after a change further up, a conversation is read again from its start.",
    )


def bytes_per_token(target: GgufFile) -> int:
    """Keys and values of one token in all sliding-window layers."""
    kv_heads = _per_layer(target, "attention.head_count_kv")
    is_sliding = _per_layer(target, "attention.sliding_window_pattern")
    width = _number(target, "attention.key_length_swa") or _number(target, "attention.key_length")
    value_width = _number(target, "attention.value_length_swa") or width
    heads = sum(int(count) for count, slides in zip(kv_heads, is_sliding, strict=False) if slides)
    return heads * (width + value_width) * _BYTES


def _per_layer(target: GgufFile, name: str) -> tuple[int | float | bool, ...]:
    """A value for every layer, also where the file gives one for all of them."""
    found = target.metadata.get(f"{target.architecture}.{name}")
    if isinstance(found, ArrayLength):
        return found.numbers
    layers = _number(target, "block_count")
    return (int(found) if isinstance(found, int | float) else 1,) * layers


def _number(target: GgufFile, name: str) -> int:
    return target.whole_number(f"{target.architecture}.{name}")
