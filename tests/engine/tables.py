"""A target and a draft made of tables: every distribution is known exactly, and no model is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import Block, FloatArray
from sparkdesk.engine.interfaces import DraftState, TargetPart, TargetState
from sparkdesk.engine.kv_snapshots import KvSnapshots
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import (
    Control,
    GenerationSettings,
    GrammarSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.speculate import generate
from sparkdesk.engine.stats import Outcome

BYTES_PER_TOKEN = 100


class TableTarget:
    """The next token depends on the last one only: logits are a row of `table` (vocabulary, vocabulary)."""

    def __init__(self, table: FloatArray, context_tokens: int = 4096) -> None:
        self.table, self.context_tokens = table, context_tokens
        self.vocabulary_size = len(table)
        self.tokens: list[int] = []
        self._pass_start = 0
        self.decoded_rows = 0

    @property
    def length(self) -> int:
        return len(self.tokens)

    def decode(self, tokens: Sequence[int], *, all_rows: bool) -> FloatArray:
        assert len(self.tokens) + len(tokens) <= self.context_tokens, "decoded beyond the context"
        self._pass_start = len(self.tokens)
        self.tokens.extend(tokens)
        self.decoded_rows += len(tokens)
        rows = list(tokens) if all_rows else [tokens[-1]]
        return self.table[rows].astype(np.float32)

    def features(self, count: int) -> FloatArray:
        """The position stands for the features, so that a misplaced row shows."""
        return np.arange(self._pass_start, self._pass_start + count, dtype=np.float32)[:, None]

    def hidden_rows(self, count: int) -> FloatArray:
        return self.features(count)

    def truncate(self, length: int) -> None:
        del self.tokens[length:]

    @property
    def state_bytes(self) -> int:
        return BYTES_PER_TOKEN * self.length

    def save(self) -> TargetState:
        return TargetState(tuple(self.tokens), np.zeros(self.state_bytes, np.uint8))

    def restore(self, state: TargetState) -> None:
        self.tokens = list(state.tokens)

    def left_after_cut(self, state: TargetState, length: int) -> int:
        return length

    rollback_rows = 1 << 30
    needs_checkpoints = False

    def checkpoint(self) -> None:
        raise AssertionError("nobody needs one here")


class TableDrafter:
    """Base logits by block position plus a bias by the previous token, chained greedily like the real graph."""

    is_sequential = False

    def __init__(self, base: FloatArray, bias: FloatArray, *, block_size: int = 7) -> None:
        self.base, self.bias, self.block_size = base, bias, block_size
        self.markov: TableMarkov | None = TableMarkov(bias)
        self.positions: list[float] = []
        self.absorbed = 0
        self.proposed: list[tuple[int, int]] = []
        self.confidence_by_anchor: NDArray[np.float64] | None = None
        """(vocabulary, block) confidences after each anchor; .5 where it is not set."""
        self.logit_cap = 0.0
        """Left out of the rows, as llama.cpp's graph does."""

    @property
    def length(self) -> int:
        return len(self.positions)

    @property
    def waiting(self) -> int:
        return len(self.positions) - self.absorbed

    def keep(self, target: TargetPart, rows: int) -> None:
        self.positions.extend(target.features(rows)[:, 0].tolist())
        assert self.positions == list(range(len(self.positions))), "a feature row is missing or at the wrong place"

    def absorb(self) -> None:
        self.absorbed = len(self.positions)

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        return picker.block(self.block(anchor, length), self.markov)

    def block(self, anchor: int, length: int) -> Block:
        assert self.waiting == 0, "the draft has not seen all features"
        self.proposed.append((anchor, length))
        rows, previous = [], anchor
        for i in range(length):
            row = self.base[i] + self.bias[previous]
            rows.append(row)
            previous = int(row.argmax())
        table = self.confidence_by_anchor
        confidences = (0.5,) * length if table is None else tuple(table[anchor, :length].tolist())
        return Block(np.stack(rows).astype(np.float32), confidences, self.logit_cap)

    def truncate(self, length: int) -> None:
        del self.positions[length:]
        self.absorbed = min(self.absorbed, length)

    def save(self) -> DraftState:
        return DraftState(np.zeros(0, np.uint8), self.absorbed, (np.zeros((self.waiting, 1), np.uint16),))

    def restore(self, state: DraftState) -> None:
        self.positions = [float(i) for i in range(state.start + sum(map(len, state.waiting)))]
        self.absorbed = state.start


class SequentialTableDrafter(TableDrafter):
    """The same, a token at a time, each conditioned on the one really drawn before it."""

    is_sequential = True

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        assert self.waiting == 0, "the draft has not seen all features"
        previous: int | None = anchor
        for i in range(length):
            assert previous is not None
            previous = picker.pick((self.base[i] + self.bias[previous]).astype(np.float32))
            if previous is None or not picker.goes_on:
                break
        found = picker.proposal()
        self.proposed.append((anchor, len(found.tokens)))
        return found


