"""The dimensions of Spark Tiny's two models; no torch here."""

from dataclasses import dataclass

BLOCK_SIZE = 7


@dataclass(frozen=True, slots=True)
class TargetShape:
    """A Qwen3 decoder with an untied output head."""

    vocab_size: int = 2048
    hidden_size: int = 192
    intermediate_size: int = 512
    layer_count: int = 16
    head_count: int = 3
    kv_head_count: int = 3
    head_dim: int = 64
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    context_length: int = 2048


@dataclass(frozen=True, slots=True)
class DraftShape:
    """A DSpark draft for such a target; its layers have the target's dimensions."""

    layer_count: int = 1
    markov_rank: int = 64
    block_size: int = BLOCK_SIZE
    target_layer_ids: tuple[int, ...] = (1, 4, 8, 11, 14)
    """The draft reads what leaves these layers of the target."""
