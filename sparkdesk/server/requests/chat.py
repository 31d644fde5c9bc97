"""Reads a request to /v1/chat/completions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sparkdesk.server.requests.decoding import MUST, decode, given, refuse
from sparkdesk.server.requests.messages import AssistantMessage, Message, Messages, turns_of
from sparkdesk.server.requests.models import AUTO, NONE, REQUIRED, ChatRequest, RequestDefaults
from sparkdesk.server.requests.options import LogprobsCount, OptionsBody, read_options
from sparkdesk.server.requests.tools import (
    MOST_TOOLS,
    FunctionName,
    Schema,
    Tool,
    as_tool,
    check_among,
    check_different,
)

_FORMER = "is OpenAI's former way; send tools and tool_choice"
_TAKEN = frozenset({"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"})


class Function(Struct, frozen=True):
    name: FunctionName
    description: str | None = None
    parameters: Schema | None = None


class FunctionTool(Struct, frozen=True):
    function: Function
    type: Annotated[Literal["function"], Meta(extra={MUST: 'be "function", the only kind of tool here'})] | None = None


class ChosenFunction(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1)]


class FunctionChoice(Struct, frozen=True):
    function: ChosenFunction


ToolChoice = Annotated[
    Literal["auto", "none", "required"] | FunctionChoice,
    Meta(extra={MUST: "be auto, none, required, or name a function"}),
]


class ChatBody(OptionsBody, frozen=True, kw_only=True):
    messages: Messages
    tools: Annotated[list[FunctionTool], Meta(max_length=MOST_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Any = None
    function_call: Any = None
    logprobs: bool | None = None
    top_logprobs: LogprobsCount | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None


def read_chat_request(sent: object, defaults: RequestDefaults) -> ChatRequest:
    """Raises ApiError."""
    body = decode(sent, ChatBody)
    for name, value in (("functions", body.functions), ("function_call", body.function_call)):
        if value is not None:
            refuse(name, _FORMER)
    is_thinking = _is_thinking(body, defaults)
    options = read_options(body, defaults, sent=sent, logprobs=_logprobs(body), is_thinking=is_thinking)
    tools = _tools(body)
    choice, function = _tool_choice(body.tool_choice, tools)
    if options.grammar is not None and tools and choice != NONE:
        name = "grammar" if body.grammar else "response_format"
        refuse(name, "cannot be combined with tools; send one of them, or tool_choice none")
    continues_last, opens_reply = _reply_start(body, body.messages[-1])
    return ChatRequest(
        options,
        messages=turns_of(body.messages),
        continues_last=continues_last,
        opens_reply=opens_reply,
        tools=tools,
        tool_choice=choice,
        tool_name=function,
        most_calls=0 if given(body.parallel_tool_calls, True) else 1,
        is_thinking=is_thinking and options.grammar is None,
        template_values=body.chat_template_kwargs or {},
    )


def _reply_start(body: ChatBody, last: Message) -> tuple[bool, bool]:
    """Whether the last message is gone on with, and whether a reply is opened. The names are vLLM's.

    A last message of the assistant is gone on with unless a new reply is asked for.
    """
    opens = given(body.add_generation_prompt, True)
    asks_new = bool(body.add_generation_prompt)
    can = isinstance(last, AssistantMessage) and not last.tool_calls
    continues = given(body.continue_final_message, can and not asks_new)
    if continues and not can:
        refuse("continue_final_message", "needs a last message of the assistant, without tool_calls")
    if continues and asks_new:
        refuse("add_generation_prompt", "must be false together with continue_final_message")
    return continues, opens or continues


def _logprobs(body: ChatBody) -> int | None:
    if not body.logprobs:
        if body.top_logprobs:
            refuse("top_logprobs", "needs logprobs: true")
        return None
    return int(given(body.top_logprobs, 0))


def _tools(body: ChatBody) -> tuple[Tool, ...]:
    functions = [tool.function for tool in body.tools or ()]
    tools = tuple(as_tool(each.name, each.description, each.parameters) for each in functions)
    check_different(tools)
    return tools


def _tool_choice(choice: ToolChoice | None, tools: Sequence[Tool]) -> tuple[str, str]:
    """What it is, and the name of the function that must be called."""
    if isinstance(choice, FunctionChoice):
        check_among(tools, choice.function.name, "tool_choice.function.name")
        return REQUIRED, choice.function.name
    if choice == REQUIRED and not tools:
        refuse("tool_choice", "is required, but there are no tools")
    return choice or AUTO, ""


def _is_thinking(body: ChatBody, defaults: RequestDefaults) -> bool:
    values: Mapping[str, Any] = body.chat_template_kwargs or {}
    taken = sorted(_TAKEN & values.keys())
    if taken:
        refuse(f"chat_template_kwargs.{taken[0]}", "is the server's own")
    asked = values.get("enable_thinking")
    if asked is not None and not isinstance(asked, bool):
        refuse("chat_template_kwargs.enable_thinking", "must be true or false")
    return given(asked, defaults.is_thinking)
