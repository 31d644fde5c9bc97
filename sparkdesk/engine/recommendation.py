"""How a model file says that it should be sampled: its general.sampling.* keys (llama.cpp, gguf metadata)."""

from collections.abc import Mapping
from dataclasses import replace

from sparkdesk.engine.settings import SamplingSettings

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
