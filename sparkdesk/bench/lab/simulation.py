"""The scheduler against scripted machines and drafts, without a model: what it gains, and what an oracle would.

python -m sparkdesk.bench.lab.simulation                        # the synthetic pairs of the bars, on two known machines
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from sparkdesk.bench.lab.bars import BARS, FIXED_LENGTHS
from sparkdesk.bench.synthetic.weights import SyntheticShape
from sparkdesk.engine.scheduling.costs import Seen
from sparkdesk.engine.scheduling.lengths import GREEDY, Situation
from sparkdesk.engine.scheduling.tuner import RoundOutcome, Tuner

BLOCK = 7


@dataclass(frozen=True, slots=True)
class Machine:
    """Step costs in milliseconds, as measured on the 0.5B shape (Q4_K_M target, Q8_0 draft, 2 threads)."""

    name: str
    target_ms: tuple[float, ...]
    """1, 2, ... rows."""
    draft_ms: tuple[float, ...]
    absorb_ms: tuple[float, ...]
    noise: float = 0.04
    stall_chance: float = 0.003
    target_slope: float = 0.0
    """By how much of itself a pass of the target costs more for every token of context."""
    draft_slope: float = 0.0

    def verify_ms(self, rows: int, context_tokens: int) -> float:
        return self.target_ms[rows - 1] * (1 + self.target_slope * context_tokens)

    def propose_ms(self, length: int, context_tokens: int) -> float:
        return self.draft_ms[length - 1] * (1 + self.draft_slope * context_tokens)


STEEP = Machine(
    "steep (Zen 5, 2 cores)",
    (10.9, 18.0, 24.2, 29.4, 34.7, 40.6, 44.8, 44.8, 48.8, 53.1, 54.0, 54.7, 59.0, 63.1, 59.0, 54.2),
    (3.85, 7.0, 8.2, 9.05, 10.3, 11.5, 12.2),
    (0.4, 0.9, 1.2, 1.3, 1.4, 1.65, 1.65, 1.5),
)
JAGGED = Machine(
    "jagged (T(4) < T(3))",
    (22.9, 31.4, 40.1, 34.5, 43.9, 51.4, 59.4, 63.2, 68.0, 72.0, 77.0, 81.7, 81.5, 81.0, 80.0, 79.4),
    (6.5, 8.1, 9.8, 11.9, 14.0, 16.1, 18.2),
    (0.8, 1.1, 1.4, 1.5, 1.7, 1.9, 2.0, 2.1),
)
SMOOTH = Machine(
    "smooth (a GPU)",
    (10.0, 10.2, 10.4, 10.6, 10.8, 11.0, 11.2, 11.4, 16.0, 16.1, 16.2, 16.3, 16.4, 16.5, 16.6, 16.7),
    (1.5, 1.5, 1.5, 1.5, 1.5, 1.6, 1.6),
    (0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4),
)


def _sparse_ms(rows: int, *, dense_ms: float, experts_ms: float, share: float) -> float:
    """Of a mixture of experts: every row goes through `share` of them, and what no row wants is not read.

    Rows choose independently here, so the experts that are read saturate as 1 - (1 - share)^rows.
    """
    return dense_ms + experts_ms * (1 - (1 - share) ** rows) / share


SPARSE = Machine(
    "sparse (8 of 128 experts on the processor, the rest on a GPU)",
    tuple(_sparse_ms(rows, dense_ms=6.0, experts_ms=6.0, share=8 / 128) for rows in range(1, 17)),
    (1.5, 1.5, 1.5, 1.5, 1.5, 1.6, 1.6),
    (0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4),
)
DEEP = replace(SMOOTH, name="deep (a draft that looks back at all of it)", target_slope=4e-6, draft_slope=3e-4)

MACHINES = (JAGGED, STEEP, SMOOTH, SPARSE)


class World:
    """A text whose drafted tokens are known to be right or wrong, and a clock."""

    def __init__(
        self, shape: SyntheticShape, machine: Machine, *, seed: int, tokens: int, context_tokens: int = 0
    ) -> None:
        """`context_tokens` were there before the text begins."""
        self.shape, self.machine, self._before = shape, machine, context_tokens
        self.random = np.random.default_rng(seed)
        size = tokens + 64
        phase = (np.arange(size) // shape.phase_length) % len(shape.phases)
        self.share = np.asarray(shape.phases)[phase]
        self.right = self.random.random(size) < self.share
        self.logit = self._logits(self.right)
        self.at, self.clock_ms = 0, 0.0

    @property
    def context_tokens(self) -> int:
        return self._before + self.at

    def _logits(self, right: NDArray[np.bool_]) -> NDArray[np.float64]:
        noise = self.random.standard_normal(len(right)) * self.shape.confidence_noise
        return np.where(right, 2.0, -2.0) + noise + self.shape.confidence_shift

    def block(self, length: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which tokens are right, and the confidences' logits: beyond a wrong token the draft is somewhere else."""
        right = self.right[self.at : self.at + length].copy()
        logits = self.logit[self.at : self.at + length].copy()
        wrong = np.flatnonzero(~right)
        if len(wrong) and wrong[0] + 1 < length:
            rest = slice(int(wrong[0]) + 1, length)
            elsewhere = self.random.random(length - rest.start) < np.mean(self.shape.phases)
            right[rest] = False
            logits[rest] = self._logits(elsewhere)
        return right, logits

    def spend(self, cost_ms: float) -> float:
        cost_ms *= float(np.exp(self.random.normal(0, self.machine.noise)))
        if self.random.random() < self.machine.stall_chance:
            cost_ms *= 4
        self.clock_ms += cost_ms
        return cost_ms

    def absorb_ms(self, rows: int) -> float:
        costs = self.machine.absorb_ms
        return 0.0 if not rows else costs[min(rows, 8) - 1] * max(1.0, rows / 8)


