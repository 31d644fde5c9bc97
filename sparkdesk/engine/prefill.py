"""Brings a prompt into the KV cache, decoding only what is not there yet, in steps short enough to be cancelled."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from time import perf_counter

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import BATCH_ROWS, DrafterPart, SavedPart, TargetPart
from sparkdesk.engine.kv_snapshots import common_length
from sparkdesk.engine.round import Prefilled
from sparkdesk.engine.settings import Control
from sparkdesk.errors import ContextFull, EngineError

_FIRST_STEP = 128
_SHORTEST_STEP = 32
_STEP_SECONDS = 0.4
_MOST_SHARE = 0.07
"""Of the target's time, that the draft may take before the first token."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The prompt is in the cache."""

    row: FloatArray  # (vocabulary,) logits after the last prompt token: a view
    reused: int


def check(target: TargetPart, tokens: Sequence[int]) -> None:
    """Raise ContextFull or EngineError if this prompt cannot be answered at all."""
    if not tokens:
        raise EngineError("The prompt is empty.", "Give at least one token.")
    if len(tokens) >= target.context_tokens:
        raise ContextFull(
            f"The prompt has {len(tokens):,} tokens, the context holds {target.context_tokens:,}.",
            "Shorten it, or choose a longer context (--ctx).",
        )
    strange = next((token for token in tokens if not 0 <= token < target.vocabulary_size), None)
    if strange is not None:
        raise EngineError(f"Token {strange} is not in the vocabulary of {target.vocabulary_size:,} tokens.")


def run(
    target: TargetPart,
    drafter: DrafterPart | None,
    *,
    tokens: Sequence[int],
    control: Control,
    absorbs: bool,
    saved: SavedPart | None = None,
) -> Generator[Prefilled, None, Ready | None]:
    """Decode what the cache lacks of `tokens`; returns None when cancelled on the way.

    With `absorbs` the draft follows in large steps, as long as the first token hardly waits for it. What is left waits
    for the first draft.
    """
    began = perf_counter()
    if saved is not None:
        saved.switch(target, drafter, tokens)
    reused = rewind(target, drafter, tokens)
    row, step, decoding_s, absorbing_s = None, _FIRST_STEP, 0.0, 0.0
    while target.length < len(tokens):
        if control.is_cancelled:
            return None
        part = tokens[target.length : _end_of_step(target, step, len(tokens))]
        step_began = perf_counter()
        row = target.decode(part, all_rows=False)[0]
        step_s = perf_counter() - step_began
        step, decoding_s = _next_step(len(part), step_s), decoding_s + step_s
        if drafter is not None:
            drafter.keep(target, len(part))
            if absorbs and drafter.waiting >= BATCH_ROWS and absorbing_s <= _MOST_SHARE * decoding_s:
                absorb_began = perf_counter()
                drafter.absorb()
                absorbing_s += perf_counter() - absorb_began
        if target.needs_checkpoints and target.length == len(tokens) - 1:
            target.checkpoint()
        yield Prefilled(target.length, len(tokens), reused, 1e3 * (perf_counter() - began))
    assert row is not None  # rewind leaves at least the last token to decode
    if saved is not None:
        saved.learn_reading(len(tokens) - reused, 1e3 * (decoding_s + absorbing_s))
    return Ready(row, reused)


def forget(target: TargetPart, drafter: DrafterPart | None) -> None:
    """Leave nothing in the caches that the next prompt could share."""
    target.truncate(0)
    if drafter is not None:
        drafter.truncate(0)


def rewind(target: TargetPart, drafter: DrafterPart | None, tokens: Sequence[int]) -> int:
    """Cut both caches back to the longest prefix they share with `tokens`; returns its length.

    The last token is always decoded again: its logits are needed.
    """
    shared = common_length(target.tokens, tokens[:-1])
    target.truncate(shared)
    while drafter is not None and drafter.length != target.length:  # either may keep less than it was asked to
        drafter.truncate(target.length)
        target.truncate(drafter.length)
    return target.length


def _end_of_step(target: TargetPart, step: int, end: int) -> int:
    """Where a checkpoint is needed, the last token comes alone: a reply that is made again begins there."""
    stop = min(end, target.length + step)
    return end - 1 if target.needs_checkpoints and stop == end and target.length < end - 1 else stop


def _next_step(done: int, seconds: float) -> int:
    """Rows of the next step, so that a slow machine can still be cancelled within half a second or so."""
    fitting = int(done * _STEP_SECONDS / max(seconds, 1e-6)) // _SHORTEST_STEP * _SHORTEST_STEP
    return max(_SHORTEST_STEP, min(BATCH_ROWS, fitting))
