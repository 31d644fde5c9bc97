"""The dimensions of a synthetic pair, whether they make one, and how much room it takes. Loads nothing heavy."""

from dataclasses import dataclass

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|mask|>")
FIRST_CHAIN_TOKEN = len(SPECIAL_TOKENS) + 256
PROMPT_TOKENS = 8
_F16_BYTES = 2


@dataclass(frozen=True, slots=True)
class SyntheticShape:
    """Dimensions of a pair and how well its draft guesses; the defaults are those of a 0.5B model."""

    hidden: int = 1024
    layers: int = 28
    """At least 3."""
    feed_forward: int = 3072
    heads: int = 16
    kv_heads: int = 8
    head_dim: int = 128
    vocabulary: int = 32000
    draft_layers: int = 3
    markov_rank: int = 128
    block_size: int = 7
    phases: tuple[float, ...] = (0.8,)
    """Chance of a drafted token being right in each stretch of text, in turn: easy and hard, as code and prose are."""
    phase_length: int = 64
    """Tokens in a stretch."""
    confidence_noise: float = 1.0
    """0: the confidence head knows; 5: it guesses."""
    confidence_shift: float = 0.0
    """Above 0: overconfident."""
    seed: int = 0

    @property
    def tapped_layers(self) -> tuple[int, ...]:
        """Target layers whose output the draft listens to, spread like those of the released drafts."""
        span = max(0, self.layers - 4)
        return tuple(sorted({round(1 + i * span / 4) for i in range(5)}))

    @property
    def target_weights(self) -> int:
        """How many there are, norms aside."""
        return 2 * self.vocabulary * self.hidden + self.layers * self._layer_weights

    @property
    def draft_weights(self) -> int:
        """With the two matrices of the Markov head and the projection of the features."""
        features = len(self.tapped_layers) * self.hidden * self.hidden
        return 2 * self.vocabulary * self.markov_rank + features + self.draft_layers * self._layer_weights

    @property
    def target_bytes(self) -> int:
        """In F16."""
        return self.target_weights * _F16_BYTES

    @property
    def draft_bytes(self) -> int:
        return self.draft_weights * _F16_BYTES

    @property
    def _layer_weights(self) -> int:
        attention = 2 * (self.heads + self.kv_heads) * self.head_dim
        return self.hidden * (attention + 3 * self.feed_forward)

    def problem(self) -> str:
        """Why no pair can have this shape; empty where one can."""
        least = {"layers": 3, "vocabulary": FIRST_CHAIN_TOKEN + PROMPT_TOKENS + 1, "seed": 0, "confidence_noise": 0}
        for name in _COUNTS:
            if getattr(self, name) < least.get(name, 1):
                return f"{_shown(name)} is {getattr(self, name)}, and {least.get(name, 1)} is the least that works."
        if self.heads % self.kv_heads:
            return f"{self.heads} heads cannot share {self.kv_heads} heads of keys and values evenly."
        if self.head_dim % 2:
            return f"head-dim is {self.head_dim}, and it must be even."
        if not self.phases or not all(0 <= share <= 1 for share in self.phases):
            return "phases are chances from 0 to 1, such as 0.9,0.3."
        return ""


_COUNTS = (
    "hidden layers feed_forward heads kv_heads head_dim vocabulary draft_layers markov_rank block_size phase_length "
    "confidence_noise seed"
).split()


def _shown(name: str) -> str:
    """As the option is called."""
    return name.replace("_", "-")
