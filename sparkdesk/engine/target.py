"""The target's context: what its KV cache holds, its logits, and the features a draft listens to."""

from collections.abc import Sequence

import numpy as np

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import Checkpoint, TargetState
from sparkdesk.engine.llama import Context

MOST_CHECKPOINTS = 4
"""Each is the size of all recurrent states: tens to hundreds of megabytes with a large model."""


class Target:
    """A timeline of tokens. `tokens` is exactly what the KV cache holds."""

    def __init__(
        self, context: Context, feature_layers: Sequence[int] = (), *, gives_hidden_rows: bool = False
    ) -> None:
        """`feature_layers`: whose inputs a draft reads; the one after the last stands for the last layer's output."""
        self._context = context
        self._end_layer = context.model.layer_count if gives_hidden_rows else -1
        self._feature_layers = tuple(feature_layers)
        self.tokens: list[int] = []
        self._checkpoints: list[Checkpoint] = []  # the shortest first
        self.context_tokens = context.context_tokens
        self.vocabulary_size = context.vocabulary_size
        context.keep_layer_inputs([layer for layer in self._feature_layers if layer != self._end_layer])
        if gives_hidden_rows:
            context.give_hidden_rows(of_all_rows=True)

    @property
    def length(self) -> int:
        return len(self.tokens)

    def decode(self, tokens: Sequence[int], *, all_rows: bool) -> FloatArray:
        """Append `tokens`; return logits (n, vocabulary) of all rows or (1, vocabulary) of the last one.

        The array is a view that the next pass overwrites. A pass that fails leaves the timeline as it was, or shorter
        where the cache cannot be cut back.
        """
        start = len(self.tokens)
        try:
            self._context.decode(tokens, start, all_rows=all_rows)
            logits = self._context.logits(len(tokens) if all_rows else 1)
        except Exception:
            self._cut_cache(start)
            raise
        self.tokens.extend(tokens)
        return logits

    def features(self, count: int) -> FloatArray:
        """(count, layers * width) features of the first `count` rows of the last pass: a copy."""
        if self._end_layer not in self._feature_layers:
            return self._context.layer_inputs(self._feature_layers, count)
        parts = [
            self.hidden_rows(count) if layer == self._end_layer else self._context.layer_inputs([layer], count)
            for layer in self._feature_layers
        ]
        return np.concatenate(parts, axis=1)

    def hidden_rows(self, count: int) -> FloatArray:
        """(count, width) hidden states after the last layer of the first `count` rows of the last pass: a copy."""
        return self._context.hidden_rows(count)

    @property
    def state_bytes(self) -> int:
        return self._context.state_bytes

    def save(self) -> TargetState:
        return TargetState(
            tuple(self.tokens), self._context.save(), self._context.first_position, tuple(self._checkpoints)
        )

    def restore(self, state: TargetState) -> None:
        """Hold what the state holds; nothing where llama.cpp cannot bring it back."""
        if self._context.restore(state.data):
            self.tokens, self._checkpoints = list(state.tokens), list(state.checkpoints)
        else:
            self._forget()

    def left_after_cut(self, state: TargetState, length: int) -> int:
        """How many tokens, 0..length, would be left if `state` were restored and cut back to the first `length`."""
        if length == len(state.tokens):
            return length
        if self.needs_checkpoints:
            return max((each.length for each in state.checkpoints if each.length <= length), default=0)
        return length if self._context.holds_window_before(length, state.first_position) else 0

    @property
    def rollback_rows(self) -> int:
        """Rows that may be cut off after any pass that had more of them."""
        return self._context.rollback_rows

    @property
    def needs_checkpoints(self) -> bool:
        """Whether it can be cut back by more than a few rows only to a checkpoint (recurrent layers)."""
        return self._context.needs_checkpoints

    def checkpoint(self) -> None:
        """Remember the recurrent states as they are now."""
        length = len(self.tokens)
        if any(each.length == length for each in self._checkpoints):
            return
        newest = Checkpoint(length, self._context.checkpoint())
        self._checkpoints = [*self._checkpoints[1 - MOST_CHECKPOINTS :], newest]

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens; fewer, or none, where the cache cannot be cut there."""
        if length >= len(self.tokens):
            return
        self._cut_cache(length)

    def _cut_cache(self, length: int) -> None:
        self._checkpoints = [each for each in self._checkpoints if each.length <= length]
        if length and self._context.remove_from(length):
            del self.tokens[length:]
        elif self._checkpoints and self._context.rewind(self._checkpoints[-1].data, self._checkpoints[-1].length):
            del self.tokens[self._checkpoints[-1].length :]
        else:
            self._forget()

    def _forget(self) -> None:
        self._context.clear()
        self.tokens.clear()
        self._checkpoints.clear()
