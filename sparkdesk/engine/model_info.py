"""What is loaded, for whoever shows it or renders a prompt for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparkdesk.engine.settings import MTP, SamplingSettings

DRAFTER_TITLES = {
    "dspark": "DSpark",
    "dflash": "DFlash",
    "eagle3": "EAGLE-3",
    "assistant": "Gemma 4 assistant",
    "small": "small model",
    MTP: "MTP",
}
"""Kinds of drafters, for people."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is loaded, as far as anyone above the engine needs to know."""

    name: str
    architecture: str
    vocabulary_size: int
    parameter_count: int
    size_bytes: int
    context_tokens: int
    trained_context_tokens: int
    chat_template: str | None
    bos_piece: str
    eos_piece: str
    end_tokens: tuple[int, ...]
    """Every token that ends a turn."""
    devices: tuple[str, ...]
    """Where the layers are: "CPU", "NVIDIA GeForce RTX 4090"."""
    gpu_layers: int
    threads: int
    """Of passes of a few rows."""
    batch_threads: int = 0
    """Threads that read prompts: all that are worth computing with."""
    cpu_experts: int = 0
    """Of how many of the first layers the experts are with the processor, where the rest is on a card."""
    cache_type: str = "f16"
    """Of the target's KV cache."""
    rollback_states: int = 0
    """Earlier states that recurrent layers keep: no more drafted tokens are verified at once; 0 without such layers."""
    draft_name: str | None = None
    block_size: int = 0
    """Most tokens the draft proposes in one pass; 0 without a draft."""
    drafter_kind: str = ""
    """One of DRAFTER_TITLES; empty without a draft, and where a server does not tell."""
    draft_problem: str = ""
    """Why there is no speculation although a draft was asked for."""
    switch_problem: str = ""
    """Why speculation cannot be switched from here, though it may be at work; empty when it can, or there is none."""
    memory_note: str = ""
    """What was given up to save memory, for the user; empty when nothing was."""
    uses_safe_buffers: bool = False
    """True when the engine runs without repacked weights because the usual way crashed here."""
    recommended: SamplingSettings | None = None
    """How the file itself says that it should be sampled; most say nothing."""
    control_pieces: tuple[str, ...] = ()
    """Texts that become control tokens in a prompt; in what a user typed they are text (engine/tokenizer.py)."""

    @property
    def drafter_title(self) -> str:
        """The kind of the drafter, for people; empty where it is not known."""
        return DRAFTER_TITLES.get(self.drafter_kind, self.drafter_kind)


_OFF = SamplingSettings(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
_PREFIX = "general.sampling."
_NUMBERS = {"temp": "temperature", "top_p": "top_p", "min_p": "min_p", "penalty_repeat": "repeat_penalty"}


def recommended_by(metadata: Mapping[str, object]) -> SamplingSettings | None:
    """None where the file says nothing; what it leaves out is off. Numbers that make no sense are not heard."""
    said: dict[str, float | int] = {}
    for key, name in _NUMBERS.items():
        value = metadata.get(_PREFIX + key)
        if isinstance(value, int | float) and 0 <= value <= 10:
            said[name] = float(value)
    top_k = metadata.get(_PREFIX + "top_k")
    if isinstance(top_k, int) and 0 <= top_k < 1 << 20:
        said["top_k"] = top_k
    return replace(_OFF, **said) if said else None  # type: ignore[arg-type]  # the names are those of the fields
