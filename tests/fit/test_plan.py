"""What fits where, on machines written down here."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.engine.interfaces import BATCH_ROWS, DRAFT_STEP_ROWS, VERIFIED_ROWS
from sparkdesk.fit import (
    FreeMemory,
    ModelSize,
    best_quantization,
    largest_context,
    need_of,
    plan_load,
    size_from_config,
    size_from_header,
)
from sparkdesk.fit import need as arithmetic
from sparkdesk.fit.need import offloaded, padded
from sparkdesk.fit.plan import fits_in
from sparkdesk.gguf.header import ArrayLength, GgufFile, TensorPlace

GB = 1_000_000_000
CONFIG_8B = {
    "hidden_size": 4096,
    "num_hidden_layers": 36,
    "vocab_size": 151_936,
    "intermediate_size": 12_288,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
    "tie_word_embeddings": False,
}
DRAFT_8B = {**CONFIG_8B, "num_hidden_layers": 5, "block_size": 7, "target_layer_ids": [1, 9, 17, 25, 33]}
TARGET = size_from_config(CONFIG_8B, 5 * GB, name="8B")
DRAFT = size_from_config(DRAFT_8B, 1_200_000_000, name="draft", has_embeddings=False)


def test_the_engine_passes_as_many_rows_as_the_arithmetic_says() -> None:
    assert (arithmetic.BATCH_ROWS, arithmetic.DRAFT_STEP_ROWS) == (BATCH_ROWS, DRAFT_STEP_ROWS)
    assert arithmetic.VERIFIED_ROWS == VERIFIED_ROWS


def test_a_config_says_what_an_8b_model_is() -> None:
    assert TARGET.weights_bytes == pytest.approx(5 * GB, abs=100) and len(TARGET.layers) == 36
    assert TARGET.layers[0].kv_bytes_per_token == 2 * 8 * 128 * 2
    assert DRAFT.tapped_layers == 5 and DRAFT.block_size == 7 and DRAFT.embedding_bytes == 0
    need = need_of(TARGET, DRAFT, context_tokens=4096)
    assert need.of("cache", "target") == 36 * 4096 * 4096
    assert need.of("cache", "draft") == 5 * 4352 * 4096
    assert need.host_bytes == need.total_bytes


def test_sliding_layers_keep_their_window_only_where_that_was_chosen() -> None:
    config = {**CONFIG_8B, "layer_types": ["sliding_attention", "full_attention"] * 18, "sliding_window": 1024}
    gemma = size_from_config(config, 5 * GB)
    whole = need_of(gemma, None, context_tokens=16_384).of("cache")
    short = need_of(gemma, None, context_tokens=16_384, keeps_whole_window=False).of("cache")
    assert short == whole // 2 + 18 * padded(1024 + BATCH_ROWS) * 4096


def test_a_large_card_takes_everything() -> None:
    plan = plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 24 * GB), context_tokens=8192)
    assert plan.fits and plan.gpu_layers == 37 and not plan.advice and "all of it on the card" in plan.why


def test_a_small_card_takes_the_draft_first_and_then_what_fits() -> None:
    free = FreeMemory(32 * GB, 6 * GB)
    plan = plan_load(TARGET, DRAFT, free, context_tokens=16_384)
    assert plan.fits and 0 < plan.gpu_layers < 37
    assert plan.need.gpu_bytes <= 6 * GB
    assert not fits_in(need_of(TARGET, DRAFT, context_tokens=16_384, gpu_layers=plan.gpu_layers + 1), free)
    draft = [part for part in plan.need.parts if part.owner == "draft" and part.kind in ("weights", "cache")]
    assert all(part.host_bytes == 0 for part in draft)
    assert f"{plan.gpu_layers} of 37 layers" in plan.why and plan.advice


def test_the_draft_is_on_the_card_even_where_nothing_of_the_target_is() -> None:
    """The engine loads it there in any case; counted elsewhere, it would not fit when it comes."""
    plan = plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 3 * GB), context_tokens=4096, gpu_layers=0)
    assert plan.fits and plan.gpu_layers == 0 and plan.need.gpu_bytes > DRAFT.weights_bytes
    assert not plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 1 * GB), context_tokens=4096).fits


def test_a_draft_kept_off_the_card_leaves_its_room_to_the_target() -> None:
    free = FreeMemory(32 * GB, 5 * GB)
    on, off = (plan_load(TARGET, DRAFT, free, context_tokens=4096, draft_gpu_layers=count) for count in (-1, 0))
    assert off.gpu_layers > on.gpu_layers
    assert off.need.of("weights", "draft") == on.need.of("weights", "draft")


def test_a_shorter_context_is_advised_where_it_brings_everything_onto_the_card() -> None:
    plan = plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 10 * GB), context_tokens=32_768)
    assert plan.gpu_layers < 37 and "With --ctx" in plan.advice and "on the card as a whole" in plan.advice
    tokens = int(plan.advice.split("--ctx ")[1].split()[0])
    assert plan_load(TARGET, DRAFT, plan.free, context_tokens=tokens).gpu_layers == 37


def test_too_little_memory_says_what_would_fit() -> None:
    plan = plan_load(TARGET, DRAFT, FreeMemory(8 * GB), context_tokens=40_960)
    assert not plan.fits and "too little" in plan.why and "With --ctx" in plan.advice
    hopeless = plan_load(TARGET, DRAFT, FreeMemory(3 * GB), context_tokens=4096)
    assert not hopeless.fits and "smaller quantization" in hopeless.advice


def test_shared_memory_is_counted_once() -> None:
    """A DGX Spark's card and processor have the same 128 GB: what is on one is not free for the other."""
    free = FreeMemory(7 * GB, 7 * GB, is_shared=True)
    assert not plan_load(TARGET, DRAFT, free, context_tokens=8192).fits
    assert plan_load(TARGET, DRAFT, replace(free, host_bytes=12 * GB, gpu_bytes=12 * GB), context_tokens=8192).fits


