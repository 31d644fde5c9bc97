"""Reads a request to /v1/chat/completions."""

from collections.abc import Mapping
from typing import Any

from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.messages import read_messages
from sparkdesk.server.requests.models import AUTO, NONE, REQUIRED, ChatRequest, RequestDefaults
from sparkdesk.server.requests.options import read_logprobs_count, read_options
from sparkdesk.server.requests.tools import read_chosen, read_function, read_tools

_KNOWN = frozenset(
    "messages tools tool_choice parallel_tool_calls chat_template_kwargs add_generation_prompt "
    "continue_final_message".split()
)
_TAKEN = frozenset({"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"})


def read_chat_request(body: object, defaults: RequestDefaults) -> ChatRequest:
    """Raises ApiError."""
    fields = Fields(body)
    for old in ("functions", "function_call"):
        if fields.has(old):
            fields.refuse(old, "is OpenAI's former way; send tools and tool_choice")
    is_thinking, values = _template_values(fields, defaults)
    options = read_options(fields, defaults, known=_KNOWN, logprobs=_logprobs(fields), is_thinking=is_thinking)
    tools = read_tools(fields, _tool)
    choice, function = _tool_choice(fields, tools)
    if options.grammar is not None and tools and choice != NONE:
        name = "grammar" if fields.has("grammar") else "response_format"
        fields.refuse(name, "cannot be combined with tools; send one of them, or tool_choice none")
    messages = read_messages(fields)
    continues_last, opens_reply = _reply_start(fields, messages[-1])
    return ChatRequest(
        options,
        messages=messages,
        continues_last=continues_last,
        opens_reply=opens_reply,
        tools=tools,
        tool_choice=choice,
        tool_name=function,
        most_calls=0 if fields.switch("parallel_tool_calls", True) else 1,
        is_thinking=is_thinking and options.grammar is None,
        template_values=values,
    )


def _reply_start(fields: Fields, last: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the last message is gone on with, and whether a reply is opened. The names are vLLM's.

    A last message of the assistant is gone on with unless a new reply is asked for.
    """
    opens = fields.switch("add_generation_prompt", True)
    asks_new = opens and fields.has("add_generation_prompt")
    can = last["role"] == "assistant" and not last.get("tool_calls")
    continues = fields.switch("continue_final_message", can and not asks_new)
    if continues and not can:
        fields.refuse("continue_final_message", "needs a last message of the assistant, without tool_calls")
    if continues and asks_new:
        fields.refuse("add_generation_prompt", "must be false together with continue_final_message")
    return continues, opens or continues


def _logprobs(fields: Fields) -> int | None:
    if not fields.switch("logprobs", False):
        if fields.given.get("top_logprobs"):
            fields.refuse("top_logprobs", "needs logprobs: true")
        return None
    return read_logprobs_count(fields, "top_logprobs")


def _tool(fields: Fields) -> Mapping[str, Any]:
    if fields.text("type", "function") != "function":
        fields.refuse("type", 'must be "function", the only kind of tool here')
    function = fields.inner("function")
    if function is None:
        fields.refuse("function", "is missing")
    return read_function(function, "parameters")


def _tool_choice(fields: Fields, tools: tuple[Mapping[str, Any], ...]) -> tuple[str, str]:
    given = fields.given.get("tool_choice")
    if isinstance(given, dict):
        choice = fields.inner("tool_choice")
        assert choice is not None, "it is an object"
        function = choice.inner("function")
        if function is None:
            choice.refuse("function", 'is missing; it names the function, as in {"type": "function", ...}')
        return REQUIRED, read_chosen(function, tools)
    choice_text = fields.text("tool_choice", AUTO)
    if choice_text not in (AUTO, NONE, REQUIRED):
        fields.refuse("tool_choice", "must be auto, none, required, or name a function")
    if choice_text == REQUIRED and not tools:
        fields.refuse("tool_choice", "is required, but there are no tools")
    return choice_text, ""


def _template_values(fields: Fields, defaults: RequestDefaults) -> tuple[bool, Mapping[str, Any]]:
    given = fields.inner("chat_template_kwargs")
    if given is None:
        return defaults.is_thinking, {}
    taken = sorted(_TAKEN & given.given.keys())
    if taken:
        given.refuse(taken[0], "is the server's own")
    return given.switch("enable_thinking", defaults.is_thinking), given.given
