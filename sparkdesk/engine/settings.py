"""What the caller of the engine may choose: how to load, how to sample, how far to speculate."""

from dataclasses import dataclass, field

ALL_LAYERS = AUTOMATIC = -1
MTP, LOOKUP = "mtp", "context"
"""Drafters that need no file of their own: the model's own layer, and prompt lookup alone."""
ROLLBACK_STATES = 7
"""As many as a block has tokens, because all of them may be rejected."""
MOST_LOGPROBS = 20
CONTEXT_STEP_TOKENS = 256
"""A context is so many tokens or a multiple of it: shorter ones end llama.cpp's process."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a pair is put into memory."""

    target_path: str
    draft_path: str | None = None
    drafter: str = ""
    """MTP or LOOKUP; empty for what the draft's file is."""
    context_tokens: int = 4096
    """0 asks for the length the target was trained with."""
    is_context_asked: bool = False
    """Whether the user named that number: then a shorter context is told, where a default is shortened silently."""
    insists_on_context: bool = False
    """Take the context as it is, beyond what the target was trained with or what seems to fit."""
    threads: int = 0
    """0 leaves the choice to the engine: at most the physical cores, and what was fastest of a few numbers."""
    most_threads: int = 0
    """Where the engine chooses, no more than these; 0 is no such limit."""
    gpu_layers: int = ALL_LAYERS
    """Target layers on the GPU; -1 is all that there are. Ignored by a build without a GPU backend."""
    draft_gpu_layers: int = ALL_LAYERS
    """Layers of the draft on the GPU, likewise."""
    cpu_experts: int = AUTOMATIC
    """So many of the target's first layers leave the weights of their experts with the processor; -1: none, unless the
    fit says otherwise."""
    tensor_split: tuple[float, ...] = ()
    """Shares of the target for several graphics cards, in llama.cpp's order of them; empty: by their free memory."""
    main_gpu: int = -1
    """The one card, of several, that everything lies on; -1: the target is spread over all of them."""
    cache_type: str = "f16"
    """Of the target's KV cache: "f16", "q8_0" or "q4_0"."""
    rollback_states: int = ROLLBACK_STATES
    """Earlier states of recurrent layers to keep: no more drafted tokens can be verified at once."""
    saved_states_bytes: int = AUTOMATIC
    """Memory for conversations put aside while another one is answered; 0 keeps none, -1 leaves it to the engine."""
    use_extra_buffers: bool = True
    """False avoids repacked weights: the safe setting where AMX code was miscompiled."""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Sampler settings under llama.cpp's names and in its order: penalties, top-k, top-p, min-p, temperature."""

    temperature: float = 0.7
    """0 is greedy."""
    top_k: int = 20
    """0 is off."""
    top_p: float = 0.8
    """1 is off."""
    min_p: float = 0.0
    """0 is off."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_last_tokens: int = 64
    """How far back penalties look, in tokens."""
    seed: int | None = None
    """None draws a fresh one."""


@dataclass(frozen=True, slots=True)
class SpeculationSettings:
    """Whether to speculate, and how many tokens to draft."""

    is_enabled: bool = True
    draft_length: int | None = None
    """1..block size, or None to leave it to the scheduler."""
    drafts_greedily: bool = False
    """Draft the likeliest token even where the reply is sampled: the exact-match rule of llama.cpp, for comparison."""

    @property
    def is_tuned(self) -> bool:
        """Whether the scheduler decides."""
        return self.is_enabled and self.draft_length is None


@dataclass(frozen=True, slots=True)
class GrammarSettings:
    """What a reply must look like: one of the two, from its first token on or after a trigger.

    Tokens that the grammar does not allow have no probability; those that end a turn have some only where the grammar
    may end. The distribution is exact: the softmax over the allowed tokens, then the sampler's own settings.
    """

    gbnf: str = ""
    """In llama.cpp's notation, starting at the rule `root`. Text of special tokens counts as text."""
    json_schema: str = ""
    """The schema as JSON text; "{}" asks for any JSON object."""
    triggers: tuple[str, ...] = ()
    """The reply is free until it has said one of these texts, such as "<tool_call>": the grammar holds for what comes
    next. Where the grammar may end, something else may follow, and the reply is free again until the next trigger.
    Empty: the grammar holds from the start, and the reply ends with it."""


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """One reply: when it ends, how it is sampled, how it is sped up, what it must look like, what is told of it."""

    max_tokens: int = 0
    """0 is until the context is full."""
    stop_tokens: frozenset[int] = frozenset()
    """End-of-turn tokens; the reply ends before the first of them."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    grammar: GrammarSettings | None = None
    top_logprobs: int | None = None
    """How many alternatives each token is told with, 0..MOST_LOGPROBS; None tells no probabilities at all."""
    reads_afresh: bool = False
    """Decode the whole prompt, whatever the caches hold or was put aside: for measurements. What they held is lost."""


class Control:
    """Read by the loop once a round, written from any thread: each attribute is replaced whole."""

    def __init__(self, speculation: SpeculationSettings) -> None:
        self.speculation = speculation
        self.is_cancelled = False
