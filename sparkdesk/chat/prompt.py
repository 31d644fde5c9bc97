"""From messages to the tokens of a prompt, in a way that finds again what the KV cache already holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sparkdesk.chat.attachments import with_attachments
from sparkdesk.chat.engine import Engine
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat_format.chat_template import ChatTemplate
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import EngineError


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """Text the model has read and written, with the very tokens it was."""

    text: str
    tokens: tuple[int, ...]


def loaded_model(engine: Engine) -> ModelInfo:
    if engine.model is None:
        raise EngineError("No model is loaded.", "Load one first.")
    return engine.model


def make_prompt(
    engine: Engine,
    messages: Sequence[Message],
    *,
    settings: ChatSettings,
    spoken: CachedPrompt | None = None,
    begun: str = "",
) -> CachedPrompt:
    """What the model is to continue: its reply from the start, or from where it was `begun`.

    Raises ChatTemplateError or EngineError.
    """
    model = loaded_model(engine)
    text = _text(model, _in_turns([with_attachments(message) for message in messages]), settings) + begun
    opening = engine.tokenize("")  # what the vocabulary itself puts before every text
    if opening and model.bos_piece:
        text = text.removeprefix(model.bos_piece)  # else the model would begin twice
    return CachedPrompt(text, _tokens(engine, text, spoken=spoken, opening=opening))


def _in_turns(messages: Sequence[Message]) -> list[Message]:
    """Templates want the two sides to take turns; a message that never got its reply is read with the one after it."""
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role == "user":
            message = replace(message, content=f"{turns.pop().content}\n\n{message.content}")
        turns.append(message)
    return turns


def _text(model: ModelInfo, messages: Sequence[Message], settings: ChatSettings) -> str:
    """A model without a template continues the text as it stands, as in raw mode."""
    if settings.is_raw or not model.chat_template:
        return "".join(message.content for message in messages)
    if settings.system_prompt:
        messages = [Message("system", settings.system_prompt), *messages]
    return _template(model.chat_template, model.bos_piece, model.eos_piece).render(
        messages, is_thinking=settings.is_thinking
    )


@lru_cache(maxsize=4)  # a long template takes a tenth of a second to compile, too long for every turn
def _template(source: str, bos_piece: str, eos_piece: str) -> ChatTemplate:
    return ChatTemplate(source, bos_piece=bos_piece, eos_piece=eos_piece)


def _tokens(engine: Engine, text: str, *, spoken: CachedPrompt | None, opening: tuple[int, ...]) -> tuple[int, ...]:
    """Prefer the tokens that were really spoken: a model may write a word in other pieces than a tokenizer cuts it.

    Only where what follows is cut the same on its own as within the whole text, so that nothing changes at the seam.
    """
    if spoken is not None and text == spoken.text:  # it goes on where it was
        return spoken.tokens
    whole = engine.tokenize(text)
    if spoken is None or not text.startswith(spoken.text) or whole[: len(spoken.tokens)] == spoken.tokens:
        return whole
    rest = engine.tokenize(text[len(spoken.text) :])[len(opening) :]
    return spoken.tokens + rest if rest and whole[-len(rest) :] == rest else whole
