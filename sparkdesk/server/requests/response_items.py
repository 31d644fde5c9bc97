"""Reads the input items of /v1/responses into turns a template can say.

Thoughts, text and calls of one reply are items of their own there; here they are one turn again.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.messages import MOST_MESSAGES

Turn = Mapping[str, Any]

_ROLES = {"user": "user", "system": "system", "developer": "system", "assistant": "assistant"}
_TEXTS = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}


def read_input(fields: Fields) -> tuple[Turn, ...]:
    """Raises ApiError."""
    given = fields.given.get("input")
    if isinstance(given, str) and given:
        return ({"role": "user", "content": given},)
    items = () if isinstance(given, str) else fields.items("input")
    if not items:
        fields.refuse("input", "must be a string that is not empty, or an array of at least one item")
    if len(items) > MOST_MESSAGES:
        fields.refuse("input", f"must have no more than {MOST_MESSAGES:,} items")
    turns = _Turns()
    for index, item in enumerate(items):
        turns.add(Fields(item, f"input[{index}]"))
    return tuple(turns.turns)


class _Turns:
    """Grows by one item after the other."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._reply: dict[str, Any] | None = None
        """The last turn, while it is the assistant's and more of it may come."""

    def add(self, item: Fields) -> None:
        match item.text("type", "message"):
            case "message":
                self._add_message(item)
            case "reasoning":
                thoughts = _text_of(item, "content") or _text_of(item, "summary")
                self._open(is_new=self._has("content") or self._has("tool_calls"))["reasoning_content"] = thoughts
            case "function_call":
                reply = self._open()
                reply.setdefault("tool_calls", []).append(_call(item))
            case "function_call_output":
                self._reply = None
                self.turns.append(
                    {
                        "role": "tool",
                        "content": _text_of(item, "output"),
                        "tool_call_id": item.needed_text("call_id"),
                    }
                )
            case "item_reference":
                item.refuse("type", "is item_reference, but items are not kept by themselves; send the item instead")
            case kind:
                _refuse_kind(item, kind, "tools of OpenAI's own")

    def _add_message(self, item: Fields) -> None:
        role = _ROLES.get(item.needed_text("role"))
        if role is None:
            item.refuse("role", "must be user, assistant, system or developer")
        if not item.has("content"):
            item.refuse("content", "is missing")
        text = _text_of(item, "content")
        if role == "assistant":
            self._open(is_new=self._has("content") or self._has("tool_calls"))["content"] = text
        else:
            self._reply = None
            self.turns.append({"role": role, "content": text})

    def _has(self, name: str) -> bool:
        return self._reply is not None and bool(self._reply.get(name))

    def _open(self, *, is_new: bool = False) -> dict[str, Any]:
        if self._reply is None or is_new:
            self._reply = {"role": "assistant", "content": ""}
            self.turns.append(self._reply)
        return self._reply


def _call(item: Fields) -> Turn:
    function = {"name": item.needed_text("name"), "arguments": item.text("arguments") or "{}"}
    return {"id": item.needed_text("call_id"), "type": "function", "function": function}


def _text_of(item: Fields, name: str) -> str:
    given = item.given.get(name)
    if isinstance(given, str):
        return given
    path = item.path(name)
    return "".join(_text(Fields(part, f"{path}[{index}]")) for index, part in enumerate(item.items(name)))


def _text(part: Fields) -> str:
    kind = part.needed_text("type")
    if kind not in _TEXTS:
        _refuse_kind(part, kind, "images, sound or files")
    return part.text(_TEXTS[kind])


def _refuse_kind(fields: Fields, kind: str, what: str) -> NoReturn:
    fields.refuse("type", f"is {kind[:40]!r}, but this server reads text and calls of functions only: no {what}")