LengthAt = Callable[[int], int]
"""From a position in the text to a draft length."""


def always(length: int) -> LengthAt:
    return lambda at: length


def play_fixed(world: World, length_at: LengthAt, tokens: int) -> float:
    """Milliseconds for `tokens` tokens where the length is a function of the position."""
    waiting = 0
    while world.at < tokens:
        length = length_at(world.at)
        if length:
            right, _ = world.block(length)
            accepted = int(np.argmin(np.append(right, False)))
            world.spend(world.machine.propose_ms(length, world.context_tokens) + world.absorb_ms(waiting))
            waiting = 0
        else:
            accepted = 0
        world.spend(world.machine.verify_ms(length + 1, world.context_tokens))
        world.at += accepted + 1
        waiting += accepted + 1
    return world.clock_ms


def probe(tuner: Tuner, world: World) -> None:
    """The probe at load: three looks at every size, the middle one believed."""
    clock, machine = world.clock_ms, world.machine

    def look(cost: float) -> Seen:
        return Seen(sorted(world.spend(cost) for _ in range(3))[1], 3)

    tuner.costs.seed(
        {rows: look(cost) for rows, cost in enumerate(machine.target_ms[:8], 1)},
        {length: look(cost) for length, cost in enumerate(machine.draft_ms, 1)},
        {rows: look(world.absorb_ms(rows)) for rows in (1, 4, 8)},
    )
    world.clock_ms = clock


def play_tuned(world: World, tuner: Tuner, tokens: int) -> float:
    """Milliseconds for `tokens` tokens under the scheduler."""
    waiting = 0
    while world.at < tokens:
        waiting = _play_round(world, tuner, waiting)
    return world.clock_ms


