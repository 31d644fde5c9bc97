"""Writes and reads the pair in Hugging Face layout: config.json beside BF16 safetensors."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from sparkdesk.demo.chat_format import END_OF_TEXT, MASK, TURN_END
from sparkdesk.demo.shape import DraftShape, TargetShape
from sparkdesk.demo.tokenizer import save_tokenizer, token_id

WEIGHTS = "model.safetensors"


def save_target(state: dict[str, Tensor], shape: TargetShape, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the target and its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder)
    _write_json(
        folder / "config.json",
        {"_name_or_path": "Spark Tiny", "architectures": ["Qwen3ForCausalLM"], **_qwen3_config(shape, tokenizer)},
    )
    generation = {
        "bos_token_id": token_id(tokenizer, END_OF_TEXT),
        "do_sample": False,
        "eos_token_id": [token_id(tokenizer, TURN_END), token_id(tokenizer, END_OF_TEXT)],
        "pad_token_id": token_id(tokenizer, END_OF_TEXT),
    }
    _write_json(folder / "generation_config.json", generation)
    _write_weights(folder / WEIGHTS, state)


def save_draft(
    state: dict[str, Tensor], target_shape: TargetShape, shape: DraftShape, tokenizer: Tokenizer, folder: Path
) -> None:
    """Write the draft with the keys and names DeepSpec gives a Qwen3 draft."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        **_qwen3_config(target_shape, tokenizer),
        "_name_or_path": "Spark Tiny DSpark",
        "architectures": ["Qwen3DSparkModel"],
        "num_hidden_layers": shape.layer_count,
        "layer_types": ["full_attention"] * shape.layer_count,
        "num_target_layers": target_shape.layer_count,
        "target_layer_ids": list(shape.target_layer_ids),
        "block_size": shape.block_size,
        "mask_token_id": token_id(tokenizer, MASK),
        "num_anchors": 64,
        "markov_rank": shape.markov_rank,
        "markov_head_type": "vanilla",
        "enable_confidence_head": True,
        "confidence_head_with_markov": True,
    }
    _write_json(folder / "config.json", config)
    _write_weights(folder / WEIGHTS, state)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint folder, in float32."""
    return {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}


def read_target_shape(folder: Path) -> TargetShape:
    """The dimensions a target's config.json states."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return TargetShape(
        vocab_size=config["vocab_size"],
        hidden_size=config["hidden_size"],
        intermediate_size=config["intermediate_size"],
        layer_count=config["num_hidden_layers"],
        head_count=config["num_attention_heads"],
        kv_head_count=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        rms_norm_eps=config["rms_norm_eps"],
        rope_theta=config["rope_theta"],
        context_length=config["max_position_embeddings"],
    )


def _qwen3_config(shape: TargetShape, tokenizer: Tokenizer) -> dict[str, object]:
    return {
        "model_type": "qwen3",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": token_id(tokenizer, END_OF_TEXT),
        "eos_token_id": token_id(tokenizer, TURN_END),
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate_size,
        "layer_types": ["full_attention"] * shape.layer_count,
        "max_position_embeddings": shape.context_length,
        "max_window_layers": shape.layer_count,
        "num_attention_heads": shape.head_count,
        "num_hidden_layers": shape.layer_count,
        "num_key_value_heads": shape.kv_head_count,
        "pad_token_id": token_id(tokenizer, END_OF_TEXT),
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_scaling": None,
        "rope_theta": shape.rope_theta,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": shape.vocab_size,
    }


def _write_weights(path: Path, state: dict[str, Tensor]) -> None:
    narrow = {name: tensor.detach().cpu().to(torch.bfloat16).contiguous() for name, tensor in state.items()}
    half = path.with_suffix(".part")
    save_file(narrow, half, metadata={"format": "pt"})
    half.chmod(0o644)  # save_file makes it private, and the wheel would keep that
    os.replace(half, path)


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