class TableMarkov:
    def __init__(self, table: FloatArray) -> None:
        self.table = table

    def bias(self, previous: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        found: FloatArray = self.table[previous][ids]
        return found

    def difference(self, previous: int, instead_of: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        return self.bias(previous, ids) - self.bias(instead_of, ids)


class TableConstraint:
    """Which token may come next depends on the last one, and is a row of `may_follow` (vocabulary, vocabulary)."""

    def __init__(self, may_follow: NDArray[np.bool_], last: int, *, opened: list["TableConstraint"]) -> None:
        self.may_follow, self.last, self.opened = may_follow, last, opened
        self.is_closed, self.asked = False, 0
        opened.append(self)

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        assert not self.is_closed, "asked after it was closed"
        self.asked += len(ids)
        found: NDArray[np.bool_] = self.may_follow[self.last][ids]
        return found

    def accept(self, token: int) -> None:
        assert self.may_follow[self.last][token], "llama.cpp would have ended the process"
        self.last = token

    def copy(self) -> "TableConstraint":
        return TableConstraint(self.may_follow, self.last, opened=self.opened)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class ScriptedPair:
    target: TableTarget
    drafter: TableDrafter | None
    tuner: Tuner = field(default_factory=lambda: Tuner(7))
    saved: KvSnapshots = field(default_factory=lambda: KvSnapshots(0))
    may_follow: NDArray[np.bool_] | None = None
    """What every grammar comes to."""
    start: int = 0
    """The token that the constraint takes for the last one of the prompt."""
    opened: list[TableConstraint] = field(default_factory=list)

    def constraint(self, grammar: GrammarSettings) -> TableConstraint:
        assert self.may_follow is not None
        return TableConstraint(self.may_follow, self.start, opened=self.opened)


def cycle_pair(vocabulary: int = 16, *, wrong: Sequence[int] = (), context_tokens: int = 4096) -> ScriptedPair:
    """Target: t -> t + 1. Draft: the same, except after the tokens in `wrong`."""
    successor = np.roll(np.eye(vocabulary, dtype=np.float32), 1, axis=1) * 9
    bias = successor.copy()
    for token in wrong:
        bias[token] = np.roll(bias[token], 1)
    return ScriptedPair(
        TableTarget(successor, context_tokens),
        TableDrafter(np.zeros((7, vocabulary), np.float32), bias),
    )


def random_pair(seed: int, vocabulary: int = 6, *, likeness: float = 0.7) -> ScriptedPair:
    """A target and a draft whose distributions agree in part."""
    random = np.random.default_rng(seed)
    table = random.normal(0, 1.5, (vocabulary, vocabulary)).astype(np.float32)
    noise = random.normal(0, 1.5, (vocabulary, vocabulary)).astype(np.float32)
    bias = (likeness * table + (1 - likeness) * noise).astype(np.float32)
    base = random.normal(0, 0.3, (7, vocabulary)).astype(np.float32)
    return ScriptedPair(TableTarget(table), TableDrafter(base, bias))


def step_by_step(pair: ScriptedPair) -> ScriptedPair:
    """The same pair with a draft that takes a pass for every token."""
    assert pair.drafter is not None
    drafter = SequentialTableDrafter(pair.drafter.base, pair.drafter.bias, block_size=pair.drafter.block_size)
    return replace(pair, drafter=drafter)


@dataclass(frozen=True, slots=True)
class Run:
    tokens: tuple[int, ...]
    rounds: tuple[Round, ...]
    prefills: tuple[Prefilled, ...]
    outcome: Outcome


def run(
    pair: ScriptedPair,
    prompt: Sequence[int],
    *,
    length: int,
    max_tokens: int = 40,
    sampling: SamplingSettings | None = None,
    stop_tokens: frozenset[int] = frozenset(),
    drafts_greedily: bool = False,
    speculation: SpeculationSettings | None = None,
    grammar: GrammarSettings | None = None,
    reads_afresh: bool = False,
) -> Run:
    """One reply at a fixed draft length, or as `speculation` says."""
    speculation = speculation or SpeculationSettings(length > 0, length or None, drafts_greedily)
    settings = GenerationSettings(
        max_tokens=max_tokens,
        stop_tokens=stop_tokens,
        sampling=sampling or SamplingSettings(temperature=0),
        speculation=speculation,
        grammar=grammar,
        reads_afresh=reads_afresh,
    )
    return collect(generate(pair, prompt, settings, Control(speculation)))


def collect(events: Iterator[Prefilled | Round | Outcome]) -> Run:
    rounds: list[Round] = []
    prefills: list[Prefilled] = []
    outcome: Outcome | None = None
    for event in events:
        if isinstance(event, Round):
            rounds.append(event)
        elif isinstance(event, Prefilled):
            prefills.append(event)
        else:
            outcome = event
    assert outcome is not None
    return Run(tuple(t for r in rounds for t in r.tokens), tuple(rounds), tuple(prefills), outcome)
