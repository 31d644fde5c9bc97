"""Reads the system prompt and the messages of Anthropic's API, block by block, into turns a template can say."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.messages import MOST_MESSAGES

Turn = Mapping[str, Any]

_BETWEEN_BLOCKS = "\n\n"
_BILLING = "x-anthropic-billing-header:"
"""Claude Code's bookkeeping: no prompt, and another one each time, so that no cache would ever be of use."""


def read_turns(fields: Fields) -> tuple[Turn, ...]:
    """Raises ApiError."""
    given = fields.items("messages")
    if not given:
        fields.refuse("messages", "must have at least one message")
    if len(given) > MOST_MESSAGES:
        fields.refuse("messages", f"must have no more than {MOST_MESSAGES:,} messages")
    turns: list[Turn] = []
    if fields.has("system"):
        turns += _system(_text_of(fields, "system", without=_BILLING))
    for index, message in enumerate(given):
        turns += _message(Fields(message, f"messages[{index}]"))
    if not turns:
        fields.refuse("messages", "must have at least one message that says something")
    return tuple(turns)


def _message(fields: Fields) -> Iterator[Turn]:
    role = fields.needed_text("role")
    if not fields.has("content"):
        fields.refuse("content", "is missing")
    if role == "assistant":
        yield _assistant(fields)
    elif role == "user":
        yield from _user(fields)
    elif role == "system":
        yield from _system(_text_of(fields, "content"))
    else:
        fields.refuse("role", "must be user, assistant or system")


def _system(text: str) -> Iterator[Turn]:
    if text:
        yield {"role": "system", "content": text}


def _user(fields: Fields) -> Iterator[Turn]:
    """Results of tools are turns of their own."""
    texts: list[str] = []
    has_results = False
    for block in _blocks(fields, "content"):
        if block.given.get("type") == "tool_result":
            if texts:
                yield _said(texts)
            texts, has_results = [], True
            yield _result(block)
        else:
            texts.append(_text(block))
    if texts or not has_results:
        yield _said(texts)


def _said(texts: list[str]) -> Turn:
    return {"role": "user", "content": _BETWEEN_BLOCKS.join(texts)}


def _result(block: Fields) -> Turn:
    text = _text_of(block, "content") if block.has("content") else ""
    if block.switch("is_error", False):
        text = f"Error: {text}"
    return {"role": "tool", "content": text, "tool_call_id": block.needed_text("tool_use_id")}


def _assistant(fields: Fields) -> Turn:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Turn] = []
    for block in _blocks(fields, "content"):
        match block.needed_text("type"):
            case "thinking":
                thoughts.append(block.text("thinking"))
            case "redacted_thinking":
                pass  # nobody here can read it
            case "tool_use":
                calls.append(_call(block))
            case _:
                texts.append(_text(block))
    turn: dict[str, Any] = {"role": "assistant", "content": _BETWEEN_BLOCKS.join(texts)}
    if any(thoughts):
        turn["reasoning_content"] = _BETWEEN_BLOCKS.join(thoughts)
    if calls:
        turn["tool_calls"] = calls
    return turn


def _call(block: Fields) -> Turn:
    given = block.inner("input")
    arguments = json.dumps(given.given if given is not None else {}, ensure_ascii=False)
    function = {"name": block.needed_text("name"), "arguments": arguments}
    return {"id": block.needed_text("id"), "type": "function", "function": function}


def _text_of(fields: Fields, name: str, *, without: str | None = None) -> str:
    texts = (_text(block) for block in _blocks(fields, name))
    return _BETWEEN_BLOCKS.join(text for text in texts if without is None or not text.startswith(without))


def _blocks(fields: Fields, name: str) -> Iterator[Fields]:
    given = fields.given.get(name)
    if isinstance(given, str):
        yield Fields({"type": "text", "text": given}, fields.path(name))
        return
    for index, block in enumerate(fields.items(name)):
        yield Fields(block, f"{fields.path(name)}[{index}]")


def _text(block: Fields) -> str:
    kind = block.needed_text("type")
    source = block.inner("source")
    if kind == "document" and source is not None and source.given.get("type") == "text":
        return source.text("data")
    if kind != "text":
        block.refuse("type", f"is {kind[:40]!r}, but this server reads text only: no images and no files")
    return block.text("text")
