"""The model's own multi-token prediction layer drafts, token by token; no second file.

A second context on the same weights runs that layer alone. Its cache holds pairs of a token and the target's hidden
state one position before it. A round (n: the anchor's position): DECODE the pairs of the committed tokens; DECODE
(anchor, h[n-1]) at n, whose row is the first draft; then (draft, the hidden state that pass gave out) at n + 1, ...;
cut the cache back to n.

Source: DeepSeek-V3's report (section 2.2) for the layer; llama.cpp's draft-mtp for the order of calls.
"""

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.features import PendingFeatures
from sparkdesk.engine.interfaces import DRAFT_STEP_ROWS, DraftState, TargetPart
from sparkdesk.engine.llama import Context
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal

BLOCK_SIZE = 4
"""Most tokens of one proposal: one layer, trained for the next token but one, chained on itself."""


class MtpDrafter:
    """Follows the target's tokens and hidden states."""

    is_sequential = True

    def __init__(self, context: Context, *, block_size: int = BLOCK_SIZE) -> None:
        self._context, self.block_size = context, block_size
        self._tokens: list[int] = []  # of every position that is known
        self._pending = PendingFeatures()  # hidden states of the positions whose pairs are not in the cache
        self._before = np.zeros((1, context.hidden_width), np.float32)  # of the position before those
        context.give_hidden_rows(of_all_rows=False)

    @property
    def length(self) -> int:
        return self._pending.end

    @property
    def waiting(self) -> int:
        return self._pending.count

    def keep(self, target: TargetPart, rows: int) -> None:
        """Tokens and hidden states of the first `rows` rows of the target's last pass."""
        start = len(self._tokens)
        self._tokens.extend(target.tokens[start : start + rows])
        self._pending.append(target.hidden_rows(rows))

    def absorb(self) -> None:
        """Write the pairs of all known positions."""
        if not self._pending.count:
            return
        start, hidden = self._pending.start, self._pending.take()
        paired = np.concatenate((self._before, hidden[:-1]))
        for i in range(0, len(hidden), DRAFT_STEP_ROWS):
            tokens = self._tokens[start + i : start + min(i + DRAFT_STEP_ROWS, len(hidden))]
            self._context.process_pairs(tokens, paired[i : i + len(tokens)], start + i, wants_logits=False)
        self._before = hidden[-1:]

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens, 1..block_size, each conditioned on those drawn before it."""
        if not 1 <= length <= self.block_size:
            raise ValueError(f"a draft of {length} tokens; at most {self.block_size}")
        start = self.length
        try:
            return chained(self._context, anchor, self._before, length, picker, start=start, step=1)
        finally:
            self._context.remove_from(start)

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions.

        The hidden state before the cut is gone where it was absorbed already: one pair is then written without it,
        which costs at most a wrong guess.
        """
        del self._tokens[length:]
        if length >= self._pending.start:
            self._pending.truncate(length)
            return
        if not (length and self._context.remove_from(length)):
            length = 0
            self._context.clear()
            self._tokens.clear()
        self._pending.restart(length)
        self._before = np.zeros_like(self._before)

    def save(self) -> DraftState:
        tokens = np.array(self._tokens, np.uint32).view(np.uint16)
        before: NDArray[np.uint16] = self._before.copy().view(np.uint16)
        return DraftState(self._context.save(), self._pending.start, (tokens, before, *self._pending.chunks()))

    def restore(self, state: DraftState) -> None:
        """Know what the state knows; where llama.cpp cannot bring the cache back, nothing."""
        if state.start and not self._context.restore(state.data):
            self.truncate(0)
            return
        if not state.start:
            self._context.clear()
        tokens, before, *chunks = state.waiting
        self._tokens = tokens.view(np.uint32).tolist()
        self._before = before.view(np.float32).copy()
        self._pending.restart(state.start)
        self._pending.extend(chunks)


def chained(
    context: Context, token: int, hidden: FloatArray, length: int, picker: Picker, *, start: int, step: int
) -> Proposal:
    """Draft up to `length` tokens from (token, hidden (1, width)), each pass giving the hidden state of the next.

    The passes go to positions start, start + step, ...
    """
    for count in range(length):
        context.process_pairs([token], hidden, start + count * step, wants_logits=True)
        picked = picker.pick(context.logits(1)[0])
        if picked is None or count + 1 == length or not picker.goes_on:
            break
        token, hidden = picked, context.hidden_rows(1)
    return picker.proposal()
