"""Reads the messages of a chat request into turns a template can say."""

import json
from collections.abc import Mapping
from typing import Any

from sparkdesk.server.requests.fields import Fields

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_TEXT_PARTS = {"text": "text", "refusal": "refusal"}
MOST_MESSAGES = 10_000


def read_messages(fields: Fields) -> tuple[Mapping[str, Any], ...]:
    """Raises ApiError."""
    given = fields.items("messages")
    if not given:
        fields.refuse("messages", "must have at least one message")
    if len(given) > MOST_MESSAGES:
        fields.refuse("messages", f"must have no more than {MOST_MESSAGES:,} messages")
    return tuple(_message(Fields(message, f"messages[{index}]")) for index, message in enumerate(given))


def _message(fields: Fields) -> Mapping[str, Any]:
    role = _ROLES.get(fields.needed_text("role"))
    if role is None:
        fields.refuse("role", "must be system, developer, user, assistant or tool")
    turn: dict[str, Any] = {"role": role, "content": _content(fields)}
    if role == "assistant":
        _add_what_it_did(fields, turn)
    elif role == "tool":
        turn["tool_call_id"] = fields.text("tool_call_id")
        if fields.has("name"):
            turn["name"] = fields.text("name")
    return turn


def _content(fields: Fields) -> str:
    given = fields.given.get("content")
    if given is None or isinstance(given, str):
        if given is None and not fields.has("tool_calls") and fields.given.get("role") != "assistant":
            fields.refuse("content", "is missing")
        return given or ""
    parts = fields.items("content")
    path = fields.path("content")
    return "".join(_text_part(Fields(part, f"{path}[{index}]")) for index, part in enumerate(parts))


def _text_part(fields: Fields) -> str:
    kind = fields.needed_text("type")
    name = _TEXT_PARTS.get(kind)
    if name is None:
        fields.refuse("type", f"is {kind[:40]!r}, but this server reads text only: no images, sound or files")
    return fields.text(name)


def _add_what_it_did(fields: Fields, turn: dict[str, Any]) -> None:
    thought = fields.text("reasoning_content")
    if thought:
        turn["reasoning_content"] = thought
    calls = fields.items("tool_calls")
    path = fields.path("tool_calls")
    if calls:
        turn["tool_calls"] = [_call(Fields(call, f"{path}[{index}]")) for index, call in enumerate(calls)]


def _call(fields: Fields) -> Mapping[str, Any]:
    function = fields.inner("function")
    if function is None:
        fields.refuse("function", "is missing")
    arguments = function.given.get("arguments")
    if isinstance(arguments, dict):  # some clients send back what they read out of the text
        arguments = json.dumps(arguments, ensure_ascii=False)
    elif arguments is None:
        arguments = "{}"
    elif not isinstance(arguments, str):
        function.refuse("arguments", "must be JSON in a string")
    said = {"name": function.needed_text("name"), "arguments": arguments or "{}"}
    return {"id": fields.text("id"), "type": "function", "function": said}
