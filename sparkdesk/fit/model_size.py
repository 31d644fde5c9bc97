"""The dimensions of a model and the bytes of its parts, as far as memory depends on them."""

from dataclasses import dataclass, replace

KV_BYTES = 2  # of a float16
MTP, ROLLBACK_STATES = "mtp", 7
"""The engine's own word; earlier states of recurrent layers that it asks for, where there is room."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer keeps: of every token, or one state for all of them."""

    kv_bytes_per_token: int
    """In float16; 0 for a layer without attention."""
    is_sliding: bool = False
    state_bytes: int = 0
    """One recurrent state."""
    expert_bytes: int = 0
    """Weights of its experts, of which a token takes a few; among the layer's own bytes."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A target or a draft."""

    name: str
    width: int
    vocabulary: int
    feed_forward: int
    attention: int
    """Numbers in a token's queries of one layer, all heads together."""
    layers: tuple[Layer, ...]
    layer_bytes: tuple[int, ...]
    """Weights of every layer."""
    embedding_bytes: int
    """The table of the input, which stays with the processor."""
    output_bytes: int
    """Output head, norms, and what else belongs to no layer."""
    is_tied: bool = False
    """The head is the table of the input: on a graphics card it is there once more."""
    trained_context: int = 0
    window: int = 0
    """How far sliding layers look back; 0 without such layers."""
    tapped_layers: int = 0
    """For a draft: how many of the target's layers it listens to."""
    block_size: int = 0
    drafts_as: str = ""
    """A DraftKind's name or "mtp": what it would be as a draft; empty where a config does not tell."""
    recurrent: int = 0
    """Numbers that a token takes in a recurrent layer while it is computed."""
    reduced_vocabulary: int = 0
    """Rows of an EAGLE-3 draft's own output head where it has fewer than the vocabulary."""
    mtp_layers: int = 0
    """Layers of the file, behind these, that predict further tokens: llama.cpp counts them among its layers."""
    most_rollback_states: int = 0
    """Earlier states that its recurrent layers can keep; 0 where llama.cpp keeps none of this architecture."""

    @property
    def state_bytes(self) -> int:
        """One recurrent state of all layers; 0 without such layers."""
        return sum(layer.state_bytes for layer in self.layers)

    @property
    def expert_layers(self) -> int:
        """How many layers there are up to the last that has experts; 0 for a dense model."""
        return max((i for i, layer in enumerate(self.layers, 1) if layer.expert_bytes), default=0)

    @property
    def weights_bytes(self) -> int:
        return sum(self.layer_bytes) + self.embedding_bytes + self.output_bytes

    def in_a_file_of(self, size_bytes: int) -> "ModelSize":
        """The same model in another quantization: every part takes its share of it."""
        share = size_bytes / max(1, self.weights_bytes)
        layer_bytes = tuple(int(each * share) for each in self.layer_bytes)
        layers = tuple(replace(each, expert_bytes=int(each.expert_bytes * share)) for each in self.layers)
        embedding_bytes = int(self.embedding_bytes * share)
        output_bytes = max(0, size_bytes - sum(layer_bytes) - embedding_bytes)
        return replace(
            self, layers=layers, layer_bytes=layer_bytes, embedding_bytes=embedding_bytes, output_bytes=output_bytes
        )

    def with_even_layers(self, size_bytes: int) -> "ModelSize":
        """Of a file in several parts, whose first part tells of its own tensors only."""
        rest = max(0, size_bytes - self.embedding_bytes - self.output_bytes)
        count = max(1, len(self.layers))
        own, experts = max(1, sum(self.layer_bytes)), sum(layer.expert_bytes for layer in self.layers)
        each_layer = rest // count
        layers = tuple(replace(each, expert_bytes=each_layer * experts // own) for each in self.layers)
        return replace(self, layers=layers, layer_bytes=(each_layer,) * len(self.layers))
