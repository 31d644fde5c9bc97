"""From a request to what the engine is asked, and how its tokens are parsed."""

import threading
from dataclasses import dataclass, replace

from sparkdesk.chat_format.chat_format import ChatFormat, detect_chat_format
from sparkdesk.chat_format.prompt import RenderedPrompt, render_prompt
from sparkdesk.chat_format.reasoning import ReasoningParser, opening_tags
from sparkdesk.chat_format.stop_strings import StopMatcher
from sparkdesk.chat_format.stream_parser import StreamParser
from sparkdesk.chat_format.tool_calls.parser import ToolCallParser
from sparkdesk.chat_format.tool_calls.protocol import ToolCallFormat
from sparkdesk.chat_format.tool_grammar import ToolGrammar, tool_grammar_for
from sparkdesk.engine.grammar_source import gbnf_of, unenforced
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings, GrammarSettings
from sparkdesk.errors import EngineError, GrammarError
from sparkdesk.server.errors import ApiError, bad_request
from sparkdesk.server.jobs.engine import ServedEngine
from sparkdesk.server.requests.models import ChatRequest, CompletionRequest, RequestOptions

_SHORT_CHARACTERS = 32_768
"""A tenth of a second's work for llama.cpp at its slowest."""
_PIECE_SLACK = 12
"""Tokens that a cut in the middle of a text may make more."""


@dataclass(frozen=True, slots=True)
class ToolCallPlan:
    """How calls are looked for in the reply."""

    form: ToolCallFormat
    tool_grammar: ToolGrammar
    most_calls: int = 0
    is_needed: bool = False
    """The reply must be a call, so it cannot do without the grammar."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready for its turn."""

    tokens: tuple[int, ...]
    settings: GenerationSettings
    stops: tuple[str, ...] = ()
    spells_control: bool = False
    may_reason: bool = False
    """What the reply begins with may be reasoning."""
    reply_prefix: str = ""
    """What of the reply the prompt holds already."""
    stops_in_reasoning: bool = False
    calls: ToolCallPlan | None = None
    not_enforced: tuple[str, ...] = ()
    """What of the schema that was asked for the reply is not held to."""

    @property
    def is_constrained(self) -> bool:
        return self.calls is not None and self.settings.grammar is self.calls.tool_grammar.grammar

    def unconstrained(self) -> "Prepared":
        """Calls are then looked for in what the model writes of its own accord."""
        return replace(self, settings=replace(self.settings, grammar=None))

    def parser(self) -> StreamParser:
        calls = None
        if self.calls is not None:
            calls = ToolCallParser(
                self.calls.form, is_constrained=self.is_constrained, prefix=self.calls.tool_grammar.prompt_suffix
            )
        parser = StreamParser(
            StopMatcher(self.stops),
            ReasoningParser() if self.may_reason else None,
            calls,
            most_calls=self.calls.most_calls if self.calls is not None else 0,
            stops_in_reasoning=self.stops_in_reasoning,
        )
        parser.skip(self.reply_prefix)
        return parser


class Wanted:
    """Whether somebody still waits for what a thread prepares."""

    def __init__(self) -> None:
        self._is_over = threading.Event()

    def end(self) -> None:
        self._is_over.set()

    def check(self) -> None:
        """Raises ApiError where nobody does."""
        if self._is_over.is_set():
            raise ApiError(499, "The client is gone.", code="gone")


def prepare(
    engine: ServedEngine, request: ChatRequest | CompletionRequest, wanted: Wanted, *, is_limited: bool = True
) -> Prepared:
    """Asks the engine for tokens only. `is_limited`: a prompt that does not fit the context is refused.

    Raises ApiError, EngineError or ChatTemplateError.
    """
    model = engine.model
    if model is None:
        raise EngineError("No model is loaded.")
    not_enforced = _checked_grammar(request.options.grammar)
    if isinstance(request, CompletionRequest):
        _check_room(engine, model, request.prompt, wanted)
        tokens = request.prompt if isinstance(request.prompt, tuple) else engine.tokenize(request.prompt)
        prepared = Prepared(tokens, _settings(request.options), request.options.stops)
    else:
        prepared = _prepare_chat(engine, model, request, wanted, is_limited=is_limited)
    if is_limited:
        _check_length(model, len(prepared.tokens))
    return replace(prepared, not_enforced=(*not_enforced, *prepared.not_enforced))


