"""What each target architecture of the tested llama.cpp allows a draft: data, in one place.

Source: the graphs (`t_layer_inp`) and `llama-arch.cpp` of llama-cpp-python 0.3.36. Asking a graph for layer inputs that
it does not give out ends the whole process, so an architecture that is not listed is taken for one of those.
"""

from dataclasses import dataclass, replace
from enum import Enum


class Rollback(Enum):
    """How rejected draft tokens leave the target's cache again."""

    KV_CACHE = "rows are removed from the KV cache"
    SLIDING_WINDOW = "rows are removed, as long as the window of the next token is still whole"
    RECURRENT_STATES = "the context keeps a few earlier states (n_rs_seq), and rows are removed"
    CHECKPOINT = "only by restoring a state that was saved before"


class Recurrent(Enum):
    """Which layers of a hybrid hold one state instead of keys and values of every token."""

    BY_INTERVAL = "all but every n-th (full_attention_interval, 4 where the file does not say)"
    WITHOUT_KV_HEADS = "those that have no key and value heads"
    BESIDE_ATTENTION = "all of them, and all have attention too"
    ALL = "all of them, and none has attention"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Of a target."""

    exposes_layer_inputs: bool
    """Whether its graph gives out the layer inputs that a DSpark or DFlash draft reads."""
    rollback: Rollback | None
    """None where nobody has looked."""
    may_read_after_last_layer: bool = False
    """Whether a draft may listen to layer n_layer, the last layer's output; elsewhere that ends the process."""
    recurrent: Recurrent | None = None
    """None for a model without recurrent layers."""


_UNKNOWN = Architecture(False, None)
_DENSE = Architecture(True, Rollback.KV_CACHE)
_SLIDING = Architecture(True, Rollback.SLIDING_WINDOW)
_QWEN_HYBRID = Architecture(True, Rollback.RECURRENT_STATES, recurrent=Recurrent.BY_INTERVAL)
_HYBRID = Architecture(True, Rollback.RECURRENT_STATES, recurrent=Recurrent.WITHOUT_KV_HEADS)
_NEMOTRON = replace(_HYBRID, may_read_after_last_layer=True)
_SLOW_HYBRID = Architecture(False, Rollback.CHECKPOINT, recurrent=Recurrent.WITHOUT_KV_HEADS)

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
    "qwen35": _QWEN_HYBRID,
    "qwen35moe": _QWEN_HYBRID,
    "qwen4exp": _QWEN_HYBRID,
    "lfm2": _HYBRID,
    "lfm2moe": _HYBRID,
    "bailingmoe3": _HYBRID,
    "deepseek4": Architecture(True, Rollback.RECURRENT_STATES, may_read_after_last_layer=True),
    "nemotron_h": _NEMOTRON,
    "nemotron_h_moe": _NEMOTRON,
    "qwen3next": Architecture(True, Rollback.CHECKPOINT, recurrent=Recurrent.BY_INTERVAL),
    "minimax-01": Architecture(True, Rollback.CHECKPOINT, recurrent=Recurrent.BY_INTERVAL),
    "qwen2": Architecture(False, Rollback.KV_CACHE),
    "glm4": Architecture(False, Rollback.KV_CACHE),
    "gemma3": Architecture(False, Rollback.SLIDING_WINDOW),
    "llama4": Architecture(False, Rollback.SLIDING_WINDOW),
    "kimi-k3": replace(_HYBRID, exposes_layer_inputs=False),
    "glm5-next": replace(_HYBRID, exposes_layer_inputs=False),
    "mamba": replace(_SLOW_HYBRID, recurrent=Recurrent.ALL),
    "mamba2": replace(_SLOW_HYBRID, recurrent=Recurrent.ALL),
    "falcon-h1": replace(_SLOW_HYBRID, recurrent=Recurrent.BESIDE_ATTENTION),
    "jamba": _SLOW_HYBRID,
    "plamo2": _SLOW_HYBRID,
    "kimi-linear": _SLOW_HYBRID,
    "granitehybrid": _SLOW_HYBRID,
}
"""By `general.architecture` of a target's GGUF file."""


def architecture_named(name: str) -> Architecture:
    """What is known of it; for one that is not listed, that a draft cannot listen to it."""
    return ARCHITECTURES.get(name, _UNKNOWN)


def drafters_for(name: str, *, has_mtp: bool) -> tuple[str, ...]:
    """What can draft for a target of that architecture, in words, the most specific first; empty where it only chats.

    `has_mtp`: the file has a layer that predicts further tokens.
    """
    found = architecture_named(name)
    if found.rollback is Rollback.CHECKPOINT:  # no rejected token leaves such a cache again
        return ()
    followed = ("DSpark, DFlash and EAGLE-3 drafts",) if found.exposes_layer_inputs else ()
    return (*followed, *(("its own MTP layer",) if has_mtp else ()), "a small model of its vocabulary", "prompt lookup")
