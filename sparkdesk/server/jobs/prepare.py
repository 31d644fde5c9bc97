"""From a request to what the engine is asked, and how its tokens are parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sparkdesk.chat_format.chat_format import ChatFormat, detect_chat_format
from sparkdesk.chat_format.chat_template import ChatTemplate
from sparkdesk.chat_format.reasoning import ReasoningParser, ReasoningTags
from sparkdesk.chat_format.stop_strings import StopMatcher
from sparkdesk.chat_format.stream_parser import StreamParser
from sparkdesk.chat_format.tool_calls.parser import ToolCallParser
from sparkdesk.chat_format.tool_calls.protocol import ToolCallFormat
from sparkdesk.chat_format.tool_grammar import ToolGrammar, tool_grammar_for
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.errors import EngineError
from sparkdesk.server.errors import bad_request
from sparkdesk.server.jobs.engine import ServedEngine
from sparkdesk.server.requests.models import ChatRequest, CompletionRequest, RequestOptions


@dataclass(frozen=True, slots=True)
class ToolCallPlan:
    """How calls are looked for in the reply."""

    form: ToolCallFormat
    guide: ToolGrammar
    most_calls: int = 0
    is_needed: bool = False
    """The reply must be a call, so it cannot do without the guide."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready for its turn."""

    tokens: tuple[int, ...]
    settings: GenerationSettings
    stops: tuple[str, ...] = ()
    spells_control: bool = False
    reasoning_tags: ReasoningTags | None = None
    is_reasoning_opened: bool = False
    calls: ToolCallPlan | None = None

    @property
    def is_constrained(self) -> bool:
        return self.calls is not None and self.settings.grammar is self.calls.guide.grammar

    def unconstrained(self) -> "Prepared":
        """Calls are then looked for in what the model writes of its own accord."""
        return replace(self, settings=replace(self.settings, grammar=None))

    def parser(self) -> StreamParser:
        thoughts = calls = None
        if self.reasoning_tags is not None:
            thoughts = ReasoningParser(self.reasoning_tags, is_opened=self.is_reasoning_opened)
        if self.calls is not None:
            calls = ToolCallParser(self.calls.form, is_constrained=self.is_constrained, opened=self.calls.guide.opened)
        most_calls = self.calls.most_calls if self.calls is not None else 0
        return StreamParser(StopMatcher(self.stops), thoughts, calls, most_calls)


def prepare(engine: ServedEngine, request: ChatRequest | CompletionRequest) -> Prepared:
    """Asks the engine for tokens only. Raises ApiError, EngineError or ChatTemplateError."""
    model = engine.model
    if model is None:
        raise EngineError("No model is loaded.")
    if isinstance(request, CompletionRequest):
        tokens = request.prompt if isinstance(request.prompt, tuple) else engine.tokenize(request.prompt)
        prepared = Prepared(tokens, _settings(request.options), request.options.stops)
    else:
        prepared = _prepare_chat(engine, model, request)
    _check_length(model, len(prepared.tokens))
    return prepared


def _prepare_chat(engine: ServedEngine, model: ModelInfo, request: ChatRequest) -> Prepared:
    dialect = detect_chat_format(model.chat_template)
    text = _render(model, dialect, request)
    calls = _calls(request, dialect)
    opened = calls.guide.opened if calls is not None else ""
    settings = _settings(request.options)
    if calls is not None:
        settings = replace(settings, grammar=calls.guide.grammar)
    tags = dialect.reasoning_tags
    return Prepared(
        _tokens(engine, model, text + opened),
        settings,
        request.options.stops,
        spells_control=dialect.is_gemma,
        reasoning_tags=None if opened or settings.grammar is request.options.grammar is not None else tags,
        is_reasoning_opened=text.rstrip().endswith(tags.opening),
        calls=calls,
    )


def _calls(request: ChatRequest, dialect: ChatFormat) -> ToolCallPlan | None:
    if not request.may_call:
        return None
    if dialect.call_format is None:
        raise bad_request("This model's chat template has no place for tools.", param="tools")
    return ToolCallPlan(
        dialect.call_format, tool_grammar_for(request, dialect), request.most_calls, is_needed=request.must_call
    )


def _render(model: ModelInfo, dialect: ChatFormat, request: ChatRequest) -> str:
    """A model without a template continues the text as it stands."""
    if not model.chat_template:
        return "".join(str(message["content"]) for message in request.messages)
    template = _template(model.chat_template, model.bos_piece, model.eos_piece)
    values: Mapping[str, Any] = {**request.template_values, "enable_thinking": request.is_thinking}
    tools = dialect.tools(request.tools) if request.may_call else ()
    return template.render_turns(dialect.turns(request.messages), tools=tools, values=values)


@lru_cache(maxsize=4)  # a long one takes a tenth of a second to compile
def _template(source: str, bos_piece: str, eos_piece: str) -> ChatTemplate:
    return ChatTemplate(source, bos_piece=bos_piece, eos_piece=eos_piece)


def _tokens(engine: ServedEngine, model: ModelInfo, text: str) -> tuple[int, ...]:
    if model.bos_piece and engine.tokenize(""):  # the vocabulary puts it before every text by itself
        text = text.removeprefix(model.bos_piece)
    return engine.tokenize(text)


def _settings(request: RequestOptions) -> GenerationSettings:
    return GenerationSettings(
        max_tokens=request.max_tokens,
        sampling=request.sampling,
        speculation=request.speculation,
        grammar=request.grammar,
        top_logprobs=request.top_logprobs,
    )


def _check_length(model: ModelInfo, count: int) -> None:
    if count >= model.context_tokens:
        raise bad_request(
            f"The prompt has {count:,} tokens, the context holds {model.context_tokens:,}. Shorten it.",
            param="messages",
            code="context_length_exceeded",
        )
    if not count:
        raise bad_request("The prompt is empty.", param="messages")
