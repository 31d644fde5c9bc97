"""The scheduler in the loop, on a scripted clock: it drafts where that pays, parks where it does not, comes back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.bench.lab.simulation import JAGGED, SMOOTH, STEEP, Machine
from sparkdesk.engine.block import Block
from sparkdesk.engine.round import Round
from sparkdesk.engine.scheduling.lengths import CONTEXT, DRAFT, GREEDY, SAMPLED, Situation
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.engine.clocked import ClockedTuner
from tests.engine.tables import Run, ScriptedPair, TableDrafter, TableMarkov, TableTarget, collect, step_by_step

VOCABULARY = 4000
TUNED = SpeculationSettings(is_enabled=True, draft_length=None)


class SureDrafter(TableDrafter):
    """Its confidences say which of its tokens are right, with a little doubt."""

    right: NDArray[np.bool_]
    says = True

    def block(self, anchor: int, length: int) -> Block:
        block = super().block(anchor, length)
        chain = [anchor, *block.logits.argmax(axis=1).tolist()][:length]
        confidences = tuple(0.93 if self.right[token] else 0.1 for token in chain) if self.says else ()
        return Block(block.logits, confidences)


class Successor:
    """A (vocabulary, vocabulary) table without its size: row t is sure of one token."""

    def __init__(self, following: NDArray[np.int64]) -> None:
        self.following = following

    def __len__(self) -> int:
        return len(self.following)

    def __getitem__(self, tokens: int | list[int]) -> NDArray[np.float32]:
        rows = np.zeros((1 if isinstance(tokens, int) else len(tokens), len(self)), np.float32)
        rows[np.arange(len(rows)), self.following[tokens]] = 9.0
        return rows[0] if isinstance(tokens, int) else rows


class Unsure(Successor):
    """Guesses where it is not right, and its logits say so."""

    def __init__(self, following: NDArray[np.int64], right: NDArray[np.bool_]) -> None:
        super().__init__(np.where(right, following, np.roll(following, -7)))
        self.heights = np.where(right, 12.0, 5.0)

    def __getitem__(self, tokens: int | list[int]) -> NDArray[np.float32]:
        row: NDArray[np.float32] = super().__getitem__(tokens) / 9.0 * self.heights[tokens]
        return row


def long_pair(right: NDArray[np.bool_], machine: Machine = JAGGED) -> ScriptedPair:
    """Target: t -> t + 1 through a long vocabulary. Draft: the same after the tokens in `right`."""
    following = np.roll(np.arange(VOCABULARY), -1)
    drafted = np.where(right, following, np.roll(following, -7))
    drafter = SureDrafter(np.zeros((7, VOCABULARY), np.float32), Successor(drafted))  # type: ignore[arg-type]
    drafter.right = right
    target = TableTarget(Successor(following), context_tokens=8192)  # type: ignore[arg-type]
    drafter.markov = TableMarkov(np.zeros((1, 1), np.float32))
    return ScriptedPair(target, drafter, tuner=ClockedTuner(machine))


def without_draft(pair: ScriptedPair) -> ScriptedPair:
    pair.drafter = None
    return pair


def shares(*phases: tuple[float, int], seed: int = 0) -> NDArray[np.bool_]:
    """Which tokens the draft is right after: stretches of (share, tokens), over and over."""
    random = np.random.default_rng(seed)
    pattern = np.concatenate([np.full(length, share) for share, length in phases])
    return random.random(VOCABULARY) < np.resize(pattern, VOCABULARY)


def play(pair: ScriptedPair, tokens: int, prompt: tuple[int, ...] = (1, 2, 3)) -> Run:
    settings = GenerationSettings(max_tokens=tokens, sampling=SamplingSettings(temperature=0), speculation=TUNED)
    done = collect(generate(pair, prompt, settings, Control(TUNED)))
    start = prompt[-1] + 1
    assert done.tokens == tuple(range(start, start + tokens)), "the text is the target's own"
    return done


def clock(pair: ScriptedPair) -> ClockedTuner:
    assert isinstance(pair.tuner, ClockedTuner)
    return pair.tuner


def test_a_good_draft_is_used_at_the_length_the_machine_favours() -> None:
    pair = long_pair(shares((0.85, 64)))
    done = play(pair, 600)
    assert clock(pair).speed() > 1.4
    lengths = [round_.verified for round_ in done.rounds if round_.verified]
    assert np.mean([length >= 3 for length in lengths]) > 0.6
    assert 2 not in lengths[20:], "three rows cost more than four here"


@pytest.mark.parametrize("machine", [JAGGED, STEEP, SMOOTH], ids=lambda machine: str(machine.name))
def test_a_useless_draft_is_parked_and_costs_next_to_nothing(machine: Machine) -> None:
    pair = long_pair(shares((0.0, 64)), machine)
    done = play(pair, 768)
    assert clock(pair).speed() > 0.97
    assert np.mean([round_.is_parked for round_ in done.rounds[20:]]) > 0.9


@pytest.mark.parametrize(
    ("says", "least_easy"), [(True, 0.55), (False, 0.4)], ids=["confidence head", "no confidence head"]
)
def test_it_parks_in_hard_stretches_and_comes_back_in_one_absorb(says: bool, least_easy: float) -> None:
    """The scripted drafter refuses to propose before it has absorbed every row, each at its place."""
    pair = long_pair(shares((0.97, 200), (0.05, 200)))
    assert isinstance(pair.drafter, SureDrafter)
    pair.drafter.says = says
    done = play(pair, 1600)
    assert clock(pair).speed() > 1.12
    stretches = [[r for r in done.rounds if r.tokens and (r.tokens[0] // 200) % 2 == hard] for hard in (0, 1)]
    easy, hard = (np.mean([bool(r.drafted) for r in stretch]) for stretch in stretches)
    assert easy > least_easy and hard < 0.35
    assert max(r.absorbed for r in done.rounds) > 20


def test_text_that_repeats_the_prompt_is_verified_without_a_draft() -> None:
    pair = long_pair(shares((0.0, 64)))
    done = play(pair, 200, prompt=(*range(100, 320), *range(90, 108)))
    assert clock(pair).speed() > 2.0
    taken = [round_ for round_ in done.rounds if round_.source == CONTEXT]
    assert sum(round_.accepted for round_ in taken) > 150
    assert done.outcome.stats.from_context == sum(round_.accepted for round_ in taken)
    drafted = [round_ for round_ in done.rounds if round_.source == DRAFT]
    assert sum(done.outcome.stats.accepted_by_position) == sum(round_.accepted for round_ in drafted)
    assert sum(done.outcome.stats.verified_by_position) == sum(round_.verified for round_ in drafted)
    assert not any(round_.drafted for round_ in taken[3:]), "nothing is drafted where the context knows"


@pytest.mark.parametrize("machine", [JAGGED, STEEP, SMOOTH], ids=lambda machine: str(machine.name))
def test_a_target_without_a_draft_gains_where_text_repeats_and_loses_nothing_elsewhere(machine: Machine) -> None:
    repeating = without_draft(long_pair(shares((0.0, 64)), machine))
    done = play(repeating, 200, prompt=(*range(100, 320), *range(90, 108)))
    assert clock(repeating).speed() > {"steep": 1.05}.get(str(machine.name), 1.8)
    assert done.outcome.stats.from_context > (150 if machine is not STEEP else 0)
    assert not any(round_.drafted for round_ in done.rounds)
    free = without_draft(long_pair(shares((0.0, 64)), machine))
    play(free, 400)
    assert clock(free).speed() > 0.99


@pytest.mark.parametrize("machine", [JAGGED, SMOOTH], ids=lambda machine: str(machine.name))
def test_a_sequential_draft_stops_where_it_is_unsure(machine: Machine) -> None:
    """Right in easy stretches, wrong in hard ones; its own logits say so, and passes are saved."""
    right = shares((0.97, 200), (0.05, 200))
    pair = step_by_step(long_pair(right, machine))
    assert pair.drafter is not None
    pair.drafter.bias = Unsure(np.roll(np.arange(VOCABULARY), -1), right)  # type: ignore[assignment]
    done = play(pair, 1600)
    drafted = [
        [r.drafted for r in done.rounds[50:] if r.drafted and (r.tokens[0] // 200) % 2 == hard] for hard in (0, 1)
    ]
    assert np.mean(drafted[0]) > 1.5 * np.mean(drafted[1])
    assert clock(pair).speed() > 1.1


def test_the_draft_goes_on_where_the_repetition_ends() -> None:
    pair = long_pair(shares((0.9, 64)))
    done = play(pair, 400, prompt=(*range(100, 220), *range(90, 108)))
    sources = [round_.source for round_ in done.rounds]
    assert CONTEXT in sources[:20] and sources.count(DRAFT) > 30
    last_repeat = max(i for i, source in enumerate(sources) if source == CONTEXT)
    assert DRAFT in sources[last_repeat:]


def test_another_reply_is_another_text() -> None:
    """A pair that parked in the last reply looks at the next one at once, and stays awake if it goes well."""
    pair = long_pair(np.arange(VOCABULARY) > 2000)
    play(pair, 300)
    assert pair.tuner.parking.is_parked
    done = play(pair, 200, prompt=(2500,))
    assert np.mean([bool(round_.drafted) for round_ in done.rounds]) > 0.6


def test_the_users_switch_and_length_overrule_it() -> None:
    pair, control = long_pair(shares((0.95, 64))), Control(TUNED)
    settings = GenerationSettings(max_tokens=200, sampling=SamplingSettings(temperature=0), speculation=TUNED)
    rounds: list[Round] = []
    for event in generate(pair, (1,), settings, control):
        if isinstance(event, Round):
            rounds.append(event)
            if len(rounds) == 10:
                control.speculation = SpeculationSettings(is_enabled=False)
            if len(rounds) == 20:
                control.speculation = SpeculationSettings(draft_length=2)
    assert not any(round_.drafted or round_.is_parked for round_ in rounds[11:20])
    assert {round_.drafted for round_ in rounds[20:-2]} == {2}


def test_features_kept_while_nothing_is_drafted_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkdesk.engine.speculate.MOST_WAITING", 50)
    pair = long_pair(shares((0.0, 64)))
    assert pair.drafter is not None
    most = 0
    settings = GenerationSettings(max_tokens=300, sampling=SamplingSettings(temperature=0))
    off = SpeculationSettings(is_enabled=False)
    for _ in generate(pair, (1,), replace(settings, speculation=off), Control(off)):
        most = max(most, pair.drafter.waiting)
    assert 40 < most <= 50


def test_a_plain_step_is_measured_now_and_then_however_well_it_goes() -> None:
    """What it gains is held against plain decoding, whose cost must not be a memory."""
    pair = long_pair(shares((1.0, 64)))
    done = play(pair, 1200)
    plain = [i for i, round_ in enumerate(done.rounds) if not round_.is_first and not round_.verified]
    assert 3 <= len(plain) <= 12


def test_rules_of_acceptance_are_learnt_apart() -> None:
    """A draft that never guesses the likeliest token may still propose what a sampled reply accepts."""
    pair = long_pair(shares((0.0, 64)))
    assert isinstance(pair.drafter, SureDrafter)
    pair.drafter.says = False
    play(pair, 300)
    chosen = {rule: verified_length(pair.tuner, rule) for rule in (GREEDY, SAMPLED)}
    assert chosen[GREEDY] == 0 < chosen[SAMPLED]


def verified_length(tuner: Tuner, rule: str) -> int:
    """How much of a block it verifies whose draft says nothing of its confidence."""
    situation = Situation(rule, 0, 10)
    tuner.plan(situation)
    return tuner.choose(situation, 7, ()).length


def test_what_was_learnt_can_be_taken_up_again() -> None:
    """A hopeless draft is known as such in the next session, which spends less on finding out."""
    first = long_pair(shares((0.0, 64)))
    play(first, 400)
    state = json.loads(json.dumps(first.tuner.state()))
    second = long_pair(shares((0.0, 64)))
    second.tuner.restore(state)
    done = play(second, 200)
    fresh = long_pair(shares((0.0, 64)))
    assert sum(r.drafted for r in done.rounds) <= sum(r.drafted for r in play(fresh, 200).rounds)
    with pytest.raises((ValueError, KeyError)):
        Tuner(5).restore(state)


def test_without_a_draft_there_is_nothing_to_choose() -> None:
    tuner = ClockedTuner(block_size=0)
    assert tuner.plan(Situation(GREEDY, 0, 10)).length == 0
