"""What a person may choose about a conversation; each reply is made with what holds when it begins."""

from dataclasses import dataclass, field

from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How the model is spoken to, and how it answers."""

    system_prompt: str = ""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    max_tokens: int = 0
    """Of one reply; 0 is until the context is full."""
    is_raw: bool = False
    """The model continues the text as it stands: no template, no system prompt."""
    is_thinking: bool = False
    """Passed to the template as enable_thinking. Off, because drafts are trained on answers without thoughts."""
    ignores_end: bool = False
    """Go on through the model's end-of-turn tokens, for measurements of equal length."""

    server: str = ""
    """Address of the server that the conversation is held with; empty for a model of this machine."""

    def generation(self) -> GenerationSettings:
        """The part of it that the engine needs."""
        return GenerationSettings(max_tokens=self.max_tokens, sampling=self.sampling, speculation=self.speculation)
