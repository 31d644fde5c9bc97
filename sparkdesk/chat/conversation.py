"""A conversation with a loaded pair: what was said, and the one reply that may be in the making."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from sparkdesk.chat.engine import Engine
from sparkdesk.chat.events import ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.prompt import Spoken, loaded_model, make_prompt
from sparkdesk.chat.reply import Reply
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import ContextFull, EngineCrashed, EngineError, UsageError

STOPPED_REPLY_SECONDS = 30.0
"""A stopped reply ends after its round or prefill step: longer than this, and something hangs."""

_NOTES = {
    "end": "",
    "cancelled": "Stopped.",
    "length": "Cut at the most tokens asked for.",
    "context": "Cut because the context is full.",
}


class _Timeline:
    """What was said. `clear` puts a new one in its place, so a reply that is still ending writes into the old one."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.messages = list(messages)
        self.spoken: Spoken | None = None
        self.token_count = 0


class _Turn:
    """One reply in the making, as other threads see it."""

    def __init__(self, text: str, timeline: _Timeline, settings: ChatSettings) -> None:
        self.user = Message("user", text)
        self.timeline = timeline
        self.settings = settings
        self.is_stopped = False
        self.was_stop_sent = False


class Conversation:
    """One reply at a time; every method may be called from any thread.

    `settings` may be replaced at any time and hold from the next reply on; `set_speculation` holds at once.
    """

    def __init__(
        self, engine: Engine, *, settings: ChatSettings | None = None, messages: Sequence[Message] = ()
    ) -> None:
        self.settings = settings or ChatSettings()
        self._engine = engine
        self._timeline = _Timeline(messages)
        self._turn: _Turn | None = None
        self._changed = threading.Condition()

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(self._timeline.messages)

    @property
    def is_template_missing(self) -> bool:
        """The model brought no chat template: it continues the text as in raw mode, and the user should know."""
        return not loaded_model(self._engine).chat_template

    def token_count(self) -> int:
        """Tokens of the context in use after the latest reply, or by the one in the making. Asks nobody."""
        return self._timeline.token_count

    def reply(self, text: str) -> Iterator[ReplyEvent]:
        """Add the user's text and make a reply; ends with exactly one ReplyFinished or ReplyBroken.

        A turn of which nothing came is not kept, so the same text can be sent again. Closing the iterator early stops
        the reply and keeps what came. Raises UsageError for an empty text or while another reply is in the making, and
        ChatTemplateError.
        """
        if not text.strip():
            raise UsageError("There is nothing to send.", "Write a message first.")
        return self._reply(text)

    def stop(self) -> None:
        """End the reply in the making after its current round; its iterator still ends with ReplyFinished."""
        with self._changed:
            if self._turn is None:
                return
            self._turn.is_stopped = True
        self._engine.cancel()

    def set_speculation(self, is_enabled: bool, draft_length: int | None = None) -> None:
        """From the next round on, also in mid-reply: no reload and no prefill."""
        speculation = SpeculationSettings(is_enabled, draft_length)
        self.settings = replace(self.settings, speculation=speculation)
        self._engine.set_speculation(speculation)

    def clear(self) -> None:
        """Forget everything that was said."""
        self._timeline = _Timeline()

    def attach(self, engine: Engine) -> None:
        """Go on with another engine: a reload after a crash, or another model."""
        self._engine = engine
        self._timeline.spoken = None  # its tokens may mean something else there

    def _reply(self, text: str) -> Generator[ReplyEvent, None, None]:
        turn = self._begin(text)
        try:
            yield from self._make(turn)
        finally:
            with self._changed:
                self._turn = None
                self._changed.notify_all()

    def _begin(self, text: str) -> _Turn:
        """Wait for a stopped reply to end, but not for one that goes on."""
        with self._changed:
            if self._turn is not None and not self._turn.is_stopped:
                raise UsageError("A reply is still coming in.", "Stop it first, or wait for its end.")
            if not self._changed.wait_for(lambda: self._turn is None, STOPPED_REPLY_SECONDS):
                raise EngineError("The stopped reply does not end.", "Load the model again.")
            self._turn = _Turn(text, self._timeline, self.settings)
            return self._turn

    def _make(self, turn: _Turn) -> Generator[ReplyEvent, None, None]:
        reply = Reply(())
        try:
            history = (*turn.timeline.messages, turn.user)
            prompt = make_prompt(self._engine, history, settings=turn.settings, spoken=turn.timeline.spoken)
            reply = Reply(prompt.tokens)
            if turn.is_stopped:
                yield ReplyFinished("", (), "cancelled", ReplyStats())
                return
            yield from self._events(turn, reply, prompt)
        except EngineError as error:
            yield from reply.flush()
            if reply.tokens:
                self._keep(turn, reply, prompt, note=error.message, is_partial=True)
            yield self._broken(error, reply, turn)

    def _events(self, turn: _Turn, reply: Reply, prompt: Spoken) -> Generator[ReplyEvent, None, None]:
        is_kept = False
        try:
            with closing(reply.events(self._engine, turn.settings)) as events:
                for event in events:
                    turn.timeline.token_count = len(reply.prompt) + len(reply.tokens)
                    self._catch_up(turn)
                    if isinstance(event, ReplyFinished):
                        is_kept = True
                        self._keep_finished(turn, reply, prompt, stop_reason=event.stop_reason)
                    yield event
        except EngineError:
            raise
        except BaseException:  # closed early, or Ctrl+C
            if reply.tokens and not is_kept:
                list(reply.flush())
                self._keep(turn, reply, prompt, note=_NOTES["cancelled"], is_partial=True)
            raise

    def _catch_up(self, turn: _Turn) -> None:
        """Send again what another thread said before the engine had begun this reply, and so never heard."""
        if turn.is_stopped and not turn.was_stop_sent:
            turn.was_stop_sent = True
            self._engine.cancel()
        speculation = self.settings.speculation
        if speculation is not turn.settings.speculation:
            turn.settings = replace(turn.settings, speculation=speculation)
            self._engine.set_speculation(speculation)

    def _keep_finished(self, turn: _Turn, reply: Reply, prompt: Spoken, *, stop_reason: str) -> None:
        is_stopped = stop_reason == "cancelled"
        if reply.tokens or not is_stopped:
            note = _NOTES.get(stop_reason, stop_reason)
            self._keep(turn, reply, prompt, note=note, is_partial=is_stopped)

    def _keep(self, turn: _Turn, reply: Reply, prompt: Spoken, *, note: str, is_partial: bool) -> None:
        answer = Message("assistant", reply.text, is_partial=is_partial, stats=reply.stats, note=note)
        turn.timeline.messages += [turn.user, answer]
        turn.timeline.spoken = Spoken(prompt.text + reply.text, prompt.tokens + reply.tokens)

    def _broken(self, error: EngineError, reply: Reply, turn: _Turn) -> ReplyBroken:
        hint = error.hint
        if isinstance(error, ContextFull) and turn.timeline.messages:
            hint = "Clear the conversation, or load the model with a longer context (--ctx)."
        is_gone = isinstance(error, EngineCrashed) or self._engine.model is None
        return ReplyBroken(reply.text, error.message, hint, needs_reload=is_gone)
