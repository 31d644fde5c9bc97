"""How the makers of a model recommend it to be sampled, with and without thoughts.

Sources: the model cards of Qwen3 and Gemma 4 (best practices), and what a model file itself says.
"""

from dataclasses import fields, replace

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SamplingSettings

_THINKING = {
    "qwen3": SamplingSettings(temperature=0.6, top_k=20, top_p=0.95, min_p=0.0),
}
_ANSWERING = {
    "qwen3": SamplingSettings(temperature=0.7, top_k=20, top_p=0.8, min_p=0.0),
    "gemma4": SamplingSettings(temperature=1.0, top_k=64, top_p=0.95, min_p=0.0),
}


def recommended_sampling(model: ModelInfo | None, *, is_thinking: bool) -> SamplingSettings:
    """The usual settings where nobody recommends any.

    A file holds one recommendation and does not say for which mode. Where the model can be switched and the file only
    says what the makers say of one mode, theirs for the mode in question is meant.
    """
    if model is None:
        return SamplingSettings()
    answering = _ANSWERING.get(model.architecture, SamplingSettings())
    if "enable_thinking" not in (model.chat_template or ""):
        return model.recommended or answering
    thinking = _THINKING.get(model.architecture, answering)
    if model.recommended not in (None, answering, thinking):
        return model.recommended or answering
    return thinking if is_thinking else answering


def is_advised(model: ModelInfo | None) -> bool:
    """Whether anybody recommends anything for it; else the values are only our defaults."""
    return model is not None and (model.recommended is not None or model.architecture in _ANSWERING)


def follow(sampling: SamplingSettings, before: SamplingSettings, after: SamplingSettings) -> SamplingSettings:
    """Another model or mode has other recommendations: values that were as recommended stay so, the user's own stay."""
    names = [field.name for field in fields(SamplingSettings) if field.name != "seed"]
    moved = {name: getattr(after, name) for name in names if getattr(sampling, name) == getattr(before, name)}
    return replace(sampling, **moved)
