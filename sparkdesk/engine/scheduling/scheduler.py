"""Pure: how many tokens to draft, and how many of them to verify, from their chances and from what the steps cost.

The hardware-aware scheduler of the DSpark paper (section 3.2, algorithm 1) for one user: there is no batch that fills
up with other people's tokens, so the question is how much of one block is worth its rows in the verify pass. The paper
maximizes expected tokens per second greedily while the marginal token pays; cost curves of real machines are neither
smooth nor monotone, so here every length is looked at.

Time is valued at the going rate, in tokens per millisecond: a choice is worth its expected tokens less the tokens that
the same time brings otherwise. Maximizing that, with the rate that results, maximizes tokens per second (Dinkelbach).

Causality (paper, section 3.2.2 and appendix A). Everything here is a function of confidences, which the draft's graph
computes from the context and its own greedy chain, before any token of the block is drawn; of costs; and of what
happened in earlier rounds. None of it depends on the value of a token of the block that was drawn by chance, so which
tokens are verified is independent of what they turned out to be, and the output distribution is the target's own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prices:
    """What steps cost now, in milliseconds."""

    verify_ms: FloatVector
    """(rows,) a target pass over 1, 2, ... rows, coming from the pass before."""
    draft_ms: FloatVector
    """(block,) proposing 1, 2, ... tokens."""
    absorb_ms: float
    """Absorbing what waits, before anything can be proposed."""
    tokens_per_ms: float
    """The going rate: at least that of plain decoding."""

    plain_ms: float
    """A plain step among its like."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What drafting is expected to bring, for every length from 0 (plain decoding) on."""

    worth: FloatVector
    """(block + 1,) expected tokens less the going rate's tokens in the same time."""
    tokens: FloatVector
    """(block + 1,) expected tokens of the round, the target's own included."""
    cost_ms: FloatVector
    """(block + 1,) expected cost of the round."""

    def best(self, most: int) -> int:
        """The draft length, 0..most, worth most."""
        return int(self.worth[: most + 1].argmax())

    def best_draft(self, most: int) -> int:
        """The draft length, 1..most, worth most."""
        return 1 + int(self.worth[1 : most + 1].argmax())

    def gain(self, length: int) -> float:
        """Expected speed at this length, as a multiple of plain decoding: never more than the tokens of a round.

        A pass over more rows costs no less than a plain step, whatever was measured while other programs came and went.
        """
        return float(self.tokens[length] * min(1.0, self.cost_ms[0] / self.cost_ms[length]))


def survival(chances: FloatVector) -> FloatVector:
    """(..., n) probability that a token and all before it are accepted, from conditional chances (..., n)."""
    return np.multiply.accumulate(chances, axis=-1)


def worth_of_verifying(chances: FloatVector, prices: Prices) -> FloatVector:
    """(..., n + 1) expected tokens less the going rate's, of verifying the first 0..n tokens of a drafted block."""
    count = chances.shape[-1]
    gained = np.zeros((*chances.shape[:-1], count + 1))
    np.add.accumulate(survival(chances), axis=-1, out=gained[..., 1:])
    return gained + (1.0 - prices.tokens_per_ms * prices.verify_ms[: count + 1])


def verify_length(chances: FloatVector, prices: Prices) -> int:
    """How many tokens, 0..n, of a drafted block with chances (n,) to verify: what drafting cost is spent already."""
    return int(worth_of_verifying(chances, prices).argmax())


def forecast(chances: FloatVector, weights: FloatVector, prices: Prices) -> Forecast:
    """What each draft length brings if the next block is like one of those seen, (seen, block) with weights (seen,).

    Each of them would be cut, once its confidences are known, where verifying more of it does not pay.
    """
    block = chances.shape[1]
    worth = worth_of_verifying(chances, prices)  # (seen, block + 1)
    best_so_far = np.maximum.accumulate(worth, axis=1)
    # The shortest length that is worth as much: that of the running maximum's last rise.
    rises = np.where(worth >= best_so_far, np.arange(block + 1), 0)
    chosen = np.maximum.accumulate(rises, axis=1)  # (seen, block + 1)
    verify_ms = weights @ prices.verify_ms[chosen]
    draft_ms = np.concatenate(([0.0], prices.draft_ms[:block] + prices.absorb_ms))
    net = weights @ best_so_far
    return Forecast(
        worth=net - prices.tokens_per_ms * draft_ms,
        tokens=net + prices.tokens_per_ms * verify_ms,
        cost_ms=verify_ms + draft_ms,
    )


def best_fixed_length(chance: float, prices: Prices, most: int) -> tuple[int, float]:
    """Best of the fixed lengths 0..most where every token has the same chance, and its speed over plain decoding."""
    lengths = np.arange(most + 1)
    tokens = np.concatenate(([1.0], 1 + np.add.accumulate(np.power(chance, lengths[1:]))))
    cost_ms = prices.verify_ms[: most + 1] + np.concatenate(([0.0], prices.draft_ms[:most] + prices.absorb_ms))
    gains = tokens * prices.plain_ms / cost_ms
    best = int(gains.argmax())
    return best, float(gains[best])
