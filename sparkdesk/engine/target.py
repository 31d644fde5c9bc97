"""The target's context: what its KV cache holds, its logits, and the features a draft listens to."""

from collections.abc import Sequence

from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.interfaces import TargetState
from sparkdesk.engine.llama import Context


class Target:
    """A timeline of tokens. `tokens` is exactly what the KV cache holds."""

    def __init__(self, context: Context, feature_layers: Sequence[int] = ()) -> None:
        self._context = context
        self._feature_layers = tuple(feature_layers)
        self.tokens: list[int] = []
        self.context_tokens = context.context_tokens
        self.vocabulary_size = context.vocabulary_size
        context.keep_layer_inputs(self._feature_layers)

    @property
    def length(self) -> int:
        return len(self.tokens)

    def decode(self, tokens: Sequence[int], *, all_rows: bool) -> FloatArray:
        """Append `tokens`; return logits (n, vocabulary) of all rows or (1, vocabulary) of the last one.

        The array is a view that the next pass overwrites. A pass that fails leaves the timeline as it was.
        """
        start = len(self.tokens)
        try:
            self._context.decode(tokens, start, all_rows=all_rows)
            logits = self._context.logits(len(tokens) if all_rows else 1)
        except Exception:
            self._context.remove_from(start)
            raise
        self.tokens.extend(tokens)
        return logits

    def features(self, count: int) -> FloatArray:
        """(count, layers * width) features of the first `count` rows of the last pass: a copy."""
        return self._context.layer_inputs(self._feature_layers, count)

    @property
    def state_bytes(self) -> int:
        return self._context.state_bytes

    def save(self) -> TargetState:
        return TargetState(tuple(self.tokens), self._context.save(), self._context.first_position)

    def restore(self, state: TargetState) -> None:
        """Hold what the state holds; nothing where llama.cpp cannot bring it back."""
        is_back = self._context.restore(state.data)
        self.tokens = list(state.tokens) if is_back else []

    def can_cut(self, state: TargetState, length: int) -> bool:
        return length == len(state.tokens) or self._context.holds_window_before(length, state.first_position)

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens; forgets everything where the cache cannot be cut."""
        if length >= len(self.tokens):
            return
        if length and self._context.remove_from(length):
            del self.tokens[length:]
        else:
            self._context.clear()
            self.tokens.clear()
