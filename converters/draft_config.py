"""What kind of draft a checkpoint holds: DeepSpec's, z-lab's and vLLM speculators' ways to say it, as one value.

Sources: DeepSpec's modeling code and configs (DFlash there is a DSpark without its heads), speculators' config classes,
and llama.cpp's dflash loader for what a GGUF can hold.
"""

from dataclasses import dataclass

from converters.config import Config
from converters.errors import UnsupportedModel

_DFLASH_KEYS = {"target_layer_ids", "mask_token_id", "block_size", "causal", "use_swa", "swa_window_size"}


@dataclass(frozen=True, slots=True)
class DraftConfig:
    backbone: Config
    """The fields of its Qwen3 layers."""
    target_layers: tuple[int, ...]
    """The layers whose INPUT the draft reads, as llama.cpp counts; the input of layer 0 is the embeddings."""
    block_size: int
    mask_token: int
    samples_from_anchor: bool
    """Whether the anchor's row predicts the first token; else only the rows of the masks predict."""
    markov_rank: int
    """0 where there is no such head: DFlash."""
    has_confidence_head: bool
    confidence_reads_markov: bool
    draft_vocab_size: int
    target_layer_count: int | None
    """Of the target it was trained for, where the checkpoint says so."""
    trained_for: str
    """The target's repository, where the checkpoint names it."""

    @property
    def vocab_size(self) -> int:
        return self.backbone.count("vocab_size")

    @property
    def hidden_size(self) -> int:
        return self.backbone.count("hidden_size")

    @property
    def kind(self) -> str:
        return "DSpark" if self.markov_rank else "DFlash"

    @property
    def writes_confidence_head(self) -> bool:
        """llama.cpp computes confidences inside the Markov head, so without one they are left out: a lesser draft."""
        return self.has_confidence_head and self.markov_rank > 0


def read_draft_config(config: Config) -> DraftConfig:
    """Raises BadCheckpoint, and UnsupportedModel for what llama.cpp has no graph for."""
    if config.has("transformer_layer_config"):
        found = _speculators(config)
    elif config.has("dflash_config"):
        found = _dflash(config)
    else:
        found = _deepspec(config)
    if found.markov_rank and config.text("markov_head_type", "vanilla").lower() != "vanilla":
        kind = config.text("markov_head_type").lower()
        raise UnsupportedModel(f"The draft has a Markov head of type {kind!r}; llama.cpp runs only the vanilla one.")
    if found.writes_confidence_head is False and found.has_confidence_head and found.confidence_reads_markov:
        raise UnsupportedModel("The draft's confidence head reads a Markov head that is not there.")
    return found


def _deepspec(config: Config) -> DraftConfig:
    """`Qwen3DSparkModel`: flat. Its layer ids count outputs, from -1 for the embeddings; every row predicts."""
    return DraftConfig(
        backbone=config,
        target_layers=_inputs_after(config),
        block_size=config.count("block_size"),
        mask_token=config.index("mask_token_id"),
        samples_from_anchor=config.flag("sample_from_anchor", default=True),
        markov_rank=_markov_rank(config),
        has_confidence_head=config.flag("enable_confidence_head", default=_markov_rank(config) > 0),
        confidence_reads_markov=config.flag("confidence_head_with_markov", default=True),
        draft_vocab_size=config.count("draft_vocab_size", config.count("vocab_size")),
        target_layer_count=config.count("num_target_layers") if config.has("num_target_layers") else None,
        trained_for="",
    )


def _dflash(config: Config) -> DraftConfig:
    """z-lab's `DFlashDraftModel`: flat, with its own section. Layer ids count outputs; the anchor's row is silent."""
    own = config.section("dflash_config")
    for name in own.names():
        if name not in _DFLASH_KEYS:
            raise UnsupportedModel(f"config.json sets {name} of the DFlash draft, which this converter does not know.")
    if own.flag("causal", default=False) or own.flag("use_swa", default=False):
        raise UnsupportedModel("The draft looks only backwards or only nearby in its block; that is not supported.")
    return DraftConfig(
        backbone=config,
        target_layers=_inputs_after(own),
        block_size=(own if own.has("block_size") else config).count("block_size"),
        mask_token=own.index("mask_token_id"),
        samples_from_anchor=False,
        markov_rank=0,
        has_confidence_head=False,
        confidence_reads_markov=False,
        draft_vocab_size=config.count("vocab_size"),
        target_layer_count=config.count("num_target_layers") if config.has("num_target_layers") else None,
        trained_for="",
    )


def _speculators(config: Config) -> DraftConfig:
    """vLLM speculators: nested. Its layer ids count inputs already; older exports knew no prediction at the anchor."""
    backbone = config.section("transformer_layer_config")
    rank = _markov_rank(config)
    verifier = config.section("speculators_config").section("verifier")
    return DraftConfig(
        backbone=backbone,
        target_layers=config.indices("aux_hidden_state_layer_ids", least=0),
        block_size=config.count("block_size"),
        mask_token=config.index("mask_token_id"),
        samples_from_anchor=config.flag("sample_from_anchor", default=False),
        markov_rank=rank,
        has_confidence_head=config.flag("enable_confidence_head", default=False),
        confidence_reads_markov=config.flag("confidence_head_with_markov", default=rank > 0),
        draft_vocab_size=config.count("draft_vocab_size", backbone.count("vocab_size")),
        target_layer_count=None,
        trained_for=verifier.text("name_or_path"),
    )


def _inputs_after(config: Config) -> tuple[int, ...]:
    """A layer's output is the input of the layer after it."""
    return tuple(layer + 1 for layer in config.indices("target_layer_ids", least=-1))


def _markov_rank(config: Config) -> int:
    return config.index("markov_rank") if config.has("markov_rank") else 0
