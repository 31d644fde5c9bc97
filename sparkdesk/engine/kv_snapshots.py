"""Conversations put aside while another one is in the caches, so that coming back to one need not read it again.

A few of them, in memory, as many as a budget allows; what was put aside longest ago goes first. Each is kept only
where copying it back is quicker than reading it again, by what both have cost here. Knows no llama.cpp.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from sparkdesk.engine.interfaces import DrafterPart, DraftState, TargetPart, TargetState

_LEAST_TOKENS = 32
"""Fewer are read again faster than anybody notices."""
_FIRST_BYTES_PER_MS = 1e6  # a gigabyte a second, before one was ever copied
_WORTH = 2.0
"""How many times longer reading must take than copying: what is put aside may never be asked for again."""
_WEIGHT = 0.3  # of the newest figure


@dataclass(frozen=True, slots=True)
class _Saved:
    target: TargetState
    draft: DraftState | None

    @property
    def size_bytes(self) -> int:
        return self.target.size_bytes + (self.draft.size_bytes if self.draft is not None else 0)


class KvSnapshots:
    """Of one pair. A budget of 0 bytes keeps nothing."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._states: list[_Saved] = []  # what was put aside last comes last
        self._read_ms_per_token = 0.0
        self._bytes_per_ms = _FIRST_BYTES_PER_MS

    @property
    def size_bytes(self) -> int:
        return sum(state.size_bytes for state in self._states)

    @property
    def count(self) -> int:
        return len(self._states)

    def learn_reading(self, tokens: int, elapsed_ms: float) -> None:
        """What bringing this many tokens of a prompt into the caches has cost."""
        if tokens >= _LEAST_TOKENS:
            each_ms = elapsed_ms / tokens
            known = self._read_ms_per_token
            self._read_ms_per_token = known + _WEIGHT * (each_ms - known) if known else each_ms

    def switch(self, target: TargetPart, drafter: DrafterPart | None, tokens: Sequence[int]) -> None:
        """Before the caches are cut back to what they share with `tokens`: save what would be lost, restore what helps.

        Afterwards the caches hold what they held, or a conversation that shares more with `tokens`.
        """
        if self.budget_bytes <= 0:
            return
        shared = common_length(target.tokens, tokens)
        best = max(self._states, key=lambda state: _usable(target, state, tokens), default=None)
        if best is not None and not self._pays(_usable(target, best, tokens) - shared, best.size_bytes):
            best = None
        if best is not None:
            self._states.remove(best)  # before the next one needs its room
        if self._pays((target.length - shared) / _WORTH, target.state_bytes):
            self._save(target, drafter)
        if best is not None:
            self._restore(best, target, drafter)

    def clear(self) -> None:
        self._states.clear()

    def _pays(self, tokens: float, size_bytes: int) -> bool:
        """Whether copying so much is quicker than reading so many tokens."""
        copy_ms = size_bytes / self._bytes_per_ms
        return tokens >= _LEAST_TOKENS / _WORTH and tokens * self._read_ms_per_token >= copy_ms

    def _save(self, target: TargetPart, drafter: DrafterPart | None) -> None:
        if target.state_bytes > self.budget_bytes:
            return
        said = tuple(target.tokens)
        known = next((each for each in self._states if each.target.tokens[: len(said)] == said), None)
        if known is not None:  # it went further than this before
            self._states.remove(known)
            self._states.append(known)
            return
        self._states = [each for each in self._states if said[: len(each.target.tokens)] != each.target.tokens]
        self._make_room(target.state_bytes)
        began = perf_counter()
        try:
            saved = _Saved(target.save(), drafter.save() if drafter is not None else None)
        except MemoryError:
            self.clear()
            return
        self._learn_copying(saved.size_bytes, began)
        self._make_room(saved.size_bytes)
        if saved.size_bytes <= self.budget_bytes:
            self._states.append(saved)

    def _make_room(self, size_bytes: int) -> None:
        while self._states and self.size_bytes + size_bytes > self.budget_bytes:
            del self._states[0]

    def _restore(self, saved: _Saved, target: TargetPart, drafter: DrafterPart | None) -> None:
        began = perf_counter()
        target.restore(saved.target)
        if drafter is not None:
            if saved.draft is None or not target.length:
                drafter.truncate(0)
            else:
                drafter.restore(saved.draft)
        self._learn_copying(saved.size_bytes, began)

    def _learn_copying(self, size_bytes: int, began: float) -> None:
        rate = size_bytes / max(1e-3, 1e3 * (perf_counter() - began))
        self._bytes_per_ms += _WEIGHT * (rate - self._bytes_per_ms)


def common_length(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """How many tokens both begin with."""
    count = 0
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        count += 1
    return count


def _usable(target: TargetPart, state: _Saved, tokens: Sequence[int]) -> int:
    """Tokens of the prompt that the state would spare; 0 where a cache could not be cut back to them."""
    shared = common_length(state.target.tokens, tokens[:-1])
    return target.left_after_cut(state.target, shared)
