"""What a proposal is made from: a block of logits, the Markov head, and what a constraint allows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """What the draft's graph says about the next k positions."""

    logits: FloatArray
    """(k, vocabulary): row i carries the Markov bias of the greedy token of row i - 1. A view until the next pass."""
    confidences: tuple[float, ...]
    """(k,) probability of each position to be accepted, given that those before it are; empty without such a head."""
    logit_cap: float = 0.0
    """Soft cap that belongs on the logits before the Markov bias, and that the graph left out; 0 for none."""


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
