"""DSpark and DFlash drafts: absorb the target's layer inputs, propose a block of tokens in one pass.

A round: absorb the features of the committed rows; DECODE [anchor, mask, mask, ...], whose row i is the next token
after i drafted ones with the Markov bias of the greedy predecessor; redo that chain with the tokens really drawn.

Source: the DSpark paper (DeepSeek, June 2026) for the block; llama.cpp's dflash graph for the order of calls.
"""

from collections.abc import Sequence

from sparkdesk.engine.block import Block, MarkovPart
from sparkdesk.engine.features import PendingFeatures
from sparkdesk.engine.interfaces import DRAFT_STEP_ROWS, DraftState, TargetPart
from sparkdesk.engine.llama import Context
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal
from sparkdesk.errors import EngineError

CONFIDENCE_WEIGHT = "conf_proj.weight"
LOGIT_CAP = "dflash.final_logit_softcapping"


class DSparkDrafter:
    """Follows the target's timeline through features, without ever seeing its tokens' logits."""

    is_sequential = False

    def __init__(
        self,
        context: Context,
        *,
        block_size: int,
        mask_token: int,
        has_confidences: bool = True,
        logit_cap: float = 0.0,
        samples_from_anchor: bool = True,
        markov: MarkovPart | None = None,
    ) -> None:
        """`samples_from_anchor`: whether the anchor's own row predicts; where it does not, only the masks' rows do."""
        self._context, self.markov = context, markov
        self._mask_token, self._has_confidences = mask_token, has_confidences
        self._silent_rows = 0 if samples_from_anchor else 1
        self.block_size, self._logit_cap = block_size - self._silent_rows, logit_cap
        self._pending = PendingFeatures()
        context.become_draft()

    @property
    def length(self) -> int:
        """Positions of the timeline whose features are known, absorbed or waiting."""
        return self._pending.end

    @property
    def waiting(self) -> int:
        """Feature rows kept in memory and not absorbed yet."""
        return self._pending.count

    def keep(self, target: TargetPart, rows: int) -> None:
        """Remember the features of the first `rows` rows of the target's last pass: the next positions."""
        self._pending.append(target.features(rows))

    def absorb(self) -> None:
        """Write the KV cache from all remembered features."""
        if not self._pending.count:
            return
        start, rows = self._pending.start, self._pending.take()
        try:
            for i in range(0, len(rows), DRAFT_STEP_ROWS):
                self._context.process_features(rows[i : i + DRAFT_STEP_ROWS], start + i)
        except Exception:  # the cache lacks what was taken, and what was taken is gone
            self._forget()
            raise

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens, 1..block_size, drawn by `picker`."""
        return picker.block(self.block(anchor, length), self.markov)

    def block(self, anchor: int, length: int) -> Block:
        """What the graph says of the next `length` positions, 1..block_size: one pass over [anchor, mask, mask, ...].

        Beyond the block size the graph would silently leave out the Markov head.
        """
        if not 1 <= length <= self.block_size:
            raise ValueError(f"a draft of {length} tokens; the block has {self.block_size}")
        start = self._pending.end
        silent, rows = self._silent_rows, self._silent_rows + length
        noise: Sequence[int] = [anchor] + [self._mask_token] * (rows - 1)
        try:
            self._context.process_tokens(noise, start)
            confidences = self._context.confidences(rows)[silent:].tolist() if self._has_confidences else ()
            return Block(self._context.logits(rows)[silent:], tuple(confidences), self._logit_cap)
        finally:
            if not self._context.remove_from(start):  # the noise rows wrote into the KV cache
                self._forget()
                raise EngineError("The draft's cache cannot be cut back.", "Ask again; speculation begins anew.")

    def truncate(self, length: int) -> None:
        """Keep what belongs to the first `length` positions."""
        if length < self._pending.start:
            if length and self._context.remove_from(length):
                self._pending.restart(length)
            else:
                self._forget()
        else:
            self._pending.truncate(length)

    def _forget(self) -> None:
        self._context.clear()
        self._pending.restart(0)

    def save(self) -> DraftState:
        return DraftState(self._context.save(), self._pending.start, self._pending.chunks())

    def restore(self, state: DraftState) -> None:
        """Know what the state knows; where llama.cpp cannot bring the cache back, nothing."""
        if state.start and not self._context.restore(state.data):
            self.truncate(0)
            return
        if not state.start:
            self._context.clear()
        self._pending.restart(state.start)
        self._pending.extend(state.waiting)