def test_where_nobody_knows_what_is_free_nothing_is_refused() -> None:
    assert plan_load(TARGET, DRAFT, FreeMemory(0), context_tokens=4096).fits


def test_the_longest_context_is_found() -> None:
    free = FreeMemory(12 * GB)
    tokens = largest_context(TARGET, DRAFT, free, most=40_960, gpu_layers=0)
    assert 0 < tokens < 40_960 and tokens % 256 == 0
    assert fits_in(need_of(TARGET, DRAFT, context_tokens=tokens), free)
    assert not fits_in(need_of(TARGET, DRAFT, context_tokens=tokens + 256), free)
    assert largest_context(TARGET, DRAFT, FreeMemory(64 * GB), most=4096, gpu_layers=0) == 4096
    assert largest_context(TARGET, DRAFT, FreeMemory(2 * GB), most=4096, gpu_layers=0) == 0


@pytest.mark.parametrize(
    ("free", "best"),
    [
        (FreeMemory(64 * GB, 24 * GB), "F16"),
        (FreeMemory(64 * GB, 14 * GB), "Q8_0"),
        (FreeMemory(64 * GB, 9 * GB), "Q4_K_M"),
        (FreeMemory(64 * GB, 4 * GB), "F16"),  # none is whole on that card, so the processor decides
        (FreeMemory(13 * GB), "Q8_0"),
        (FreeMemory(9 * GB), "Q4_K_M"),
    ],
)
def test_the_best_quantization_is_the_largest_that_is_quick(free: FreeMemory, best: str) -> None:
    sizes = {name: size_from_config(CONFIG_8B, size) for name, size in _FILES.items()}
    found = best_quantization(sizes, DRAFT, free, context_tokens=4096)
    assert found is not None and found[0] == best


_FILES = {"Q4_K_M": 5 * GB, "Q8_0": 8_700_000_000, "F16": 16_400_000_000}


def test_nothing_fits_a_very_small_machine() -> None:
    assert best_quantization({"Q4_K_M": TARGET}, DRAFT, FreeMemory(2 * GB), context_tokens=4096) is None


@pytest.mark.parametrize(("gpu_layers", "on_card"), [(0, 0), (1, 0), (2, 1), (37, 36), (999, 36)])
def test_the_head_is_the_first_layer_on_the_card(gpu_layers: int, on_card: int) -> None:
    assert len(offloaded(TARGET, gpu_layers)) == on_card


def test_a_tied_head_is_on_the_card_once_more() -> None:
    tied = replace(TARGET, is_tied=True)
    plain, card = (need_of(tied, None, context_tokens=512, gpu_layers=layers).of("weights") for layers in (0, 37))
    assert card - plain == tied.embedding_bytes


def test_a_header_with_values_for_every_layer_is_read() -> None:
    def places(*names: str) -> dict[str, TensorPlace]:
        return {name: TensorPlace(name, (32,), 0, 0, 100) for name in names}

    metadata: dict[str, int | float | bool | str | ArrayLength] = {
        "general.architecture": "gemma4",
        "gemma4.block_count": 2,
        "gemma4.embedding_length": 64,
        "gemma4.attention.head_count": 4,
        "gemma4.attention.head_count_kv": ArrayLength(2, (2, 1)),
        "gemma4.attention.key_length": 32,
        "gemma4.attention.key_length_swa": 16,
        "gemma4.attention.sliding_window": 128,
        "gemma4.attention.sliding_window_pattern": ArrayLength(2, (True, False)),
    }
    tensors = places("token_embd.weight", "blk.0.a", "blk.1.a", "blk.1.b", "output_norm.weight")
    size = size_from_header(GgufFile(Path("g.gguf"), metadata, tensors))
    assert [layer.kv_bytes_per_token for layer in size.layers] == [2 * 32 * 2, 1 * 64 * 2]
    assert [layer.is_sliding for layer in size.layers] == [True, False]
    assert size.layer_bytes == (100, 200) and size.is_tied and size.window == 128
    assert isinstance(size, ModelSize)
