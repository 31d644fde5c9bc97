"""A tuner on a scripted clock: what it learns and decides is the same on every machine."""

from dataclasses import replace

import numpy as np

from sparkdesk.bench.lab.simulation import JAGGED, Machine
from sparkdesk.engine.scheduling.costs import Seen
from sparkdesk.engine.scheduling.lengths import Situation
from sparkdesk.engine.scheduling.tuner import RoundOutcome, Tuner


class ClockedTuner(Tuner):
    """Takes the milliseconds of every round from a table."""

    def __init__(self, machine: Machine = JAGGED, block_size: int = 7) -> None:
        super().__init__(block_size, clock=lambda: self.elapsed_ms / 1e3)
        self.elapsed_ms = 0.0
        self.machine = machine
        self.schedule: list[tuple[int, Machine]] = []
        """From so many tokens on, another machine; the same one with other load on it."""
        self.tokens = 0
        self.random = np.random.default_rng(3)
        self.rounds: list[RoundOutcome] = []
        self.costs.seed(
            {rows: Seen(ms, 3) for rows, ms in enumerate(machine.target_ms, 1)},
            {length: Seen(ms, 3) for length, ms in enumerate(machine.draft_ms[:block_size], 1)},
            {rows: Seen(ms, 3) for rows, ms in enumerate(machine.absorb_ms, 1)},
        )

    def learn(self, situation: Situation, played: RoundOutcome) -> None:
        self.machine = next((each for at, each in reversed(self.schedule) if self.tokens >= at), self.machine)
        machine, absorbed = self.machine, played.absorbed
        self.tokens += played.tokens
        timed = replace(
            played,
            absorb_ms=machine.absorb_ms[min(8, absorbed) - 1] * max(1.0, absorbed / 8) if absorbed else 0.0,
            draft_ms=machine.draft_ms[played.drafted - 1] if played.drafted else 0.0,
            verify_ms=machine.target_ms[(played.rows or played.choice.length + 1) - 1] * self.noise(),
        )
        self.rounds.append(timed)
        self.elapsed_ms += timed.elapsed_ms
        super().learn(situation, timed)

    def noise(self) -> float:
        """A factor; 1 on a machine without a schedule, which is as even as its table."""
        return float(np.exp(self.random.normal(0, self.machine.noise))) if self.schedule else 1.0

    def speed(self) -> float:
        """Tokens of all rounds so far over what plain decoding had made in the same time."""
        spent_ms = sum(played.elapsed_ms for played in self.rounds)
        return sum(played.tokens for played in self.rounds) * self.machine.target_ms[0] / spent_ms
