"""How the makers of a model recommend it to be sampled.

What the file itself says comes first; it means replies without thoughts unless the model cannot do otherwise.
Sources: the model cards of Qwen3 and Gemma 4 (best practices).
"""

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
    """The usual settings where nobody recommends any."""
    if model is None:
        return SamplingSettings()
    if is_thinking and model.architecture in _THINKING:
        return _THINKING[model.architecture]
    return model.recommended or _ANSWERING.get(model.architecture, SamplingSettings())
