"""EAGLE-3 checkpoints to GGUF: against an independent computation over seven chained steps, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from converters import names
from converters.convert import convert_draft
from converters.eagle3 import interleaved
from converters.errors import BadCheckpoint, ConversionError, PairMismatch, UnsupportedModel
from converters.file_names import draft_file_name
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.fit import size_from_header
from sparkdesk.gguf import pairing
from sparkdesk.gguf.header import ArrayLength, read_gguf
from sparkdesk.gguf.pairing import eagle3_layers, problem
from tests.converters.eagle3_checkpoints import (
    ANGELSLIM,
    DEEPSPEC,
    DEEPSPEC_IDS,
    SPECULATORS,
    write_eagle3_checkpoint,
)
from tests.engine.drafters.replies import answer
from tests.engine.drafters.test_parity_native import PROMPT, STEPS, drafted, relative_error
from tests.engine.tiny_drafts import Eagle3Pair, Eagle3Shape, permuted, write_eagle3_pair
from tests.reference.chained_layer import eagle3_logits


def converted(source: Path, pair: Eagle3Pair, out: Path, *, output_type: str = "F32") -> Path:
    for _ in convert_draft(source, out, target=pair.target, output_type=output_type):
        pass
    return out


@pytest.mark.native
@pytest.mark.parametrize("style", [ANGELSLIM, SPECULATORS])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"draft_vocabulary": 200},
        {"norm_before_residual": True, "draft_vocabulary": 150},
        {"norm_before_fc": True},
        {"has_head": False},
    ],
    ids=str,
)
def test_a_converted_draft_computes_what_its_checkpoint_says(
    tmp_path: Path, style: str, options: dict[str, Any]
) -> None:
    pair = write_eagle3_pair(tmp_path / "pair", **options)
    source = write_eagle3_checkpoint(tmp_path / "source", pair, style=style)
    draft = converted(source, pair, tmp_path / "draft.gguf")
    assert problem(read_gguf(pair.target), read_gguf(draft)) == ""
    with Pair.open(LoadSettings(str(pair.target), str(draft), context_tokens=256, threads=1)) as opened:
        assert not opened.draft_problem
        anchor, recording, features, _ = drafted(opened, STEPS)
    shape = Eagle3Shape()
    wanted = eagle3_logits(
        pair.weights,
        pair.embeddings,
        features,
        [*PROMPT[1:], anchor],
        recording.proposal().tokens[:-1],
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        **pair.options,
    )
    assert len(recording.rows) == len(wanted) == STEPS
    for got, reference in zip(recording.rows, wanted, strict=True):
        got = got if pair.ids is None else got[pair.ids]
        assert relative_error(got, reference) < 1e-3


def test_the_file_holds_what_llama_cpp_asks_for(tmp_path: Path) -> None:
    pair = write_eagle3_pair(tmp_path / "pair", draft_vocabulary=200)
    source = write_eagle3_checkpoint(tmp_path / "source", pair, style=SPECULATORS)
    draft = converted(source, pair, tmp_path / "draft.gguf")
    ours, theirs = GGUFReader(draft), GGUFReader(pair.draft)
    assert {tensor.name for tensor in ours.tensors} == {tensor.name for tensor in theirs.tensors}
    for mine in ours.tensors:
        other = next(tensor for tensor in theirs.tensors if tensor.name == mine.name)
        assert np.array_equal(mine.data, other.data) and mine.tensor_type == other.tensor_type
    header = read_gguf(draft)
    assert header.metadata["general.base_model.0.repo_url"] == "https://huggingface.co/Somebody/Target-8L"
    assert header.metadata["eagle3.target_hidden_size"] == 64


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        ({}, (2, 4, 5)),
        ({"eagle_aux_hidden_state_layer_ids": [1, 3, 8]}, (1, 3, 8)),  # 8: what the last layer gives out
        ({"eagle_config": {"eagle_aux_hidden_state_layer_ids": [0, 3, 6]}}, (0, 3, 6)),
    ],
)
def test_the_layers_it_reads_are_said_in_one_of_three_places(
    tmp_path: Path, config: dict[str, Any], layers: tuple[int, ...]
) -> None:
    pair = write_eagle3_pair(tmp_path / "pair")
    source = write_eagle3_checkpoint(tmp_path / "source", pair, **config)
    header = read_gguf(converted(source, pair, tmp_path / "draft.gguf"))
    assert header.metadata["eagle3.target_layers"].numbers == layers  # type: ignore[union-attr]


def test_copies_of_the_target_s_embeddings_and_head_are_left_out(tmp_path: Path) -> None:
    pair = write_eagle3_pair(tmp_path / "pair", has_head=False)
    source = write_eagle3_checkpoint(tmp_path / "source", pair)
    copies = {"token_embd.weight", "output.weight"}
    assert not copies & set(read_gguf(converted(source, pair, tmp_path / "d.gguf")).tensors)
    apart = Eagle3Pair(pair.target, pair.draft, pair.weights, 1.3 * pair.embeddings, None, pair.options)
    own = write_eagle3_checkpoint(tmp_path / "own", apart)
    assert "token_embd.weight" in read_gguf(converted(own, pair, tmp_path / "o.gguf")).tensors


def test_llama_3_rope_is_written_as_factors(tmp_path: Path) -> None:
    """Of Llama 3.1's own numbers: the shortest wave stays, the longest is stretched by the whole factor."""
    pair = write_eagle3_pair(tmp_path / "pair")
    rope = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    source = write_eagle3_checkpoint(tmp_path / "source", pair, rope_scaling=rope)
    draft = converted(source, pair, tmp_path / "draft.gguf")
    (factors,) = (tensor.data for tensor in GGUFReader(draft).tensors if tensor.name == "rope_freqs.weight")
    assert factors.shape == (16,) and factors[0] == 1.0 and factors[-1] == 8.0
    assert np.all(np.diff(factors) >= 0) and np.any((factors > 1) & (factors < 8))


