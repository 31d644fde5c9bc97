"""What each target architecture of the tested llama.cpp allows a draft: data, in one place.

Source: the graphs (`t_layer_inp`) and `llama-arch.cpp` of llama-cpp-python 0.3.36. Asking a graph for layer inputs that
it does not give out ends the whole process, so an architecture that is not listed is taken for one of those.
"""

from dataclasses import dataclass
from enum import Enum


class Rollback(Enum):
    """How rejected draft tokens leave the target's cache again."""

    KV_CACHE = "rows are removed from the KV cache"
    SLIDING_WINDOW = "rows are removed, as long as the window of the next token is still whole"
    RECURRENT_STATES = "the context keeps a few earlier states (n_rs_seq), and rows are removed"
    CHECKPOINT = "only by restoring a state that was saved before"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Of a target."""

    exposes_layer_inputs: bool
    """Whether its graph gives out the layer inputs that a DSpark or DFlash draft reads."""
    rollback: Rollback | None
    """None where nobody has looked."""
    may_read_after_last_layer: bool = False
    """Whether a draft may listen to layer n_layer, the last layer's output; elsewhere that ends the process."""


_UNKNOWN = Architecture(False, None)
_DENSE = Architecture(True, Rollback.KV_CACHE)
_SLIDING = Architecture(True, Rollback.SLIDING_WINDOW)
_HYBRID = Architecture(True, Rollback.RECURRENT_STATES)

ARCHITECTURES = {
    "llama": _DENSE,
    "qwen3": _DENSE,
    "qwen3moe": _DENSE,
    "minimax-m2": _DENSE,
    "hunyuan-dense": _DENSE,
    "hunyuan-moe": _DENSE,
    "muse-glimmer": _DENSE,
    "nanbeige": _DENSE,
    "gemma4": _SLIDING,
    "gpt-oss": _SLIDING,
    "mimo2": Architecture(True, Rollback.SLIDING_WINDOW, may_read_after_last_layer=True),
    "qwen35": _HYBRID,
    "qwen35moe": _HYBRID,
    "qwen4exp": _HYBRID,
    "lfm2": _HYBRID,
    "lfm2moe": _HYBRID,
    "bailingmoe3": _HYBRID,
    "deepseek4": Architecture(True, Rollback.RECURRENT_STATES, may_read_after_last_layer=True),
    "nemotron_h": Architecture(True, Rollback.RECURRENT_STATES, may_read_after_last_layer=True),
    "nemotron_h_moe": Architecture(True, Rollback.RECURRENT_STATES, may_read_after_last_layer=True),
    "qwen3next": Architecture(True, Rollback.CHECKPOINT),
    "minimax-01": Architecture(True, Rollback.CHECKPOINT),
    "qwen2": Architecture(False, Rollback.KV_CACHE),
    "glm4": Architecture(False, Rollback.KV_CACHE),
    "gemma3": Architecture(False, Rollback.SLIDING_WINDOW),
    "llama4": Architecture(False, Rollback.SLIDING_WINDOW),
    "kimi-k3": Architecture(False, Rollback.RECURRENT_STATES),
    "glm5-next": Architecture(False, Rollback.RECURRENT_STATES),
    "mamba": Architecture(False, Rollback.CHECKPOINT),
    "mamba2": Architecture(False, Rollback.CHECKPOINT),
    "falcon-h1": Architecture(False, Rollback.CHECKPOINT),
    "granitehybrid": Architecture(False, Rollback.CHECKPOINT),
}
"""By `general.architecture` of a target's GGUF file."""


def architecture_named(name: str) -> Architecture:
    """What is known of it; for one that is not listed, that a draft cannot listen to it."""
    return ARCHITECTURES.get(name, _UNKNOWN)
