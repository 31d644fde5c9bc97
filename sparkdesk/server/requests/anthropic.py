"""Reads a request to /v1/messages and /v1/messages/count_tokens, in Anthropic's form."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.server.requests.anthropic_content import read_turns
from sparkdesk.server.requests.decoding import decode
from sparkdesk.server.requests.field_readers import (
    EVERYWHERE,
    read_chosen,
    read_format,
    read_function,
    read_stops,
    read_tools,
)
from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.generation import (
    MOST_TOKENS,
    GenerationBody,
    check_model,
    read_sampling,
    read_speculation,
)
from sparkdesk.server.requests.models import AUTO, NONE, REQUIRED, ChatRequest, RequestDefaults, RequestOptions
from sparkdesk.server.requests.tools import Tool

_KNOWN = EVERYWHERE | frozenset(
    "max_tokens messages system tools tool_choice stop_sequences thinking metadata output_config output_format".split()
)
_MOST_STOPS = 64
_CHOICES = {"auto": AUTO, "any": REQUIRED, "none": NONE}
_THINKING = {"enabled": True, "adaptive": True, "disabled": False}


def read_messages_request(body: object, defaults: RequestDefaults) -> ChatRequest:
    """Raises ApiError."""
    fields = Fields(body)
    if not fields.has("max_tokens"):
        fields.refuse("max_tokens", "is missing")
    return _read(fields, defaults)


def read_count_request(body: object, defaults: RequestDefaults) -> ChatRequest:
    """Only its prompt matters. Raises ApiError."""
    return _read(Fields(body), defaults)


def _read(fields: Fields, defaults: RequestDefaults) -> ChatRequest:
    body = decode(fields.given, GenerationBody)
    check_model(body, defaults)
    grammar = _format(fields)
    is_thinking = _is_thinking(fields, defaults) and grammar is None
    tools = read_tools(fields, _tool)
    choice, function, most_calls = _tool_choice(fields, tools)
    if grammar is not None and tools and choice != NONE:
        fields.refuse("output_config.format", "cannot be combined with tools; send one of them, or tool_choice none")
    messages = read_turns(fields)
    last = messages[-1]
    return ChatRequest(
        _options(fields, body, defaults, grammar, is_thinking=is_thinking),
        messages=messages,
        tools=tools,
        tool_choice=choice,
        tool_name=function,
        most_calls=most_calls,
        is_thinking=is_thinking,
        continues_last=last["role"] == "assistant" and not last.get("tool_calls"),
    )


def _options(
    fields: Fields,
    body: GenerationBody,
    defaults: RequestDefaults,
    grammar: GrammarSettings | None,
    *,
    is_thinking: bool,
) -> RequestOptions:
    metadata, output = fields.inner("metadata"), fields.inner("output_config")
    unused = () if output is None else output.others(frozenset({"format"}))
    return RequestOptions(
        sampling=read_sampling(body, defaults.thinking_sampling if is_thinking else defaults.sampling),
        speculation=read_speculation(body, defaults),
        max_tokens=fields.whole("max_tokens", 0, least=1, most=MOST_TOKENS),
        stops=read_stops(fields, "stop_sequences", most=_MOST_STOPS),
        grammar=grammar,
        is_streamed=bool(body.stream),
        user=metadata.text("user_id") if metadata is not None else "",
        ignored=(*fields.others(_KNOWN), *unused),
    )


def _format(fields: Fields) -> GrammarSettings | None:
    output = fields.inner("output_config")
    form = output.inner("format") if output is not None else None
    form = form or fields.inner("output_format")
    return read_format(form) if form is not None else None


def _is_thinking(fields: Fields, defaults: RequestDefaults) -> bool:
    thinking = fields.inner("thinking")
    if thinking is None:
        return defaults.is_thinking
    kind = thinking.needed_text("type")
    if kind not in _THINKING:
        thinking.refuse("type", "must be enabled, adaptive or disabled")
    return _THINKING[kind]


def _tool(fields: Fields) -> Tool:
    kind = fields.text("type", "custom")
    if kind != "custom":
        fields.refuse(
            "type", f"is {kind[:40]!r}, a tool of Anthropic's own; this server has those with an input_schema"
        )
    return read_function(fields, "input_schema")


def _tool_choice(fields: Fields, tools: Sequence[Mapping[str, Any]]) -> tuple[str, str, int]:
    """Whether there must be a call, of which function, and how many there may be."""
    choice = fields.inner("tool_choice")
    if choice is None:
        return AUTO, "", 0
    most_calls = 1 if choice.switch("disable_parallel_tool_use", False) else 0
    kind = choice.needed_text("type")
    if kind == "tool":
        return REQUIRED, read_chosen(choice, tools), most_calls
    if kind not in _CHOICES:
        choice.refuse("type", "must be auto, any, none or tool")
    if kind == "any" and not tools:
        choice.refuse("type", "is any, but there are no tools")
    return _CHOICES[kind], "", most_calls
