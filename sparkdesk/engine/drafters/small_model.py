"""A small model of the same vocabulary drafts, token by token.

A round: DECODE what the draft has not seen of the committed tokens, then the anchor (its row is the first draft); one
DECODE for every further token; the tokens that are accepted stay in the draft's cache, what follows them is cut.

Source: Leviathan et al. 2023 (Fast Inference from Transformers via Speculative Decoding); llama.cpp's draft-simple.
"""

import numpy as np

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import DRAFT_STEP_ROWS, DraftState, TargetPart
from sparkdesk.engine.kv_snapshots import common_length
from sparkdesk.engine.llama import Context
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal

BLOCK_SIZE = 7
"""Most tokens of one proposal: anchor and seven rows are what matrix-vector kernels take at once."""


class SmallModelDrafter:
    """Follows the target's tokens with a cache of its own."""

    is_sequential = True

    def __init__(self, context: Context, *, target_vocabulary: int, block_size: int = BLOCK_SIZE) -> None:
        """`target_vocabulary`: rows beyond it are unused ones, and no token of the target's."""
        self._context, self._target_vocabulary = context, target_vocabulary
        self.block_size = block_size
        self._known: list[int] = []  # the timeline, as far as the target committed it
        self._cached: list[int] = []  # exactly what the cache holds: the timeline so far, and perhaps drafted tokens

    @property
    def length(self) -> int:
        return len(self._known)

    @property
    def waiting(self) -> int:
        """Committed tokens that are not in the cache."""
        return len(self._known) - common_length(self._cached, self._known)

    def keep(self, target: TargetPart, rows: int) -> None:
        """The tokens of the first `rows` rows of the target's last pass."""
        start = len(self._known)
        self._known.extend(target.tokens[start : start + rows])

    def absorb(self) -> None:
        """Bring the cache to the committed tokens; drafted ones that were accepted are there already."""
        self._cut(common_length(self._cached, self._known))
        while len(self._cached) < len(self._known):
            start = len(self._cached)
            self._decode(self._known[start : start + DRAFT_STEP_ROWS])

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens, 1..block_size, each conditioned on those drawn before it."""
        if not 1 <= length <= self.block_size:
            raise ValueError(f"a draft of {length} tokens; at most {self.block_size}")
        self._cut(len(self._known))
        token: int | None = anchor
        for count in range(1, length + 1):
            token = picker.pick(self._row_after(token)) if self._knows(token) else None
            if token is None or count == length or not picker.goes_on:
                break
        return picker.proposal()

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions."""
        del self._known[length:]

    def save(self) -> DraftState:
        tokens = tuple(np.array(part, np.uint32).view(np.uint16) for part in (self._known, self._cached))
        return DraftState(self._context.save(), len(self._cached), tokens)

    def restore(self, state: DraftState) -> None:
        """Know what the state knows; where llama.cpp cannot bring the cache back, the tokens are read again."""
        known, cached = (part.view(np.uint32).tolist() for part in state.waiting)
        self._known = known
        self._cached = cached if self._context.restore(state.data) else []

    def _row_after(self, token: int | None) -> FloatArray:
        assert token is not None
        return self._decode([token])[0, : self._target_vocabulary]

    def _knows(self, token: int | None) -> bool:
        """A target may have tokens, added later, that the draft lacks: nothing is drafted after one."""
        return token is not None and token < self._context.vocabulary_size

    def _decode(self, tokens: list[int]) -> FloatArray:
        """(1, vocabulary) logits of the last of `tokens`, appended to the cache: a view."""
        most = self._context.vocabulary_size
        start = len(self._cached)
        try:
            self._context.decode([token if token < most else 0 for token in tokens], start, all_rows=False)
        except Exception:
            self._cut(start)
            raise
        self._cached.extend(tokens)
        return self._context.logits(1)

    def _cut(self, length: int) -> None:
        """Keep the first `length` tokens of the cache; nothing where it cannot be cut, and all is read again."""
        if length >= len(self._cached):
            return
        if length and self._context.remove_from(length):
            del self._cached[length:]
        else:
            self._context.clear()
            self._cached.clear()
