"""EAGLE-3 drafts: an encoder fuses the target's features, one layer drafts token by token.

Its cache holds pairs of the token at P + 1 and the fused features of P. A round (n: the anchor's position): ENCODE the
features of the committed rows; DECODE their pairs, of which the last one, (anchor, g[n-1]) at n - 1, gives the first
draft; then (draft, the hidden state that pass gave out) at n, n + 1, ...; cut the cache back to n.

DeepSpec's drafts read five layers and normalize queries and keys, which llama.cpp's graph does not: their features are
padded to the width of a multiple of three, and a callback applies the norms (llama/graph_norm.py).

Source: the EAGLE-3 paper (Li et al. 2025); llama.cpp's eagle3 graph and draft-eagle3 for the order of calls.
"""

import numpy as np

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.features import PendingFeatures
from sparkdesk.engine.interfaces import DRAFT_STEP_ROWS, DraftState, TargetPart
from sparkdesk.engine.llama import Context
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal

BLOCK_SIZE = 7
"""Most tokens of one proposal."""


class Eagle3Drafter:
    """Follows the target's features, one position behind: a pair needs the token after it."""

    is_sequential = True

    def __init__(self, context: Context, *, block_size: int = BLOCK_SIZE, padded_width: int = 0) -> None:
        """`padded_width`: numbers of a row of features that the encoder takes, where it takes more than there are."""
        self._context, self.block_size, self._padded_width = context, block_size, padded_width
        self._tokens: list[int] = []  # of every position that is known
        self._pending = PendingFeatures()  # features of the positions whose pairs are not in the cache
        context.give_hidden_rows(of_all_rows=False)

    @property
    def length(self) -> int:
        return self._pending.end

    @property
    def waiting(self) -> int:
        """Positions whose pairs could be written: the last one waits for the anchor anyway."""
        return max(0, self._pending.count - 1)

    def keep(self, target: TargetPart, rows: int) -> None:
        """Tokens and features of the first `rows` rows of the target's last pass."""
        start = len(self._tokens)
        self._tokens.extend(target.tokens[start : start + rows])
        self._pending.append(target.features(rows))

    def absorb(self) -> None:
        """Write all pairs whose tokens are known."""
        count = self.waiting
        if not count:
            return
        start, features = self._pending.start, self._pending.take()
        self._pending.restart(start + count)
        self._pending.append(features[count:])
        for i in range(0, count, DRAFT_STEP_ROWS):
            part = features[i : min(i + DRAFT_STEP_ROWS, count)]
            self._write(part, self._tokens[start + i + 1 : start + i + 1 + len(part)], start + i, wants_logits=False)

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens, 1..block_size, each conditioned on those drawn before it."""
        if not 1 <= length <= self.block_size:
            raise ValueError(f"a draft of {length} tokens; at most {self.block_size}")
        self.absorb()
        end, last = self.length, self._pending.start
        if last == end:  # nothing waits: its hidden states were overwritten by another pass
            raise ValueError("the features of the last position are needed for the first draft")
        features, token = self._pending.peek(), anchor
        try:
            self._write(features, [token], last, wants_logits=True)
            for count in range(1, length + 1):
                picked = picker.pick(self._context.logits(1)[0])
                if picked is None or count == length or not picker.goes_on:
                    break
                hidden = self._context.hidden_rows(1)
                self._context.process_pairs([picked], hidden, last + count, wants_logits=True)
            return picker.proposal()
        finally:
            self._context.remove_from(last)

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions."""
        del self._tokens[length:]
        if length <= self._pending.start:
            # The pair of position length - 1 was written with a token that is gone.
            kept = max(0, length - 1)
            if not (kept and self._context.remove_from(kept)):
                kept = 0
                self._context.clear()
            del self._tokens[kept:]
            self._pending.restart(kept)
        else:
            self._pending.truncate(length)

    def save(self) -> DraftState:
        tokens = np.array(self._tokens, np.uint32).view(np.uint16)
        return DraftState(self._context.save(), self._pending.start, (tokens, *self._pending.chunks()))

    def restore(self, state: DraftState) -> None:
        """Know what the state knows; where llama.cpp cannot bring the cache back, nothing."""
        if state.start and not self._context.restore(state.data):
            self.truncate(0)
            return
        if not state.start:
            self._context.clear()
        tokens, *chunks = state.waiting
        self._tokens = tokens.view(np.uint32).tolist()
        self._pending.restart(state.start)
        self._pending.extend(chunks)

    def _write(self, features: FloatArray, following: list[int], start: int, *, wants_logits: bool) -> None:
        """Pairs of `features` (n, 3 * width) of positions start, ... with the tokens that follow each."""
        if self._padded_width > features.shape[1]:
            features = np.pad(features, ((0, 0), (0, self._padded_width - features.shape[1])))
        self._context.process_pairs(following, self._context.encode(features), start, wants_logits=wants_logits)
