"""From messages to the tokens of a prompt, in a way that finds again what the KV cache already holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.chat.engine import Engine
from sparkdesk.chat.messages import Message, in_turns, with_attachments
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat_format.prompt import RenderedPrompt, piece_finder, render_prompt, reply_as_text
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import EngineError


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """Text the model has read and written, with the very tokens it was."""

    text: str
    """Typed control tokens are marked in it (engine/special_text.py)."""
    tokens: tuple[int, ...]
    reply_prefix: str = ""
    """What of the reply the text holds already."""

    def followed_by(self, said: str, tokens: tuple[int, ...], model: ModelInfo) -> "CachedPrompt":
        """With the rest of the reply that the model has written."""
        control = piece_finder(model.control_pieces)
        before = reply_as_text(self.reply_prefix, control)
        reply = reply_as_text(self.reply_prefix + said, control)
        return CachedPrompt(self.text[: len(self.text) - len(before)] + reply, self.tokens + tokens)


def loaded_model(engine: Engine) -> ModelInfo:
    if engine.model is None:
        raise EngineError("No model is loaded.", "Load one first.")
    return engine.model


def make_prompt(
    engine: Engine,
    messages: Sequence[Message],
    *,
    settings: ChatSettings,
    cached: CachedPrompt | None = None,
    begun: str = "",
) -> CachedPrompt:
    """What the model is to continue: its reply from the start, or from where it was `begun`.

    Raises ChatTemplateError or EngineError.
    """
    model = loaded_model(engine)
    rendered = _rendered(model, in_turns([with_attachments(message) for message in messages]), settings, begun)
    text = rendered.text
    opening = engine.tokenize("")  # what the vocabulary itself puts before every text
    if opening and model.bos_piece:
        text = text.removeprefix(model.bos_piece)  # else the model would begin twice
    return CachedPrompt(text, _tokens(engine, text, cached=cached, opening=opening), rendered.reply_prefix)


def _rendered(model: ModelInfo, messages: Sequence[Message], settings: ChatSettings, begun: str) -> RenderedPrompt:
    """In raw mode the text as it stands, control tokens included; a model without a template has no system prompt."""
    if settings.is_raw:
        return RenderedPrompt("".join(message.content for message in messages) + begun, begun)
    if settings.system_prompt and model.chat_template:
        messages = [Message("system", settings.system_prompt), *messages]
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return render_prompt(model, turns, values={"enable_thinking": settings.is_thinking}, begun=begun)


def _tokens(engine: Engine, text: str, *, cached: CachedPrompt | None, opening: tuple[int, ...]) -> tuple[int, ...]:
    """Prefer the tokens that were read and written: a model may write a word in other pieces than a tokenizer cuts.

    Only where what follows is cut the same on its own as within the whole text, so that nothing changes at the seam.
    """
    if cached is not None and text == cached.text:  # it goes on where it was
        return cached.tokens
    whole = engine.tokenize(text)
    if cached is None or not text.startswith(cached.text) or whole[: len(cached.tokens)] == cached.tokens:
        return whole
    rest = engine.tokenize(text[len(cached.text) :])[len(opening) :]
    return cached.tokens + rest if rest and whole[-len(rest) :] == rest else whole
