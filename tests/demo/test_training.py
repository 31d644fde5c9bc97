"""A tiny target and draft: one step of each, saved under the names other programs expect."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from safetensors import safe_open  # noqa: E402  (torch may be missing)
from tokenizers import Tokenizer  # noqa: E402

from sparkdesk.demo.acceptance import accepted_after_each_anchor  # noqa: E402
from sparkdesk.demo.batches import Batch, BatchMaker  # noqa: E402
from sparkdesk.demo.chat_format import END_OF_TEXT, MASK, TURN_END  # noqa: E402
from sparkdesk.demo.checkpoint import read_target_shape, save_draft, save_target  # noqa: E402
from sparkdesk.demo.draft_loss import draft_loss  # noqa: E402
from sparkdesk.demo.draft_model import DraftModel, Proposal, block_visibility  # noqa: E402
from sparkdesk.demo.optimizer import Optimizer, orthogonal  # noqa: E402
from sparkdesk.demo.shape import DraftShape, TargetShape  # noqa: E402
from sparkdesk.demo.target_model import TargetModel  # noqa: E402
from sparkdesk.demo.tokenizer import token_id, train_tokenizer  # noqa: E402
from sparkdesk.demo.train import load_target  # noqa: E402
from sparkdesk.demo.train_draft import batch_loss, random_anchors  # noqa: E402
from sparkdesk.demo.train_target import answer_loss  # noqa: E402

SHAPE = TargetShape(hidden_size=32, intermediate_size=64, layer_count=3, head_count=2, kv_head_count=1, head_dim=16)
DRAFT = DraftShape(layer_count=1, markov_rank=8, target_layer_ids=(0, 1))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(seed=0)


@pytest.fixture(scope="module")
def batch(tokenizer: Tokenizer) -> Batch:
    return BatchMaker(tokenizer, seed=0).batch(0, rows=2)


@pytest.fixture
def target() -> TargetModel:
    torch.manual_seed(0)
    return TargetModel(SHAPE)


def draft_of(target: TargetModel, tokenizer: Tokenizer) -> DraftModel:
    draft = DraftModel(SHAPE, DRAFT, mask_token=token_id(tokenizer, MASK))
    draft.borrow(target)
    return draft


def test_rows_mark_whole_answers_and_nothing_else(tokenizer: Tokenizer, batch: Batch) -> None:
    marked = batch.tokens[0][batch.is_answer[0]].tolist()
    question = batch.tokens[0][~batch.is_answer[0]].tolist()
    assert marked.count(tokenizer.token_to_id(TURN_END)) == tokenizer.decode(question, skip_special_tokens=False).count(
        "user\n"
    )
    assert tokenizer.token_to_id(END_OF_TEXT) not in marked


def test_one_step_on_a_batch_lowers_its_loss(target: TargetModel, batch: Batch) -> None:
    optimizer = Optimizer(target, matrix_rate=0.02, other_rate=3e-3)
    weights = torch.ones(SHAPE.vocab_size)
    before = answer_loss(target, batch, weights, "cpu")
    before.backward()  # type: ignore[no-untyped-call]
    optimizer.step(1.0)
    assert answer_loss(target, batch, weights, "cpu").item() < before.item() - 0.05


def test_a_step_of_the_draft_lowers_its_loss_and_leaves_what_it_borrowed(
    target: TargetModel, tokenizer: Tokenizer, batch: Batch
) -> None:
    target.requires_grad_(False)
    draft = draft_of(target, tokenizer)
    optimizer = Optimizer(draft, matrix_rate=0.02, other_rate=3e-3)
    losses = []
    for _ in range(8):
        torch.manual_seed(1)
        loss = batch_loss(target, draft, batch, "cpu")
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step(1.0)
        losses.append(loss.total.item())
    assert losses[-1] < losses[0] - 0.02
    assert torch.equal(draft.embed_tokens.weight, target.model.embed_tokens.weight)
    assert torch.equal(draft.lm_head.weight, target.lm_head.weight)


def test_a_saved_target_has_the_names_of_a_qwen3_checkpoint_and_comes_back(
    target: TargetModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    save_target(target.state_dict(), SHAPE, tokenizer, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
        assert {file.get_slice(name).get_dtype() for name in names} == {"BF16"}
    layer = {f"model.layers.{i}.{part}.weight" for i in range(3) for part in LAYER_PARTS}
    assert names == layer | {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"}
    assert read_target_shape(tmp_path) == SHAPE
    again, _ = load_target(tmp_path, "cpu")
    assert torch.allclose(again.lm_head.weight, target.lm_head.weight, atol=1e-3)


def test_a_saved_draft_has_the_names_and_keys_of_deepspec(
    target: TargetModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    save_draft(draft_of(target, tokenizer).state_dict(), SHAPE, DRAFT, tokenizer, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    heads = {
        "markov_head.markov_w1.weight",
        "markov_head.markov_w2.weight",
        "confidence_head.proj.weight",
        "confidence_head.proj.bias",
    }
    around = {"embed_tokens.weight", "lm_head.weight", "fc.weight", "norm.weight", "hidden_norm.weight"}
    assert names == {f"layers.0.{part}.weight" for part in LAYER_PARTS} | heads | around
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["Qwen3DSparkModel"]
    assert config["mask_token_id"] == tokenizer.token_to_id(MASK)
    assert (config["block_size"], config["num_hidden_layers"], config["num_target_layers"]) == (7, 1, 3)
    assert (config["target_layer_ids"], config["markov_rank"], config["markov_head_type"]) == ([0, 1], 8, "vanilla")
    assert config["enable_confidence_head"] and config["confidence_head_with_markov"]


def test_a_block_sees_the_context_before_its_anchor_and_itself_only() -> None:
    """Seeing the anchor's own features would be a look at the answer: the target has not read the anchor yet."""
    visible = block_visibility(torch.tensor([[2, 4]]), length=6, block_size=2)[0, 0].int().tolist()
    assert visible == [
        [1, 1, 0, 0, 0, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 1, 1],
        [1, 1, 1, 1, 0, 0, 0, 0, 1, 1],
    ]