def test_rows_of_queries_and_keys_are_interleaved_head_by_head() -> None:
    weights = np.arange(2 * 4 * 3, dtype=np.float32).reshape(8, 3)
    assert interleaved(weights, 2)[:, 0].tolist() == [0, 6, 3, 9, 12, 18, 15, 21]
    assert np.array_equal(interleaved(weights, 2), permuted(weights, 2))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"architectures": ["Gemma4Eagle3Model"]}, UnsupportedModel, "Gemma"),
        ({"more": {"midlayer.self_attn.q_norm.weight": np.ones(32, np.float32)}}, UnsupportedModel, "normalizes"),
        ({"target_layer_ids": [1, 2, 3, 4, 8]}, PairMismatch, "layer 9"),
        ({"target_layer_ids": [0, 1, 3, 4]}, BadCheckpoint, "shape|tensor"),
        ({"eagle_aux_hidden_state_layer_ids": [1, 2]}, UnsupportedModel, "2 layers"),
        ({"eagle_aux_hidden_state_layer_ids": [1, 2, 9]}, PairMismatch, "layer 9"),
        ({"vocab_size": 601, "draft_vocab_size": 601}, PairMismatch, "601 tokens"),
        ({"target_hidden_size": 128}, PairMismatch, "hidden size of 128"),
        ({"num_hidden_layers": 2}, UnsupportedModel, "2 layers"),
        ({"attention_bias": True}, UnsupportedModel, "biases"),
        ({"hidden_act": "gelu"}, UnsupportedModel, "gelu"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, UnsupportedModel, "yarn"),
        ({"draft_vocab_size": 200}, BadCheckpoint, "d2t|shape"),
        ({"num_key_value_heads": 3}, ConversionError, "num_key_value_heads"),
        ({"more": {"surprise.weight": np.ones(3, np.float32)}}, UnsupportedModel, "surprise"),
        ({"intermediate_size": 100}, BadCheckpoint, "shape"),
    ],
    ids=str,
)
def test_what_cannot_be_converted_is_said(
    tmp_path: Path, options: dict[str, Any], error: type[ConversionError], said: str
) -> None:
    pair = write_eagle3_pair(tmp_path / "pair")
    source = write_eagle3_checkpoint(tmp_path / "source", pair, **options)
    with pytest.raises(error, match=said):
        converted(source, pair, tmp_path / "draft.gguf")
    assert not (tmp_path / "draft.gguf").exists()


