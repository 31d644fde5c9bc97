"""Hybrid targets (recurrent layers): the same text at every draft length, and caches cut only where that is right."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.engine.interfaces import DraftState, TargetPart
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import Proposal
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import (
    ROLLBACK_STATES,
    Control,
    GenerationSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.speculate import generate
from tests.engine.tables import Run, collect
from tests.engine.tiny_gguf import FIRST_PLAIN, write_hybrid
from tests.engine.tiny_moe import write_lfm2

pytestmark = pytest.mark.native

PROMPT = tuple(int(token) for token in np.random.default_rng(1).integers(FIRST_PLAIN, 600, 20))
GREEDY = SamplingSettings(temperature=0)


class OracleDrafter:
    """Knows the text and is wrong now and then: what it proposes is put before the real target."""

    is_sequential, block_size, waiting = False, 7, 0

    def __init__(self, text: Sequence[int], right: NDArray[np.bool_]) -> None:
        self.text, self.right, self.length = text, right, 0

    def keep(self, target: TargetPart, rows: int) -> None:
        self.length += rows

    def absorb(self) -> None: ...

    def propose(self, anchor: int, length: int, picker: Picker) -> Proposal:
        start = self.length + 1
        following = self.text[start : start + length]
        tokens = [t if self.right[start + i] else (t + 1) % 600 for i, t in enumerate(following)]
        return Proposal(tuple(tokens), (), (0.5,) * len(tokens))

    def truncate(self, length: int) -> None:
        self.length = min(self.length, length)

    def save(self) -> DraftState:
        return DraftState(np.zeros(0, np.uint8), self.length, ())

    def restore(self, state: DraftState) -> None:
        self.length = state.start


@pytest.fixture(scope="module", params=[write_hybrid, write_lfm2], ids=["gated delta nets", "short convolutions"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    path = request.param(tmp_path_factory.mktemp("hybrid") / "tiny.gguf")
    with Pair.open(LoadSettings(str(path), None, context_tokens=1024, threads=1)) as pair:
        yield pair


def answer(pair: Pair, prompt: Sequence[int], *, length: int | None, max_tokens: int = 80, afresh: bool = False) -> Run:
    speculation = SpeculationSettings(is_enabled=length != 0, draft_length=length or None)
    settings = GenerationSettings(max_tokens=max_tokens, sampling=GREEDY, speculation=speculation, reads_afresh=afresh)
    return collect(generate(pair, prompt, settings, Control(speculation)))


@pytest.fixture(scope="module")
def plain(pair: Pair) -> tuple[int, ...]:
    return answer(pair, PROMPT, length=0, afresh=True).tokens


def test_it_keeps_as_many_states_as_a_block_has_tokens(pair: Pair) -> None:
    assert pair.target.needs_checkpoints
    assert pair.target.rollback_rows == ROLLBACK_STATES


@pytest.mark.parametrize("length", range(1, 8))
@pytest.mark.parametrize("share", [0.0, 0.6, 0.9])
def test_greedy_text_is_that_of_plain_decoding(pair: Pair, plain: tuple[int, ...], length: int, share: float) -> None:
    text = (*PROMPT, *plain, *([0] * 16))
    right = np.random.default_rng(length).random(len(text)) < share
    tuner, pair.tuner = pair.tuner, Tuner(OracleDrafter.block_size)
    pair.drafter = OracleDrafter(text, right)
    try:
        done = answer(pair, PROMPT, length=length, max_tokens=len(plain), afresh=True)
    finally:
        pair.drafter, pair.tuner = None, tuner
    assert done.tokens == plain
    cuts = {r.verified - r.accepted for r in done.rounds if r.verified}
    assert max(cuts) == length if share == 0.0 else min(cuts) < length


def test_prompt_lookup_gives_the_same_text(pair: Pair, plain: tuple[int, ...]) -> None:
    """The text is in the prompt: what is repeated of it is verified, and some of it is rejected."""
    prompt = (*PROMPT, *plain[:40], *PROMPT, *plain[:6])
    alone = answer(pair, prompt, length=0, afresh=True).tokens
    looked_up = answer(pair, prompt, length=None, afresh=True)
    assert looked_up.tokens == alone
    assert max(r.verified for r in looked_up.rounds) <= ROLLBACK_STATES


def test_a_reply_made_again_reads_only_the_last_token(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=0, afresh=True)
    again = answer(pair, PROMPT, length=0)
    assert again.tokens == first.tokens
    assert again.outcome.stats.prefilled_tokens == 1


def test_the_next_turn_reads_only_what_is_new(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=0, afresh=True)
    turn = (*PROMPT, *first.tokens, *PROMPT[:5])
    second = answer(pair, turn, length=0)
    assert second.outcome.stats.prefilled_tokens <= 6
    assert second.tokens == answer(pair, turn, length=0, afresh=True).tokens


def test_an_edited_turn_begins_at_the_turn_before(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=0, afresh=True)
    turn = (*PROMPT, *first.tokens, *PROMPT[:5])
    answer(pair, turn, length=0)
    edited = (*PROMPT, *first.tokens[:3], *PROMPT[5:12])
    third = answer(pair, edited, length=0)
    assert third.outcome.stats.prefilled_tokens == len(edited) - (len(PROMPT) - 1)
    assert third.tokens == answer(pair, edited, length=0, afresh=True).tokens


def test_a_saved_conversation_comes_back_with_its_checkpoints(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=0, afresh=True)
    state = pair.target.save()
    answer(pair, PROMPT[::-1], length=0, afresh=True)
    pair.target.restore(state)
    assert pair.target.left_after_cut(state, len(PROMPT) + 3) == len(PROMPT) - 1
    assert answer(pair, (*PROMPT, *first.tokens[:3]), length=0).tokens[:20] == first.tokens[3:23]


def test_a_pass_that_fails_leaves_nothing_wrong_behind(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    first = answer(pair, PROMPT, length=0, afresh=True)
    with monkeypatch.context() as patch:
        patch.setattr(pair.target._context, "logits", lambda count: (_ for _ in ()).throw(RuntimeError("broken")))
        with pytest.raises(RuntimeError):
            answer(pair, (*PROMPT, 300, 301), length=0)
    assert answer(pair, PROMPT, length=0).tokens == first.tokens
