"""Parity is sharp enough to catch what loads without a word: each omission here must show in the numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from converters import dspark, names
from converters.names import flag, i32_list
from converters.plan import FilePlan
from tests.converters.checkpoints import TARGET_LAYER_IDS, make_draft, make_target
from tests.converters.test_parity import convert_pair, expected_block, native_block
from tests.reference.numerics import relative_error
from tests.reference.rope import Rope

pytestmark = pytest.mark.native

Change = Callable[[FilePlan], FilePlan]


def layer_ids_without_plus_one(plan: FilePlan) -> FilePlan:
    others = tuple(entry for entry in plan.entries if entry.key != names.TARGET_LAYERS)
    return replace(plan, entries=(*others, i32_list(names.TARGET_LAYERS, TARGET_LAYER_IDS)))


def no_markov_head(plan: FilePlan) -> FilePlan:
    others = tuple(entry for entry in plan.entries if entry.key != names.HAS_CONFIDENCE_HEAD)
    heads = (names.MARKOV_W1, names.MARKOV_W2, names.CONFIDENCE_WEIGHT, names.CONFIDENCE_BIAS)
    plan = replace(plan, entries=(*others, flag(names.HAS_CONFIDENCE_HEAD, False)))
    return _without_tensors(plan, *heads)


def embeddings_without_head(plan: FilePlan) -> FilePlan:
    return _without_tensors(plan, names.OUTPUT_HEAD)


def default_rope_base(plan: FilePlan) -> FilePlan:
    key = names.key(names.ROPE_FREQ_BASE, names.DFLASH)
    return replace(plan, entries=tuple(entry for entry in plan.entries if entry.key != key))


def _without_tensors(plan: FilePlan, *dropped: str) -> FilePlan:
    return replace(plan, tensors=tuple(tensor for tensor in plan.tensors if tensor.name not in dropped))


@pytest.mark.parametrize(
    "change", [layer_ids_without_plus_one, no_markov_head, embeddings_without_head, default_rope_base]
)
def test_an_omission_breaks_parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    target = make_target(tmp_path / "target", tied=False, rope_theta=1e6)
    draft = make_draft(tmp_path / "draft", target, own_head=change is embeddings_without_head, rope_theta=1e6)
    plan_draft = dspark.plan_draft
    monkeypatch.setattr(dspark, "plan_draft", lambda *arguments, **named: change(plan_draft(*arguments, **named)))
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    expected = expected_block(target, draft, rope=Rope(theta=1e6))
    # The first row alone: a greedy chain that takes another turn would make any error look large.
    assert relative_error(logits[0], expected.logits[0]) > 0.005