def test_a_draft_of_another_target_is_told_by_its_embeddings(tmp_path: Path) -> None:
    pair, other = write_eagle3_pair(tmp_path / "pair"), write_eagle3_pair(tmp_path / "other", seed=9)
    source = write_eagle3_checkpoint(tmp_path / "source", other)
    with pytest.raises(PairMismatch, match="not this target's"):
        converted(source, pair, tmp_path / "draft.gguf")


@pytest.mark.native
def test_deepspec_s_own_are_exact_with_five_layers_and_norms_of_queries_and_keys(tmp_path: Path) -> None:
    pair, draft, shape = *deepspec_draft(tmp_path), Eagle3Shape()
    assert problem(read_gguf(pair.target), read_gguf(draft)) == ""
    with Pair.open(LoadSettings(str(pair.target), str(draft), context_tokens=256, threads=1)) as opened:
        assert not opened.draft_problem
        anchor, recording, features, _ = drafted(opened, STEPS)
        assert features.shape[1] == 5 * shape.hidden
        plain = answer(opened, PROMPT, length=0)
        assert all(answer(opened, PROMPT, length=length).tokens == plain.tokens for length in (1, 3, 7, None))

    def wanted(weights: dict[str, Any]) -> list[Any]:
        return eagle3_logits(
            weights,
            pair.embeddings,
            features,
            [*PROMPT[1:], anchor],
            recording.proposal().tokens[:-1],
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_dim=shape.head_dim,
        )

    errors = [relative_error(*both) for both in zip(recording.rows, wanted(pair.weights), strict=True)]
    assert len(errors) == STEPS and max(errors) < 1e-3
    without = {name: each for name, each in pair.weights.items() if name not in ("q_norm", "k_norm")}
    assert relative_error(recording.rows[-1], wanted(without)[-1]) > 0.02  # the norms do matter


def test_deepspec_s_features_are_padded_to_three_layers_of_whole_blocks(tmp_path: Path) -> None:
    _, draft = deepspec_draft(tmp_path)
    header = read_gguf(draft)
    for name in ("EAGLE3_FEATURE_LAYERS", "EAGLE3_Q_NORM", "EAGLE3_K_NORM"):
        assert getattr(names, name) == getattr(pairing, name) and getattr(names, name) in header.metadata
    assert eagle3_layers(header) == tuple(layer + 1 for layer in DEEPSPEC_IDS)
    assert header.metadata["eagle3.target_hidden_size"] == 128 and header.tensors["fc.weight"].shape[0] == 3 * 128
    assert size_from_header(header).tapped_layers == 5


def deepspec_draft(folder: Path) -> tuple[Eagle3Pair, Path]:
    pair = write_eagle3_pair(folder / "pair", feature_layers=5)
    source = write_eagle3_checkpoint(folder / "source", pair, style=DEEPSPEC)
    return pair, converted(source, pair, folder / "draft.gguf")


@pytest.mark.native
def test_a_quantized_draft_still_drafts(tmp_path: Path) -> None:
    pair = write_eagle3_pair(tmp_path / "pair", draft_vocabulary=192)
    source = write_eagle3_checkpoint(tmp_path / "source", pair, has_embeddings=False)
    draft = converted(source, pair, tmp_path / "draft.gguf", output_type="Q8_0")
    with Pair.open(LoadSettings(str(pair.target), str(draft), context_tokens=256, threads=1)) as opened:
        assert not opened.draft_problem and opened.info.drafter_kind == "eagle3"
        _, recording, _, _ = drafted(opened, STEPS)
    assert len(recording.rows) == STEPS


@pytest.mark.parametrize("style", [ANGELSLIM, SPECULATORS])
def test_its_file_is_called_after_its_target_and_its_kind(tmp_path: Path, style: str) -> None:
    pair = write_eagle3_pair(tmp_path / "pair")
    source = write_eagle3_checkpoint(tmp_path / "source", pair, style=style)
    assert draft_file_name(source, pair.target, "Q8_0") == "tiny-qwen3-EAGLE3-Q8_0.gguf"


def test_norms_of_another_width_are_refused_before_they_reach_a_graph(tmp_path: Path) -> None:
    pair, draft = deepspec_draft(tmp_path)
    header = read_gguf(draft)
    damaged = replace(header, metadata={**header.metadata, "sparkdesk.eagle3.q_norm": ArrayLength(3, (1.0, 1.0, 1.0))})
    assert "not as wide as its heads" in problem(read_gguf(pair.target), damaged)
