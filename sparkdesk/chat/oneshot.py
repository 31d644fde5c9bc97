"""One question, one answer, no history: for scripts, pipes, benchmarks and the demo's evaluation."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sparkdesk.chat.engine import Engine
from sparkdesk.chat.events import ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.prompt import CachedPrompt, make_prompt
from sparkdesk.chat.reply import ProgressEvent, Reply
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.stats import ReplyStats


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply."""

    text: str
    tokens: tuple[int, ...]
    stop_reason: str
    """"end", "length", "context" or "cancelled"."""
    stats: ReplyStats
    prompt: tuple[int, ...]


def prompt_of(engine: Engine, prompt: str | Sequence[int], *, settings: ChatSettings) -> tuple[int, ...]:
    """Tokens as they are; text through the model's template, or as it stands in raw mode."""
    return _prompt(engine, prompt, settings).tokens


def stream_answer(
    engine: Engine, prompt: str | Sequence[int], *, settings: ChatSettings
) -> Generator[ProgressEvent | ReplyFinished, None, None]:
    """The answer as it comes, ReplyFinished last. Raises EngineError and ChatTemplateError."""
    made = _prompt(engine, prompt, settings)
    yield from Reply(made.tokens, opened=made.reply_prefix).events(engine, settings)


def answer(engine: Engine, prompt: str | Sequence[int], *, settings: ChatSettings) -> Answer:
    """The answer when it is whole."""
    made = _prompt(engine, prompt, settings)
    with closing(Reply(made.tokens, opened=made.reply_prefix).events(engine, settings)) as events:
        *_, last = events
    assert isinstance(last, ReplyFinished), "the engine ends every reply that does not fail"
    return Answer(last.text, last.tokens, last.stop_reason, last.stats, made.tokens)


def _prompt(engine: Engine, prompt: str | Sequence[int], settings: ChatSettings) -> CachedPrompt:
    if not isinstance(prompt, str):
        return CachedPrompt("", tuple(prompt))
    return make_prompt(engine, [Message("user", prompt)], settings=settings)