def test_what_comes_after_the_anchor_does_not_change_the_block(target: TargetModel, tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    draft = draft_of(target, tokenizer)
    torch.nn.init.normal_(draft.get_parameter("layers.0.self_attn.o_proj.weight"))
    tokens = torch.randint(0, 2000, (1, 20))
    changed = tokens.clone()
    changed[0, 9:] = torch.randint(0, 2000, (11,))
    anchors = torch.tensor([[8]])
    blocks = [
        draft.block_hidden(t, target.hidden_states(t, DRAFT.target_layer_ids)[1], anchors) for t in (tokens, changed)
    ]
    assert torch.allclose(blocks[0], blocks[1], atol=1e-5)


def test_anchors_are_answer_tokens_that_an_answer_token_follows() -> None:
    is_answer = torch.tensor([[False, True, True, False, True, True, True, False]])
    anchors, is_used = random_anchors(is_answer, 5)
    assert sorted(anchors[is_used].tolist()) == [1, 4, 5]


def test_a_draft_that_agrees_with_the_target_has_no_distance_and_full_acceptance() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 2, 7, 50)
    labels = logits.argmax(-1)
    judged = torch.ones_like(labels, dtype=torch.bool)
    same = draft_loss(Proposal(logits, torch.full((1, 2, 7), 9.0)), logits, labels, judged)
    other = draft_loss(Proposal(-logits, torch.full((1, 2, 7), 9.0)), logits, labels, judged)
    assert same.distance == pytest.approx(0.0, abs=1e-6)
    assert same.acceptance == pytest.approx(1.0)
    assert other.distance > 0.5
    assert other.confidence > same.confidence + 1


def test_accepted_tokens_are_counted_up_to_the_first_miss(target: TargetModel, tokenizer: Tokenizer) -> None:
    """A Markov table that knows only 100 -> 101 -> 102 -> 103 -> 104 drafts that run and no more."""
    draft = draft_of(target, tokenizer)
    first, second = draft.markov_head.markov_w1.weight, draft.markov_head.markov_w2.weight
    with torch.no_grad():
        for weight in (draft.lm_head.weight, first, second):
            weight.zero_()
        for place in range(4):
            first[100 + place, place] = 1.0
            second[101 + place, place] = 1.0
    counts = accepted_after_each_anchor(target, draft, [5, 6], [100, 101, 102, 103, 110, 111])
    assert counts == [3, 2, 1, 0, 0]


def test_orthogonal_steps_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 24, 12)).float())
    assert values.min() > 0.5
    assert values.max() < 1.4


LAYER_PARTS = (
    "input_layernorm",
    "post_attention_layernorm",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
    *(f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")),
)
