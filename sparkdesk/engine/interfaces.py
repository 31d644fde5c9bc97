"""What the loop needs of a target, a draft and a pair: the seam where tests put scripted ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import GrammarSettings

BATCH_ROWS = 512
"""Most rows in one pass of the target."""
DRAFT_STEP_ROWS = 128
"""Most rows in one pass of the draft: its graph reserves the logits of every one of them."""
VERIFIED_ROWS = 17
"""Most rows of one pass of the target whose logits are asked for, while no block is longer: room is reserved for so
many. An anchor and what may be verified after it, and one to spare."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the draft's graph says about the next k positions."""

    logits: FloatArray
    """(k, vocabulary): row i carries the Markov bias of the greedy token of row i - 1. A view until the next pass."""
    confidences: tuple[float, ...]
    """(k,) probability of each position to be accepted, given that those before it are; empty without such a head."""
    logit_cap: float = 0.0
    """Soft cap that belongs on the logits before the Markov bias, and that the graph left out; 0 for none."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """A copy of what a target's cache holds."""

    tokens: tuple[int, ...]
    data: NDArray[np.uint8]
    first_position: int = 0
    """Of the oldest token whose sliding-window layers are in it."""

    @property
    def size_bytes(self) -> int:
        return self.data.nbytes


@dataclass(frozen=True, slots=True)
class DraftState:
    """A copy of what a drafter knows of the same tokens: its cache, and the features that wait."""

    data: NDArray[np.uint8]
    start: int
    """Positions that are absorbed."""
    waiting: tuple[NDArray[np.uint16], ...]

    @property
    def size_bytes(self) -> int:
        return self.data.nbytes + sum(rows.nbytes for rows in self.waiting)


class TargetPart(Protocol):
    tokens: list[int]
    context_tokens: int
    vocabulary_size: int

    @property
    def length(self) -> int: ...
    def decode(self, tokens: Sequence[int], *, all_rows: bool) -> FloatArray: ...
    def features(self, count: int) -> FloatArray: ...
    def truncate(self, length: int) -> None: ...
    @property
    def state_bytes(self) -> int:
        """How much `save` would copy."""
        ...

    def save(self) -> TargetState: ...
    def restore(self, state: TargetState) -> None:
        """Hold what the state holds, or nothing where it cannot be brought back."""
        ...

    def can_cut(self, state: TargetState, length: int) -> bool:
        """Whether, once restored, it could be cut back to the first `length` tokens."""
        ...


class DrafterPart(Protocol):
    block_size: int

    @property
    def length(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    def keep(self, features: FloatArray) -> None: ...
    def absorb(self) -> None: ...
    def propose(self, anchor: int, length: int) -> Block: ...
    def truncate(self, length: int) -> None: ...
    def save(self) -> DraftState: ...
    def restore(self, state: DraftState) -> None: ...


class MarkovPart(Protocol):
    def bias(self, previous: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(len(ids),) bias after `previous`."""
        ...

    def difference(self, previous: int, instead_of: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(len(ids),) bias after `previous` minus bias after `instead_of`."""
        ...


class ConstraintPart(Protocol):
    """What a reply may go on with; it follows the committed tokens, and a copy of it the drafted ones."""

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        """(len(ids),) which of these tokens may come next. Asking costs time for every one of them."""
        ...

    def accept(self, token: int) -> None:
        """Go on after `token`, which must be allowed."""
        ...

    def copy(self) -> "ConstraintPart": ...
    def close(self) -> None: ...


class SavedPart(Protocol):
    """Conversations put aside; see saved.py."""

    def switch(self, target: TargetPart, drafter: DrafterPart | None, tokens: Sequence[int]) -> None: ...
    def learn_reading(self, tokens: int, elapsed_ms: float) -> None: ...


class PairParts(Protocol):
    @property
    def target(self) -> TargetPart: ...
    @property
    def drafter(self) -> DrafterPart | None: ...
    @property
    def markov(self) -> MarkovPart | None: ...
    @property
    def tuner(self) -> Tuner: ...
    @property
    def saved(self) -> SavedPart: ...
    def constraint(self, grammar: GrammarSettings) -> ConstraintPart:
        """Raises EngineError where the grammar cannot be used. To be closed."""
        ...