def _checked_grammar(grammar: GrammarSettings | None) -> tuple[str, ...]:
    """Refused here, a grammar takes nobody's turn. Returns what a reply will not be held to."""
    if grammar is None:
        return ()
    try:
        gbnf_of(grammar)
        return unenforced(grammar)
    except GrammarError as error:
        param = "grammar" if grammar.gbnf else "response_format"
        raise bad_request(str(error), param=param) from error


def _check_room(engine: ServedEngine, model: ModelInfo, prompt: str | tuple[int, ...], wanted: Wanted) -> None:
    """Cut a long text piece by piece first, and stop where it cannot fit any more: cutting it whole takes seconds, and
    nobody can stop that."""
    if isinstance(prompt, tuple) or len(prompt) <= _SHORT_CHARACTERS:
        return
    count = 0
    for start in range(0, len(prompt), _SHORT_CHARACTERS):
        wanted.check()
        count += len(engine.tokenize(prompt[start : start + _SHORT_CHARACTERS])) - _PIECE_SLACK
        if count >= model.context_tokens:
            raise _too_long(model, f"more than {count:,}")


def _prepare_chat(
    engine: ServedEngine, model: ModelInfo, request: ChatRequest, wanted: Wanted, *, is_limited: bool
) -> Prepared:
    chat_format = detect_chat_format(model.chat_template)
    for message in request.messages if is_limited else ():  # one that cannot fit need not be rendered
        _check_room(engine, model, str(message.get("content") or ""), wanted)
    rendered = _render(model, chat_format, request)
    if is_limited:
        _check_room(engine, model, rendered.text, wanted)
    calls = _calls(request, chat_format)
    opened = calls.tool_grammar.prompt_suffix if calls is not None else ""
    if opened and request.continues_last:
        raise bad_request(
            "The assistant's last message cannot be gone on with where a call is required.", param="messages"
        )
    settings = _settings(request.options)
    if calls is not None:
        settings = replace(settings, grammar=calls.tool_grammar.grammar)
    is_constrained_from_start = settings.grammar is request.options.grammar is not None
    return Prepared(
        _tokens(engine, model, rendered.text + opened),
        settings,
        request.options.stops,
        spells_control=chat_format.writes_control,
        may_reason=not opened and not is_constrained_from_start,
        reply_prefix=rendered.reply_prefix,
        stops_in_reasoning=request.options.stops_in_reasoning,
        calls=calls,
        not_enforced=calls.tool_grammar.not_enforced if calls is not None else (),
    )


def _calls(request: ChatRequest, chat_format: ChatFormat) -> ToolCallPlan | None:
    if not request.may_call:
        return None
    if chat_format.call_format is None:
        raise bad_request("This model's chat template has no place for tools.", param="tools")
    return ToolCallPlan(
        chat_format.call_format, tool_grammar_for(request, chat_format), request.most_calls, is_needed=request.must_call
    )


def _render(model: ModelInfo, chat_format: ChatFormat, request: ChatRequest) -> RenderedPrompt:
    messages, begun = list(request.messages), ""
    if request.continues_last:
        last = messages.pop()
        reasoning = str(last.get("reasoning_content") or "")
        begun = (chat_format.reasoning_tags.wrapped(reasoning) if reasoning else "") + str(last["content"])
    is_thinking = request.is_thinking or opening_tags(begun) is not None
    return render_prompt(
        model,
        messages,
        tools=request.tools if request.may_call else (),
        values={**request.template_values, "enable_thinking": is_thinking},
        opens_reply=request.opens_reply,
        begun=begun,
    )


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
        raise _too_long(model, f"{count:,}")
    if not count:
        raise bad_request("The prompt is empty.", param="messages")


def _too_long(model: ModelInfo, count: str) -> ApiError:
    return bad_request(
        f"The prompt has {count} tokens, the context holds {model.context_tokens:,}. Shorten it.",
        param="messages",
        code="context_length_exceeded",
    )
