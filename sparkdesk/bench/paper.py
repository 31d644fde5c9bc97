"""DeepSpec's protocol, and the accepted lengths its paper gives for the released pairs. Data."""

import re

from sparkdesk.engine.model_info import ModelInfo

TEMPERATURE, MAX_TOKENS = 1.0, 2048
"""With a block of 7 and real speculative sampling."""
BENCHMARK_COUNT = 9

_ACCEPTED_LENGTHS = {
    "qwen34b": {"gsm8k": 6.11, "humaneval": 5.38, "mtbench": 3.64},
    "qwen38b": {"gsm8k": 6.17, "humaneval": 5.52, "mtbench": 3.72},
    "qwen314b": {"gsm8k": 6.21, "humaneval": 5.43, "mtbench": 3.70},
    "gemma412b": {"gsm8k": 6.05, "humaneval": 5.64, "mtbench": 3.49},
}
"""DSpark paper, temperature 1: by target and benchmark, letters and digits alone."""


def paper_accepted_length(model: ModelInfo, benchmark: str) -> float | None:
    """What the paper gives for a DSpark draft of this target on that benchmark; None where it gives nothing."""
    if model.drafter_kind != "dspark":
        return None
    name = _letters(model.name).removesuffix("it")  # of "gemma-4-12B-it"
    return _ACCEPTED_LENGTHS.get(name, {}).get(_letters(benchmark))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
