"""What clients ask for, checked and in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkdesk.engine.settings import GrammarSettings, SamplingSettings, SpeculationSettings

AUTO, NONE, REQUIRED = "auto", "none", "required"


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What both kinds of request have."""

    sampling: SamplingSettings
    speculation: SpeculationSettings
    max_tokens: int = 0
    """0 is until the context is full."""
    stops: tuple[str, ...] = ()
    stops_in_reasoning: bool = False
    """Stop strings end reasoning too, not only the answer."""
    grammar: GrammarSettings | None = None
    """From response_format: it holds from the first token on."""
    top_logprobs: int | None = None
    is_streamed: bool = False
    include_usage: bool = False
    """At the end of a stream."""
    include_timings: bool = False
    """With every chunk of a stream."""
    include_progress: bool = False
    """Chunks of a stream tell how much of the prompt has been read."""
    user: str = ""
    """Who asks, where the client says so."""
    ignored: tuple[str, ...] = ()
    """Fields of the request that change nothing here."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """/v1/completions: continue this."""

    options: RequestOptions
    prompt: str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """/v1/chat/completions: say the next thing."""

    options: RequestOptions
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str = AUTO
    """"auto", "none" or "required"."""
    tool_name: str = ""
    """Of the function that must be called, with "required"."""
    most_calls: int = 0
    """0 is any number."""
    is_thinking: bool = False
    opens_reply: bool = True
    """Behind the messages stands what a reply begins with."""
    continues_last: bool = False
    """The last message is the assistant's, and the reply goes on with it."""
    template_values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def must_call(self) -> bool:
        return self.tool_choice == REQUIRED

    @property
    def may_call(self) -> bool:
        return bool(self.tools) and self.tool_choice != NONE


@dataclass(frozen=True, slots=True)
class RequestDefaults:
    """What holds where a request says nothing, and what it may ask for."""

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    thinking_sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """For replies that begin with thoughts."""
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    is_thinking: bool = False
    names: tuple[str, ...] = ()
    """The model's, the main one first."""
    block_size: int = 0
    """Most tokens the draft proposes; 0 without a draft."""
    vocabulary_size: int = 0
