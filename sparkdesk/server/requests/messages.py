"""The messages of a chat request, and the turns that a template can say of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from sparkdesk.server.requests.decoding import MUST, UNKNOWN_TYPE

MOST_MESSAGES = 10_000
TEXT_ONLY = Meta(extra={UNKNOWN_TYPE: "this server reads text only: no images, sound or files"})
Turn = Mapping[str, Any]


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    text: str | None = None


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    refusal: str | None = None


Content = str | list[Annotated[TextPart | RefusalPart, TEXT_ONLY]]


class CalledFunction(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1)]
    arguments: Annotated[str | dict[str, Any], Meta(extra={MUST: "be JSON in a string"})] | None = None
    """Some clients send back what they read out of the text."""


class ToolCall(Struct, frozen=True):
    function: CalledFunction
    id: str | None = None


class SystemMessage(Struct, frozen=True, tag_field="role", tag="system"):
    content: Content


class DeveloperMessage(Struct, frozen=True, tag_field="role", tag="developer"):
    """OpenAI's newer name of a system message."""

    content: Content


class UserMessage(Struct, frozen=True, tag_field="role", tag="user"):
    content: Content


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant"):
    content: Content | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool"):
    content: Content
    tool_call_id: str | None = None
    name: str | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage
Messages = Annotated[list[Message], Meta(min_length=1, max_length=MOST_MESSAGES)]


def turns_of(messages: Sequence[Message]) -> tuple[Turn, ...]:
    return tuple(_turn(message) for message in messages)


def _turn(message: Message) -> Turn:
    content = _text(message.content)
    match message:
        case UserMessage():
            return {"role": "user", "content": content}
        case AssistantMessage():
            return {"role": "assistant", "content": content, **_what_it_did(message)}
        case ToolMessage(tool_call_id=call, name=name):
            turn = {"role": "tool", "content": content, "tool_call_id": call or ""}
            return turn if name is None else {**turn, "name": name}
        case _:
            return {"role": "system", "content": content}


def _text(content: Content | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join((part.text if isinstance(part, TextPart) else part.refusal) or "" for part in content)


def _what_it_did(message: AssistantMessage) -> dict[str, Any]:
    did: dict[str, Any] = {}
    if message.reasoning_content:
        did["reasoning_content"] = message.reasoning_content
    if message.tool_calls:
        did["tool_calls"] = [_call(call) for call in message.tool_calls]
    return did


def _call(call: ToolCall) -> Turn:
    arguments = call.function.arguments
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, ensure_ascii=False)
    said = {"name": call.function.name, "arguments": arguments or "{}"}
    return {"id": call.id or "", "type": "function", "function": said}
