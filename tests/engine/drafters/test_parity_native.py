"""Sequential drafts compute what their equations say: llama.cpp against tests/reference, over seven chained steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from sparkdesk.engine.features import PendingFeatures
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.sampling import Sampler
from sparkdesk.engine.settings import MTP, LoadSettings, SamplingSettings
from tests.engine.tiny_drafts import Eagle3Shape, write_eagle3_pair
from tests.engine.tiny_gguf import FIRST_PLAIN, HybridShape, write_hybrid
from tests.reference.chained_layer import eagle3_logits, mtp_logits

pytestmark = pytest.mark.native

PROMPT = tuple(int(token) for token in np.random.default_rng(7).integers(FIRST_PLAIN, 600, 23))
STEPS = 7


class Recording(Picker):
    """Keeps the rows it picks from."""

    def __init__(self, history: Sequence[int]) -> None:
        super().__init__(history, Sampler(SamplingSettings(temperature=0)), is_drawn=False)
        self.rows: list[Any] = []

    def pick(self, row: Any, ids: Any = None) -> int | None:
        self.rows.append(row.copy())
        return super().pick(row, ids)


def drafted(pair: Pair, steps: int) -> tuple[int, Recording, Any, Any]:
    """The anchor, what was picked, and the target's features and hidden states of the prompt."""
    drafter, target = pair.drafter, pair.target
    assert drafter is not None
    anchor = int(target.decode(PROMPT, all_rows=False)[0].argmax())
    features = as_kept(target.features(len(PROMPT))) if target._feature_layers else None
    hidden = None if features is not None else as_kept(target.hidden_rows(len(PROMPT)))
    drafter.keep(target, len(PROMPT))
    drafter.absorb()
    recording = Recording((*PROMPT, anchor))
    drafter.block_size = steps
    drafter.propose(anchor, steps, recording)
    return anchor, recording, features, hidden


def as_kept(rows: Any) -> Any:
    """Rows wait in memory as bfloat16."""
    pending = PendingFeatures()
    pending.append(rows)
    return pending.take()


def relative_error(got: Any, wanted: Any) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"draft_vocabulary": 200},
        {"has_head": False},
        {"norm_before_residual": True},
        {"norm_before_fc": True, "draft_vocabulary": 200},
    ],
    ids=str,
)
def test_eagle3(tmp_path: Path, options: dict[str, Any]) -> None:
    made = write_eagle3_pair(tmp_path, **options)
    shape = Eagle3Shape()
    with Pair.open(LoadSettings(str(made.target), str(made.draft), context_tokens=256, threads=1)) as pair:
        anchor, recording, features, _ = drafted(pair, STEPS)
    wanted = eagle3_logits(
        made.weights,
        made.embeddings,
        features,
        [*PROMPT[1:], anchor],
        recording.proposal().tokens[:-1],
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        **made.options,
    )
    assert len(recording.rows) == len(wanted) == STEPS
    for got, reference in zip(recording.rows, wanted, strict=True):
        if made.ids is not None:
            assert np.isneginf(np.delete(got, made.ids)).all(), "tokens outside the draft's vocabulary are impossible"
        got = got if made.ids is None else got[made.ids]
        assert relative_error(got, reference) < 1e-3


def test_the_mtp_layer(tmp_path: Path) -> None:
    path, shape = write_hybrid(tmp_path / "hybrid.gguf"), HybridShape()
    tensors = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(str(path)).tensors}
    own = f"blk.{shape.layers}."
    weights = {name.removeprefix(own): values for name, values in tensors.items() if name.startswith(own)}
    with Pair.open(LoadSettings(str(path), None, MTP, context_tokens=256, threads=1)) as pair:
        anchor, recording, _, hidden = drafted(pair, STEPS)
    wanted = mtp_logits(
        weights,
        tensors["token_embd.weight"],
        tensors["output.weight"],
        [*PROMPT, anchor],
        np.concatenate((np.zeros((1, shape.hidden)), hidden)),
        recording.proposal().tokens[:-1],
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        rotated=shape.rotated,
    )
    assert len(recording.rows) == len(wanted) == STEPS
    for got, reference in zip(recording.rows, wanted, strict=True):
        assert relative_error(got, reference) < 1e-3
