"""Google's assistant for Gemma 4 drafts on the target's own KV cache, token by token.

It has no cache: its layers attend to the target's keys and values. A round (n: the anchor's position): DECODE
(anchor, the target's hidden state of the last committed position) at n, whose row is the first draft; then (draft, the
hidden state that pass gave out), all of them at the same position n. Nothing is to be absorbed or cut.

Source: llama.cpp's gemma4-assistant graph.
"""

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.drafters.mtp import chained
from sparkdesk.engine.interfaces import DraftState, TargetPart
from sparkdesk.engine.llama import Context
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal

BLOCK_SIZE = 4
"""Most tokens of one proposal."""


class AssistantDrafter:
    """Knows nothing but the target's newest hidden state."""

    is_sequential, waiting = True, 0

    def __init__(self, context: Context, *, block_size: int = BLOCK_SIZE) -> None:
        self._context, self.block_size = context, block_size
        self.length = 0
        self._hidden: FloatArray | None = None
        """(1, width) of position length - 1; None where that is not known."""
        context.give_hidden_rows(of_all_rows=False)

    def keep(self, target: TargetPart, rows: int) -> None:
        """The hidden state of row `rows` - 1 of the target's last pass."""
        self.length += rows
        self._hidden = target.hidden_rows(rows)[-1:]

    def absorb(self) -> None:
        """Nothing waits."""

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens, 1..block_size, each conditioned on those drawn before it; none after a cut, before
        the target's next pass."""
        if not 1 <= length <= self.block_size:
            raise ValueError(f"a draft of {length} tokens; at most {self.block_size}")
        if self._hidden is None:
            return picker.proposal()
        return chained(self._context, anchor, self._hidden, length, picker, start=self.length, step=0)

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions."""
        if length < self.length:
            self.length, self._hidden = length, None

    def save(self) -> DraftState:
        hidden: tuple[NDArray[np.uint16], ...] = ()
        if self._hidden is not None:
            hidden = (self._hidden.copy().view(np.uint16),)
        return DraftState(np.zeros(0, np.uint8), self.length, hidden)

    def restore(self, state: DraftState) -> None:
        self.length = state.start
        self._hidden = state.waiting[0].view(np.float32).copy() if state.waiting else None
