"""Replies from a loaded pair: messages become tokens, as many as the context holds, and tokens a reply."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from sparkdesk.chat.engine import Engine
from sparkdesk.chat.events import ContextTrimmed
from sparkdesk.chat.messages import Message
from sparkdesk.chat.prompt import CachedPrompt, loaded_model, make_prompt
from sparkdesk.chat.reply import Reply
from sparkdesk.chat.responder import PromptEvent
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.errors import EngineError

_KEPT_SHARE = 0.75
"""Of the context, that a shortened conversation may take."""
_MOST_RESERVED = 1024
_LONG_TOKEN = 16
"""Characters; texts of longer tokens on average are rare, and only cost the time of counting them."""


def is_too_long(prompt_tokens: int, context_tokens: int) -> bool:
    """Whether there would be little room for an answer: less than an eighth of the context."""
    return prompt_tokens > context_tokens - min(_MOST_RESERVED, context_tokens // 8)


def cut(messages: Sequence[Message], begin: int, context_tokens: int, *, count: Callable[[int], int]) -> int:
    """How many messages to leave out, at least `begin`; `count` says the tokens of the prompt from a message on.

    The newest message of the user always stays; when it alone is too long, that is for the engine to say.
    """
    starts = [index for index, message in enumerate(messages) if message.role == "user" and index > begin]
    if not starts:
        return begin
    fitting, most = len(starts), _KEPT_SHARE * context_tokens
    is_likely_long = _characters(messages[begin:]) > _LONG_TOKEN * context_tokens
    if not is_likely_long and not is_too_long(count(begin), context_tokens):
        return begin
    # From the end, in growing steps: a conversation of years is never counted whole only to leave most of it out.
    low, step = len(starts) - 1, 1
    while low >= 0 and count(starts[low]) <= most:
        fitting, low, step = low, low - step, 2 * step
    low = max(-1, low)
    while fitting - low > 1:  # the fewest that make it fit: the more is left out, the shorter it is
        middle = (low + fitting) // 2
        if count(starts[middle]) <= most:
            fitting = middle
        else:
            low = middle
    if is_likely_long and fitting == 0 and not is_too_long(count(begin), context_tokens):
        return begin
    return starts[min(fitting, len(starts) - 1)]


def _characters(messages: Sequence[Message]) -> int:
    files = sum(len(file.text) for message in messages for file in message.attachments)
    return files + sum(len(message.content) for message in messages)


class LocalResponder:
    """A responder.Responder. Belongs to one conversation: it remembers the tokens that were read and written last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cached: CachedPrompt | None = None

    @property
    def model_name(self) -> str:
        return self._engine.model.name if self._engine.model is not None else ""

    @property
    def is_alive(self) -> bool:
        return self._engine.model is not None

    def answer(
        self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0, begun: str = ""
    ) -> Generator[PromptEvent, None, None]:
        left_out, prompt = self._fitting(messages, settings, begin=begin, begun=begun)
        if left_out:
            yield ContextTrimmed(left_out)
        reply = Reply(prompt.tokens, begun=begun, opened="" if begun else prompt.reply_prefix)
        try:
            with closing(reply.events(self._engine, settings)) as events:
                yield from events
        except EngineError:
            yield from reply.flush()
            raise
        finally:
            said, tokens = reply.text[len(prompt.reply_prefix) :], reply.whole_tokens
            model = self._engine.model if tokens is not None else None  # none where the engine was ended meanwhile
            self._cached = prompt.followed_by(said, tokens, model) if model and tokens is not None else None

    def count(self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0) -> Count:
        *before, last = messages
        left_out, prompt = self._fitting(messages, settings, begin=begin)
        empty = [*before[left_out:], Message(last.role, "")]
        without = make_prompt(self._engine, empty, settings=settings, cached=self._cached)
        text_tokens = max(0, len(prompt.tokens) - len(without.tokens))
        return Count(len(prompt.tokens), text_tokens, loaded_model(self._engine).context_tokens, left_out)

    def set_speculation(self, settings: SpeculationSettings) -> None:
        self._engine.set_speculation(settings)

    def cancel(self) -> None:
        self._engine.cancel()

    def abandon(self) -> None:
        self._engine.close()

    def _fitting(
        self, messages: Sequence[Message], settings: ChatSettings, *, begin: int, begun: str = ""
    ) -> tuple[int, CachedPrompt]:
        """How many messages to leave out, and the prompt without them."""
        prompts: dict[int, CachedPrompt] = {}

        def prompt_from(first: int) -> CachedPrompt:
            if first not in prompts:
                part = messages[first:]
                prompts[first] = make_prompt(self._engine, part, settings=settings, cached=self._cached, begun=begun)
            return prompts[first]

        context_tokens = loaded_model(self._engine).context_tokens
        begin = min(begin, len(messages) - 1)
        begin = cut(messages, begin, context_tokens, count=lambda first: len(prompt_from(first).tokens))
        return begin, prompt_from(begin)
