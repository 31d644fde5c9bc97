"""Reads a request to /v1/responses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.server.errors import ApiError
from sparkdesk.server.requests.decoding import decode
from sparkdesk.server.requests.field_readers import EVERYWHERE, read_chosen, read_format, read_function, read_tools
from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.generation import (
    MOST_TOKENS,
    GenerationBody,
    check_model,
    read_sampling,
    read_speculation,
)
from sparkdesk.server.requests.models import AUTO, NONE, REQUIRED, ChatRequest, RequestDefaults, RequestOptions
from sparkdesk.server.requests.response_items import Turn, read_input
from sparkdesk.server.requests.tools import Tool

_KNOWN = EVERYWHERE | frozenset(
    "input instructions tools tool_choice parallel_tool_calls max_output_tokens reasoning text store "
    "previous_response_id metadata user safety_identifier truncation background conversation prompt".split()
)
_EFFORTS = {"none": False, "minimal": False, "low": True, "medium": True, "high": True, "xhigh": True, "max": True}
_ECHOED = ("instructions", "max_output_tokens", "metadata", "previous_response_id", "reasoning", "tool_choice", "user")

Kept = Callable[[str], tuple[Turn, ...] | None]
"""From a response's id to the conversation that it ended."""


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    chat: ChatRequest
    turns: tuple[Turn, ...]
    """The conversation so far, without the instructions."""
    is_stored: bool
    lookup: Mapping[str, Any]
    """What the response repeats of the request."""


def read_responses_request(sent: object, defaults: RequestDefaults, kept: Kept) -> ResponsesRequest:
    """`kept` knows the conversations that may be gone on with. Raises ApiError."""
    fields = Fields(sent)
    body = decode(sent, GenerationBody)
    check_model(body, defaults)
    _refuse_unsupported(fields)
    grammar, unused = _format(fields)
    reasoning = fields.inner("reasoning")
    is_thinking = _is_thinking(reasoning, defaults) and grammar is None
    left_out: list[str] = []
    tools = read_tools(fields, lambda tool: _tool(tool, left_out))
    choice, function = _tool_choice(fields, tools)
    if grammar is not None and tools and choice != NONE:
        fields.refuse("text.format", "cannot be combined with tools; send one of them, or tool_choice none")
    turns = (*_earlier_turns(fields, kept), *read_input(fields))
    instructions = fields.text("instructions")
    options = _options(fields, body, defaults, grammar, is_thinking=is_thinking, ignored=(*unused, *left_out))
    may_call_many = fields.switch("parallel_tool_calls", True)
    chat = ChatRequest(
        options,
        messages=({"role": "system", "content": instructions}, *turns) if instructions else turns,
        tools=tools,
        tool_choice=choice,
        tool_name=function,
        most_calls=0 if may_call_many else 1,
        is_thinking=is_thinking,
    )
    return ResponsesRequest(chat, turns, fields.switch("store", True), _lookup(fields, chat))


def _refuse_unsupported(fields: Fields) -> None:
    if fields.switch("background", False):
        fields.refuse("background", "is not supported here; stream the response instead")
    for name in ("conversation", "prompt"):
        if fields.has(name):
            fields.refuse(name, "is kept by OpenAI's servers; send input, or previous_response_id")


def _earlier_turns(fields: Fields, kept: Kept) -> tuple[Turn, ...]:
    earlier = fields.text("previous_response_id")
    if not earlier:
        return ()
    turns = kept(earlier)
    if turns is None:
        raise ApiError(
            404,
            "That previous response is not kept here (any more); send the conversation as input.",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    return turns


def _options(
    fields: Fields,
    body: GenerationBody,
    defaults: RequestDefaults,
    grammar: GrammarSettings | None,
    *,
    is_thinking: bool,
    ignored: tuple[str, ...],
) -> RequestOptions:
    truncation = ("truncation",) if fields.text("truncation", "disabled") != "disabled" else ()
    return RequestOptions(
        sampling=read_sampling(body, defaults.thinking_sampling if is_thinking else defaults.sampling),
        speculation=read_speculation(body, defaults),
        max_tokens=fields.whole("max_output_tokens", 0, least=1, most=MOST_TOKENS),
        grammar=grammar,
        is_streamed=bool(body.stream),
        user=fields.text("user") or fields.text("safety_identifier"),
        ignored=(*fields.others(_KNOWN), *truncation, *ignored),
    )


def _format(fields: Fields) -> tuple[GrammarSettings | None, tuple[str, ...]]:
    """What the text must be, and what else is said of it that changes nothing."""
    text = fields.inner("text")
    if text is None:
        return None, ()
    form = text.inner("format")
    return (read_format(form) if form is not None else None), text.others(frozenset({"format"}))


def _is_thinking(reasoning: Fields | None, defaults: RequestDefaults) -> bool:
    effort = reasoning.text("effort") if reasoning is not None else ""
    if reasoning is not None and effort and effort not in _EFFORTS:
        reasoning.refuse("effort", f"must be one of {', '.join(_EFFORTS)}")
    return _EFFORTS.get(effort, defaults.is_thinking)


def _tool(fields: Fields, left_out: list[str]) -> Tool | None:
    """Agents send OpenAI's own tools along unasked, such as web_search; without those they still work."""
    if fields.needed_text("type") != "function":
        left_out.append(fields.path(""))
        return None
    return read_function(fields, "parameters")


def _tool_choice(fields: Fields, tools: Sequence[Tool]) -> tuple[str, str]:
    if isinstance(fields.given.get("tool_choice"), dict):
        choice = fields.inner("tool_choice")
        assert choice is not None, "it is an object"
        if choice.needed_text("type") != "function":
            choice.refuse("type", 'must be "function", the only kind of tool here')
        return REQUIRED, read_chosen(choice, tools)
    said = fields.text("tool_choice", AUTO)
    if said not in (AUTO, NONE, REQUIRED):
        fields.refuse("tool_choice", "must be auto, none, required, or name a function")
    if said == REQUIRED and not tools:
        fields.refuse("tool_choice", "is required, but there are no tools")
    return said, ""


def _lookup(fields: Fields, chat: ChatRequest) -> dict[str, Any]:
    text = fields.inner("text")
    form = text.given.get("format") if text is not None else None
    sampling = chat.options.sampling
    return {
        **{name: fields.given.get(name) for name in _ECHOED},
        "metadata": fields.given.get("metadata") or {},
        "tool_choice": fields.given.get("tool_choice") or AUTO,
        "tools": [{"type": "function", "strict": True, **tool["function"]} for tool in chat.tools],
        "text": {"format": form or {"type": "text"}},
        "parallel_tool_calls": chat.most_calls == 0,
        "store": fields.switch("store", True),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "truncation": "disabled",
    }
