"""Replies from a loaded pair: messages become tokens, as many as the context holds, and tokens a reply."""

from collections.abc import Generator, Sequence
from contextlib import closing

from sparkdesk.chat import trimming
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
        begin = trimming.cut(messages, begin, context_tokens, count=lambda first: len(prompt_from(first).tokens))
        return begin, prompt_from(begin)
