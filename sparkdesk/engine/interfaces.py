"""What the loop needs of a target, a draft and a pair: the seam where tests put scripted ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import ConstraintPart, FloatArray
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal
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
class Checkpoint:
    """The recurrent states of a target after its first `length` tokens."""

    length: int
    data: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TargetState:
    """A copy of what a target's cache holds."""

    tokens: tuple[int, ...]
    data: NDArray[np.uint8]
    first_position: int = 0
    """Of the oldest token whose sliding-window layers are in it."""
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def size_bytes(self) -> int:
        return self.data.nbytes + sum(each.data.nbytes for each in self.checkpoints)


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
    def hidden_rows(self, count: int) -> FloatArray:
        """(count, width) hidden states after the last layer of the first `count` rows of the last pass: a copy."""
        ...

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens, or fewer where the cache cannot be cut there."""
        ...

    @property
    def rollback_rows(self) -> int:
        """Rows that may be cut off after any pass that had more of them."""
        ...

    @property
    def needs_checkpoints(self) -> bool: ...
    def checkpoint(self) -> None:
        """Remember this moment, so that the cache can be cut back to it."""
        ...

    @property
    def state_bytes(self) -> int:
        """How much `save` would copy."""
        ...

    def save(self) -> TargetState: ...
    def restore(self, state: TargetState) -> None:
        """Hold what the state holds, or nothing where it cannot be brought back."""
        ...

    def left_after_cut(self, state: TargetState, length: int) -> int:
        """How many tokens, 0..length, would be left if it were restored and cut back to the first `length`."""
        ...


class DrafterPart(Protocol):
    """What drafts: it follows the target's timeline and proposes tokens. The loop does not know which kind it has."""

    block_size: int
    """Most tokens of one proposal."""
    is_sequential: bool
    """Whether each token takes a pass of its own, conditioned on the tokens really drawn; all of them are verified."""

    @property
    def length(self) -> int:
        """Positions of the timeline it knows of, absorbed or waiting."""
        ...

    @property
    def waiting(self) -> int:
        """Positions kept in memory and not absorbed yet."""
        ...

    def keep(self, target: TargetPart, rows: int) -> None:
        """Take what it needs of the first `rows` rows of the target's last pass, which are the next positions."""
        ...

    def absorb(self) -> None:
        """Write what waits into the draft's cache."""
        ...

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        """Up to `length` tokens after `anchor`, at least one unless `picker` finds none."""
        ...

    def truncate(self, length: int) -> None: ...
    def save(self) -> DraftState: ...
    def restore(self, state: DraftState) -> None: ...


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
    def tuner(self) -> Tuner: ...
    @property
    def saved(self) -> SavedPart: ...
    def constraint(self, grammar: GrammarSettings) -> ConstraintPart:
        """Raises EngineError where the grammar cannot be used. To be closed."""
        ...
