"""What fits where, on machines written down here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkdesk.engine.interfaces import BATCH_ROWS, DRAFT_STEP_ROWS, VERIFIED_ROWS
from sparkdesk.fit import (
    FreeMemory,
    Layout,
    ModelSize,
    Wanted,
    best_quantization,
    largest_context,
    need_of,
    plan_load,
    size_from_config,
    size_from_header,
)
from sparkdesk.fit import need as arithmetic
from sparkdesk.fit.need import CACHE_TYPES, offloaded, padded
from sparkdesk.fit.room import fits_in
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
    need = need_of(TARGET, DRAFT, Layout(context_tokens=4096))
    assert need.of("cache", "target") == 36 * 4096 * 4096
    assert need.of("cache", "draft") == 5 * 4352 * 4096
    assert need.host_bytes == need.total_bytes


def test_sliding_layers_keep_their_window_only_where_that_was_chosen() -> None:
    config = {**CONFIG_8B, "layer_types": ["sliding_attention", "full_attention"] * 18, "sliding_window": 1024}
    gemma = size_from_config(config, 5 * GB)
    whole = need_of(gemma, None, Layout(context_tokens=16_384)).of("cache")
    short = need_of(gemma, None, Layout(context_tokens=16_384, keeps_whole_window=False)).of("cache")
    assert short == whole // 2 + 18 * padded(1024 + BATCH_ROWS) * 4096


def test_a_large_card_takes_everything() -> None:
    plan = plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 24 * GB), context_tokens=8192)
    assert plan.fits and plan.gpu_layers == 37 and not plan.advice and "all of it on the card" in plan.why


def test_a_small_card_takes_the_draft_first_and_then_what_fits() -> None:
    free = FreeMemory(32 * GB, 6 * GB)
    plan = plan_load(TARGET, DRAFT, free, context_tokens=16_384)
    assert plan.fits and 0 < plan.gpu_layers < 37
    assert plan.need.gpu_bytes <= 6 * GB
    assert not fits_in(need_of(TARGET, DRAFT, Layout(context_tokens=16_384, gpu_layers=plan.gpu_layers + 1)), free)
    draft = [part for part in plan.need.parts if part.owner == "draft" and part.kind in ("weights", "cache")]
    assert all(part.host_bytes == 0 for part in draft)
    assert f"{plan.gpu_layers} of 37 layers" in plan.why and plan.advice


def test_the_draft_is_on_the_card_even_where_nothing_of_the_target_is() -> None:
    """The engine loads it there in any case; counted elsewhere, it would not fit when it comes."""
    plan = plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 3 * GB), context_tokens=4096, wanted=Wanted(gpu_layers=0))
    assert plan.fits and plan.gpu_layers == 0 and plan.need.gpu_bytes > DRAFT.weights_bytes
    assert not plan_load(TARGET, DRAFT, FreeMemory(32 * GB, 1 * GB), context_tokens=4096).fits


def test_a_draft_kept_off_the_card_leaves_its_room_to_the_target() -> None:
    free = FreeMemory(32 * GB, 5 * GB)
    on, off = (
        plan_load(TARGET, DRAFT, free, context_tokens=4096, wanted=Wanted(draft_gpu_layers=count)) for count in (-1, 0)
    )
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
    tokens = largest_context(TARGET, DRAFT, free, most=40_960)
    assert 0 < tokens < 40_960 and tokens % 256 == 0
    assert fits_in(need_of(TARGET, DRAFT, Layout(context_tokens=tokens)), free)
    assert not fits_in(need_of(TARGET, DRAFT, Layout(context_tokens=tokens + 256)), free)
    assert largest_context(TARGET, DRAFT, FreeMemory(64 * GB), most=4096) == 4096
    assert largest_context(TARGET, DRAFT, FreeMemory(2 * GB), most=4096) == 0


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
    plain, card = (
        need_of(tied, None, Layout(context_tokens=512, gpu_layers=layers)).of("weights") for layers in (0, 37)
    )
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


HYBRID = {
    "embedding_length": 5120,
    "block_count": 65,
    "nextn_predict_layers": 1,
    "attention.head_count": 24,
    "attention.head_count_kv": 4,
    "attention.key_length": 256,
    "attention.value_length": 256,
    "feed_forward_length": 17_408,
    "full_attention_interval": 4,
    "context_length": 262_144,
    "ssm.conv_kernel": 4,
    "ssm.state_size": 128,
    "ssm.group_count": 16,
    "ssm.time_step_rank": 48,
    "ssm.inner_size": 6144,
}


def header_of(architecture: str, keys: Mapping[str, object], *, layer_bytes: int, experts: int = 0) -> GgufFile:
    """As the file would say it, with layers of so many bytes; `experts` of them those of experts."""
    count = keys["block_count"]
    assert isinstance(count, int)
    places = [(f"blk.{i}.attn_q.weight", layer_bytes - experts) for i in range(count)]
    places += [(f"blk.{i}.ffn_up_exps.weight", experts) for i in range(count) if experts]
    tensors = {name: TensorPlace(name, (1,), 0, 0, size_bytes) for name, size_bytes in places}
    metadata: dict[str, Any] = {f"{architecture}.{key}": value for key, value in keys.items()}
    return GgufFile(Path("x.gguf"), {"general.architecture": architecture, **metadata}, tensors)


def test_a_hybrid_of_27b_keeps_states_of_150_mib_each() -> None:
    """What public reports say of Qwen3.6-27B; its attention layers are 16 of 64."""
    size = size_from_header(header_of("qwen35", HYBRID, layer_bytes=250_000_000))
    assert size.state_bytes == pytest.approx(150 * (1 << 20), rel=0.05)
    assert sum(bool(layer.kv_bytes_per_token) for layer in size.layers) == 16
    need = need_of(size, None, Layout(4096))
    assert need.of("states") == 8 * size.state_bytes and need.of("checkpoints") == 4 * size.state_bytes
    assert need.of("cache") == 16 * 4096 * 4 * 512 * 2


@pytest.mark.parametrize(
    ("architecture", "keys", "recurrent", "attending"),
    [
        ("lfm2", {"attention.head_count_kv": (0, 8, 0, 0, 8), "shortconv.l_cache": 3}, [0, 2, 3], [1, 4]),
        (
            "nemotron_h",
            {"attention.head_count_kv": (0, 0, 8, 0, 0), "feed_forward_length": (0, 9, 0, 9, 0)},
            [0, 4],
            [2],
        ),
        ("falcon-h1", {"attention.head_count_kv": 2}, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ("mamba2", {}, [0, 1, 2, 3, 4], []),
        ("qwen35moe", {"attention.recurrent_layers": (1, 0, 0, 1, 1)}, [0, 3, 4], [1, 2]),
        ("qwen3", {"attention.head_count_kv": 2}, [], [0, 1, 2, 3, 4]),
    ],
)
def test_which_layers_keep_a_state_and_which_keys_and_values(
    architecture: str, keys: dict[str, object], recurrent: list[int], attending: list[int]
) -> None:
    told = {name: ArrayLength(len(value), value) if isinstance(value, tuple) else value for name, value in keys.items()}
    usual = {"embedding_length": 64, "block_count": 5, "attention.head_count": 8, "feed_forward_length": 9}
    ssm = {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 16, "ssm.group_count": 1}
    size = size_from_header(header_of(architecture, {**usual, **ssm, **told}, layer_bytes=1))
    assert [i for i, layer in enumerate(size.layers) if layer.state_bytes] == recurrent
    assert [i for i, layer in enumerate(size.layers) if layer.kv_bytes_per_token] == attending


def test_fewer_states_are_kept_where_that_brings_everything_onto_the_card_and_it_is_said() -> None:
    size = size_from_header(header_of("qwen35", HYBRID, layer_bytes=250_000_000))
    tight = need_of(size, None, Layout(4096, gpu_layers=65, rollback_states=3)).gpu_bytes + 700_000_000
    plan = plan_load(size, None, FreeMemory(64 * GB, tight), context_tokens=4096)
    assert plan.fits and plan.is_whole and plan.layout.rollback_states == 3
    assert "3 earlier recurrent states" in plan.note and "3 drafted tokens" in plan.note
    roomy = plan_load(size, None, FreeMemory(64 * GB, tight + 2 * GB), context_tokens=4096)
    assert roomy.layout.rollback_states == 7 and not roomy.note
    on_host = need_of(size, None, Layout(4096, rollback_states=1)).total_bytes + 500_000_000
    alone = plan_load(size, None, FreeMemory(on_host), context_tokens=4096)
    assert alone.fits and alone.layout.rollback_states == 1 and "1 drafted token is" in alone.note


MOE = {
    "embedding_length": 2048,
    "block_count": 48,
    "attention.head_count": 32,
    "attention.head_count_kv": 4,
    "attention.key_length": 128,
    "expert_count": 128,
    "expert_used_count": 8,
    "expert_feed_forward_length": 768,
}


def test_experts_stay_with_the_processor_before_any_layer_does() -> None:
    size = size_from_header(header_of("qwen3moe", MOE, layer_bytes=380_000_000, experts=360_000_000))
    assert size.expert_layers == 48
    plan = plan_load(size, None, FreeMemory(64 * GB, 12 * GB), context_tokens=8192)
    assert plan.fits and plan.gpu_layers == 49 and 0 < plan.layout.cpu_experts < 48 and not plan.is_whole
    assert f"the experts of {plan.layout.cpu_experts} layers with the processor" in plan.why
    one_less = replace(plan.layout, cpu_experts=plan.layout.cpu_experts - 1)
    assert not fits_in(need_of(size, None, one_less), plan.free)
    assert plan.need.total_bytes == need_of(size, None, replace(plan.layout, cpu_experts=0)).total_bytes
    large = plan_load(size, None, FreeMemory(64 * GB, 24 * GB), context_tokens=8192)
    assert large.is_whole and large.layout.cpu_experts == 0
    tiny = plan_load(size, None, FreeMemory(64 * GB, 2 * GB), context_tokens=8192)
    assert tiny.fits and tiny.layout.cpu_experts == 48 and 0 < tiny.gpu_layers < 49
    asked = plan_load(size, None, FreeMemory(64 * GB, 24 * GB), context_tokens=8192, wanted=Wanted(cpu_experts=10))
    assert asked.layout.cpu_experts == 10 and asked.need.of("weights") == large.need.of("weights")
    assert large.need.gpu_bytes - asked.need.gpu_bytes == 10 * 360_000_000


def test_a_smaller_type_of_the_cache_lets_a_longer_context_fit() -> None:
    free = FreeMemory(32 * GB, 10 * GB)
    found = [largest_context(TARGET, DRAFT, free, most=131_072, wanted=Wanted(cache_type=t)) for t in CACHE_TYPES]
    assert found[0] < found[1] < found[2]
    halves = [need_of(TARGET, DRAFT, Layout(4096, cache_type=kind)) for kind in CACHE_TYPES]
    assert [each.of("cache", "target") * 64 // halves[0].of("cache", "target") for each in halves] == [64, 34, 18]
    assert len({each.of("cache", "draft") for each in halves}) == 1
