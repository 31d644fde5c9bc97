"""How the loaded model writes thoughts and calls, and wants to be told of tools: its chat template gives it away."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkdesk.chat_format.reasoning import CHANNEL_TAGS, THINK_TAGS, ReasoningTags
from sparkdesk.chat_format.tool_calls.gemma4 import Gemma4Format
from sparkdesk.chat_format.tool_calls.gemma4_tools import with_single_types
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat
from sparkdesk.chat_format.tool_calls.protocol import ToolCallFormat

Turn = Mapping[str, Any]

_SAYS_TOOL_ROLE = re.compile(r"role['\"]?[\])]*\s*==\s*['\"]tool['\"]")


@dataclass(frozen=True, slots=True)
class ChatFormat:
    reasoning_tags: ReasoningTags
    """Those the model writes; which ones a reply has, its text says."""
    call_format: ToolCallFormat | None
    """None where the template has no place for tools."""
    is_gemma: bool
    writes_control: bool
    """It writes the tags of reasoning and calls with control tokens, which must be spelled out to be seen."""
    has_tool_role: bool
    """Else results of calls belong to the message that made them."""
    takes_text_arguments: bool
    """Arguments of earlier calls may go back as the very text that was written."""

    def turns(self, messages: Sequence[Turn]) -> list[Turn]:
        """Messages in OpenAI's form, as this template wants them."""
        turns = [self._with_arguments(message) for message in messages]
        return turns if self.has_tool_role else _with_results_folded(turns)

    def tools(self, tools: Sequence[Turn]) -> list[Turn]:
        """The functions, as this template wants them."""
        return [_single_typed_tool(tool) for tool in tools] if self.is_gemma else list(tools)

    def _with_arguments(self, message: Turn) -> Turn:
        if not message.get("tool_calls") or self.takes_text_arguments:
            return message
        return {**message, "tool_calls": [_read_arguments(call) for call in message["tool_calls"]]}


def detect_chat_format(template: str | None) -> ChatFormat:
    source = template or ""
    is_gemma = "<|tool_call>" in source
    form: ToolCallFormat | None = None
    if is_gemma:
        form = Gemma4Format()
    elif re.search(r"\btools\b", source):
        form = HermesFormat()
    return ChatFormat(
        reasoning_tags=CHANNEL_TAGS if "<|channel>" in source else THINK_TAGS,
        call_format=form,
        is_gemma=is_gemma,
        writes_control=is_gemma or "<|channel>" in source,
        has_tool_role=not is_gemma or bool(_SAYS_TOOL_ROLE.search(source)),
        takes_text_arguments=not is_gemma and "arguments is string" in source,
    )


def _single_typed_tool(tool: Turn) -> Turn:
    function = tool["function"]
    if "parameters" not in function:
        return tool
    return {**tool, "function": {**function, "parameters": with_single_types(function["parameters"])}}


def _read_arguments(call: Turn) -> Turn:
    function = call["function"]
    return {**call, "function": {**function, "arguments": _object_or_text(function["arguments"])}}


def _object_or_text(text: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _with_results_folded(turns: Sequence[Turn]) -> list[Turn]:
    folded: list[Turn] = []
    for turn in turns:
        last = folded[-1] if folded else None
        if turn["role"] == "tool" and last is not None and last["role"] == "assistant":
            result = {"name": _called(last, turn), "response": _object_or_text(turn["content"])}
            folded[-1] = {**last, "tool_responses": [*last.get("tool_responses", ()), result]}
        else:
            folded.append(turn)
    return folded


def _called(assistant: Turn, result: Turn) -> str:
    """The name of the function whose result it is."""
    calls = assistant.get("tool_calls", ())
    names = {call["id"]: call["function"]["name"] for call in calls}
    return str(names.get(result.get("tool_call_id")) or result.get("name") or "unknown")