def _play_round(world: World, tuner: Tuner, waiting: int) -> int:
    """Returns how many feature rows wait afterwards."""
    machine, context_tokens = world.machine, world.context_tokens
    situation = Situation(GREEDY, BLOCK, context_tokens, waiting)
    drafted = tuner.plan(situation).length
    right, logits = world.block(drafted)
    confidences = tuple((1 / (1 + np.exp(-logits))).tolist())
    absorb_ms = world.spend(world.absorb_ms(waiting)) if drafted and waiting else 0.0
    draft_ms = world.spend(machine.propose_ms(drafted, context_tokens)) if drafted else 0.0
    choice = tuner.choose(situation, drafted, confidences)
    accepted = min(int(np.argmin(np.append(right, False))), choice.length)
    verify_ms = world.spend(machine.verify_ms(choice.length + 1, context_tokens))
    world.at += accepted + 1
    played = RoundOutcome(
        choice,
        accepted=accepted,
        tokens=accepted + 1,
        drafted=drafted,
        absorbed=waiting if drafted else 0,
        confidences=confidences,
        next_chance=float(right[choice.length]) if accepted == choice.length < drafted else None,
        absorb_ms=absorb_ms,
        draft_ms=draft_ms,
        verify_ms=verify_ms,
    )
    tuner.learn(situation, played)
    return (0 if drafted else waiting) + accepted + 1


def oracle(shape: SyntheticShape, machine: Machine) -> LengthAt:
    """The best fixed length of each phase, from one who knows them: no policy without confidences does better."""

    def best(chance: float) -> int:
        return max(range(BLOCK + 1), key=lambda length: _speed(chance, length, machine))

    lengths = [best(chance) for chance in shape.phases]
    return lambda at: lengths[(at // shape.phase_length) % len(lengths)]


def _speed(chance: float, length: int, machine: Machine) -> float:
    """Tokens a millisecond where every drafted token has the same chance."""
    tokens = sum(chance**i for i in range(length + 1))
    cost_ms = machine.target_ms[length]
    if length:
        cost_ms += machine.draft_ms[length - 1] + machine.absorb_ms[max(1, round(tokens)) - 1]
    return tokens / cost_ms


@dataclass(frozen=True, slots=True)
class Simulated:
    """Speeds as multiples of plain decoding, means over texts."""

    tuned: float
    tuned_least: float
    oracle: float
    fixed: tuple[float, ...]


def simulate(shape: SyntheticShape, machine: Machine, *, tokens: int, texts: int) -> Simulated:
    """Every policy on the same texts, each from a fresh start."""
    tuned, knowing = [], []
    fixed: list[list[float]] = [[] for _ in FIXED_LENGTHS]
    for seed in range(texts):
        fresh = partial(World, shape, machine, seed=seed, tokens=tokens)
        plain_ms = play_fixed(fresh(), always(0), tokens)
        tuner, world = Tuner(BLOCK), fresh()
        probe(tuner, world)
        tuned.append(plain_ms / play_tuned(world, tuner, tokens))
        knowing.append(plain_ms / play_fixed(fresh(), oracle(shape, machine), tokens))
        for gains, length in zip(fixed, FIXED_LENGTHS, strict=True):
            gains.append(plain_ms / play_fixed(fresh(), always(length), tokens))
    return Simulated(fmean(tuned), min(tuned), fmean(knowing), tuple(map(fmean, fixed)))


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=768, help="length of a text")
    parser.add_argument("--texts", type=int, default=40)
    options = parser.parse_args()
    for machine in MACHINES:
        print(machine.name)
        for bar in BARS:
            if bar.repeats_prompt:
                continue  # needs real tokens
            found = simulate(bar.shape, machine, tokens=options.tokens, texts=options.texts)
            best = max(found.fixed)
            print(
                f"  {bar.name}: {found.tuned:.3f} of plain (least {found.tuned_least:.3f}); "
                f"who knows the phases {found.oracle:.3f}; "
                f"best fixed {best:.3f} at {FIXED_LENGTHS[found.fixed.index(best)]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
