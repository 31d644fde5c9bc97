"""From a conversation to the text of a prompt: the model's template around it, what was typed kept apart from it.

Control tokens that a user typed, or that stand in a document, a tool's result or an earlier answer, are marked as text
(engine/special_text.py). A reply that is gone on with follows what opens a reply, to the letter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sparkdesk.chat_format.chat_format import detect_chat_format
from sparkdesk.chat_format.chat_template import ChatTemplate, ChatTemplateError
from sparkdesk.chat_format.reasoning import ALL_TAGS, ReasoningTags, opening_tags
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.special_text import PieceFinder, as_text

_REPLY = "\ufdd1"
"""Stands for a reply where the template's own end of it is looked for."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    text: str
    reply_prefix: str = ""
    """What of the reply the text holds already: that which is gone on with, or an opening tag of reasoning."""


def render_prompt(
    model: ModelInfo,
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    values: Mapping[str, Any] | None = None,
    opens_reply: bool = True,
    begun: str = "",
) -> RenderedPrompt:
    """`begun` is a reply to go on with. A model without a template continues the text as it stands.

    Raises ChatTemplateError.
    """
    control = piece_finder(model.control_pieces)
    if not model.chat_template:
        text = "".join(as_text(str(message["content"]), control) for message in messages)
        return RenderedPrompt(text + reply_as_text(begun, control), begun)
    chat_format = detect_chat_format(model.chat_template)
    text = _template(model).render(
        [_message_as_text(message, control) for message in chat_format.turns(messages)],
        tools=[_as_text(tool, control) for tool in chat_format.tools(tools)],
        values=_as_text(values or {}, control),
        opens_reply=opens_reply,
    )
    return _with_reply(text, begun, control) if opens_reply else RenderedPrompt(text)


def turn_end_tokens(model: ModelInfo, tokenize: Callable[[str], tuple[int, ...]]) -> frozenset[int]:
    """The token that the template writes behind a reply; none where that is no token of its own."""
    end = turn_end(model)
    tokens = tokenize(end)[len(tokenize("")) :] if end else ()
    return frozenset(tokens) if len(tokens) == 1 else frozenset()


def turn_end(model: ModelInfo) -> str:
    """The control token that the template writes behind a reply; empty where there is none.

    Files are known whose end of text is not the end of a turn, and which do not name the latter.
    """
    if not model.chat_template or not model.control_pieces:
        return ""
    return _turn_end(_template(model), model.control_pieces)


def reply_as_text(reply: str, control: PieceFinder) -> str:
    """A reply as it stands in a prompt: the tags around its reasoning are control, the rest is text."""
    tags = opening_tags(reply)
    if tags is None:
        return as_text(reply, control)
    before, opening, rest = reply.partition(tags.opening)
    reasoning, closing, answer = rest.partition(tags.closing)
    return before + opening + as_text(reasoning, control) + closing + as_text(answer, control)


@lru_cache(maxsize=4)
def piece_finder(pieces: tuple[str, ...]) -> PieceFinder:
    return PieceFinder(pieces)


def _template(model: ModelInfo) -> ChatTemplate:
    return _cached_template(model.chat_template or "", model.name, model.bos_piece, model.eos_piece)


@lru_cache(maxsize=4)
def _cached_template(source: str, name: str, bos_piece: str, eos_piece: str) -> ChatTemplate:
    return ChatTemplate(source, model=name, bos_piece=bos_piece, eos_piece=eos_piece)


@lru_cache(maxsize=4)
def _turn_end(template: ChatTemplate, control_pieces: tuple[str, ...]) -> str:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _REPLY}]
    try:
        text = template.render(messages, opens_reply=False)
    except ChatTemplateError:
        return ""
    after = text.partition(_REPLY)[2].lstrip()
    begin, end = next(piece_finder(control_pieces).find(after), (1, 1))
    return after[:end] if begin == 0 else ""


def _message_as_text(message: Mapping[str, Any], control: PieceFinder) -> dict[str, Any]:
    marked: dict[str, Any] = _as_text(message, control)
    if message.get("role") == "assistant" and isinstance(message.get("content"), str):
        marked["content"] = reply_as_text(message["content"], control)
    return marked


def _as_text(value: Any, control: PieceFinder) -> Any:
    """The same with every string in it marked."""
    match value:
        case str():
            return as_text(value, control)
        case Mapping():
            return {_as_text(key, control): _as_text(inner, control) for key, inner in value.items()}
        case list() | tuple():
            return [_as_text(each, control) for each in value]
        case _:
            return value


def _with_reply(text: str, begun: str, control: PieceFinder) -> RenderedPrompt:
    opened, tags = _opened_reasoning(text)
    if not begun:
        return RenderedPrompt(text, opened)
    if tags is not None:
        text = text[: len(text) - len(opened)]
        if opening_tags(begun) is None:  # it answers already
            text += tags.wrapped("")
    return RenderedPrompt(text + reply_as_text(begun, control), begun)


def _opened_reasoning(text: str) -> tuple[str, ReasoningTags | None]:
    """The opening tag that the text ends with, and the white space behind it."""
    end = len(text.rstrip())
    tags = next((tags for tags in ALL_TAGS if text.endswith(tags.opening, 0, end)), None)
    return (text[end - len(tags.opening) :], tags) if tags is not None else ("", None)
