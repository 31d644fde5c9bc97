"""A conversation: what was said, with every version of it, and the one reply that may be in the making."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from sparkdesk.chat.events import (
    UNHEARD_SECONDS,
    ContextTrimmed,
    PrefillAdvanced,
    ReplyAdvanced,
    ReplyBroken,
    ReplyEvent,
    ReplyFinished,
)
from sparkdesk.chat.history.kept import title_of
from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.responder import PromptEvent, Responder
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.chat.tree import MessageTree
from sparkdesk.chat.turn import Turn
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.errors import ContextFull, EngineClosed, EngineCrashed, EngineError, HistoryError, UsageError

STOPPED_REPLY_SECONDS = 30.0
"""A stopped reply ends after its round or prefill step: longer than this, and something hangs."""

SAVE_SECONDS = 1.0
"""While a reply comes in it is kept that often, so that the end of the program costs next to nothing of it."""

_UNFINISHED = "SparkDesk ended before the reply did."
_NOTES = {
    "end": "",
    "cancelled": "Stopped.",
    "length": "Reached the token limit.",
    "context": "Cut because the context is full.",
}


class Store(Protocol):
    """What keeps conversations; a history. Raises HistoryError where it cannot."""

    @property
    def not_kept(self) -> str:
        """Why nothing can be kept for now, though what was said is held until it can; empty where it is kept."""
        ...

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int | None:
        """Returns the key from now on; None for one in which nothing was said."""
        ...

    def own_title(self, key: int | None) -> str:
        """The title that the user gave it, if any. Takes no time."""
        ...


class Conversation:
    """One reply at a time; every method may be called from any thread.

    Settings hold from the next reply on; `set_speculation` holds at once.
    """

    def __init__(
        self,
        responder: Responder,
        *,
        settings: ChatSettings | None = None,
        messages: Sequence[Message] = (),
        tree: MessageTree | None = None,
        store: Store | None = None,
        key: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tree` and `key` are those of a conversation kept before; without `keeper` nothing is kept."""
        self.settings = settings or ChatSettings()
        self._responder = responder
        self._tree = tree or MessageTree()
        for message in messages:
            self._tree.add(message, self._tree.last)
        self._store, self._key = store, key
        self._not_kept = ""
        self._token_count = 0
        self._first_read: int | None = None
        """The first message that was still read for the last reply; None for the first there is."""
        self._clock = clock
        self._turn: Turn | None = None
        self._changed = threading.Condition()

    @property
    def key(self) -> int | None:
        return self._key

    @property
    def title(self) -> str:
        own = self._store.own_title(self._key) if self._store is not None else ""
        return own or title_of(self._tree)

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._tree.messages

    @property
    def left_out(self) -> int:
        """How many of the first messages are no longer read."""
        shown = self._tree.shown
        return shown.index(self._first_read) if self._first_read in shown else 0

    @property
    def not_kept(self) -> str:
        """Why the history could not take what was said last, as long as that holds; empty where it could."""
        return self._not_kept or (self._store.not_kept if self._store is not None else "")

    def token_count(self) -> int:
        """Tokens of the context in use after the latest reply, or by the one in the making. Asks nobody."""
        return self._token_count

    def count(self, text: str, attachments: Sequence[Attachment] = ()) -> Count:
        """What sending this would take. Raises EngineError and ChatTemplateError."""
        user = Message("user", text, attachments=tuple(attachments))
        return self._responder.count((*self.messages, user), self.settings, begin=self.left_out)

    def branch(self, index: int) -> Branch:
        return self._tree.branch(index)

    def switch_branch(self, index: int, step: int) -> None:
        """Show a neighbouring version of the message at `index`. Raises UsageError while a reply comes in."""
        with self._changed:
            self._refuse_while_replying()
            self._tree.switch(index, step)
        self._save()

    def reply(self, text: str, attachments: Sequence[Attachment] = ()) -> Iterator[ReplyEvent]:
        """Add the user's text and make a reply; ends with exactly one ReplyFinished or ReplyBroken.

        The text is kept from now on, also where the reply is stopped before its first word: `regenerate` answers it
        then. Only one that could not be read, such as one longer than the context, is taken back, or every later turn
        would fail as well. Closing the iterator early stops the reply and keeps what came. Raises UsageError for an
        empty text or while another reply is in the making, and ChatTemplateError.
        """
        user = Message("user", _worth_sending(text), attachments=tuple(attachments))
        return self._run(lambda: Turn.sending(self._tree, self.settings, user, parent=self._tree.last))

    def edit(self, index: int, text: str) -> Iterator[ReplyEvent]:
        """Another version of the user's message at `index`, and a reply to it."""
        number = self._tree.shown[index]
        before = self._tree.message(number)
        if before.role != "user":
            raise UsageError("Only what you wrote yourself can be edited.", "Regenerate a reply instead.")
        user, parent = replace(before, content=_worth_sending(text)), self._tree.parent(number)
        return self._run(lambda: Turn.sending(self._tree, self.settings, user, parent=parent))

    def regenerate(self) -> Iterator[ReplyEvent]:
        """Another reply to the last user's message."""
        asked = next((n for n in reversed(self._tree.shown) if self._tree.message(n).role == "user"), None)
        if asked is None:
            raise UsageError("There is no reply to make again.", "Write a message first.")
        return self._run(lambda: Turn(self._tree, self.settings, parent=asked))

    def go_on(self) -> Iterator[ReplyEvent]:
        """Go on with the last reply where it ended."""
        last = self._tree.last
        if last is None or self._tree.message(last).role != "assistant":
            raise UsageError("There is no reply to go on with.", "Write a message first.")
        return self._run(lambda: Turn.going_on(self._tree, self.settings, last))

    def stop(self) -> None:
        """End the reply in the making after its current round; its iterator still ends with ReplyFinished.

        Said again, when that has had no effect for a while, it ends whoever replies: an engine that hangs heeds nothing
        else. The iterator then ends with ReplyBroken.
        """
        with self._changed:
            if self._turn is None:
                return
            now_s, stopped_at_s = self._clock(), self._turn.stopped_at_s
            if stopped_at_s is None:
                self._turn.stopped_at_s = now_s
        if stopped_at_s is not None and now_s - stopped_at_s >= UNHEARD_SECONDS:
            self._responder.abandon()
        else:
            self._responder.cancel()

    def abandon(self) -> None:
        """End the reply in the making at once, and whoever replies with it."""
        with self._changed:
            if self._turn is None:
                return
            if self._turn.stopped_at_s is None:
                self._turn.stopped_at_s = self._clock()
        self._responder.abandon()

    def rest(self, timeout_seconds: float) -> None:
        """Stop the reply in the making, and wait until it is kept; not longer than that."""
        self.stop()
        with self._changed:
            self._changed.wait_for(lambda: self._turn is None, timeout_seconds)

    def set_settings(self, settings: ChatSettings) -> None:
        """From the next reply on; its speculation is not looked at."""
        self.settings = replace(settings, speculation=self.settings.speculation)
        if self._key is not None:
            self._save()

    def set_speculation(self, is_enabled: bool, draft_length: int | None = None) -> None:
        """From the next round on, also in mid-reply: no reload and no prefill."""
        speculation = SpeculationSettings(is_enabled, draft_length)
        self.settings = replace(self.settings, speculation=speculation)
        self._responder.set_speculation(speculation)

    def attach(self, responder: Responder) -> None:
        """Go on with another one: a reload after a crash, or another model."""
        self._responder = responder

    def _run(self, begin: Callable[[], Turn]) -> Generator[ReplyEvent, None, None]:
        turn = self._begin(begin)
        try:
            yield from self._make(turn)
        finally:
            with self._changed:
                self._turn = None
                self._changed.notify_all()

    def _begin(self, begin: Callable[[], Turn]) -> Turn:
        """Wait for a stopped reply to end, but not for one that goes on."""
        with self._changed:
            self._refuse_while_replying()
            if not self._changed.wait_for(lambda: self._turn is None, STOPPED_REPLY_SECONDS):
                raise EngineError("The stopped reply does not end.", "Load the model again.")
            self._turn = begin()
            return self._turn

    def _refuse_while_replying(self) -> None:
        if self._turn is not None and not self._turn.is_stopped:
            raise UsageError("A reply is still coming in.", "Stop it first, or wait for its end.")

    def _make(self, turn: Turn) -> Generator[ReplyEvent, None, None]:
        self._save()
        begin, self._first_read = self.left_out, None
        if begin:
            self._first_read = turn.path[begin]
        try:
            with closing(self._responder.answer(turn.messages, turn.settings, begin=begin, begun=turn.begun)) as events:
                yield from self._events(turn, events)
        except EngineError as error:
            # Whoever stops a reply, or leaves, is the cause; what the engine says of it is only how it came about.
            was_wanted = turn.is_stopped or isinstance(error, EngineClosed)
            is_readable = was_wanted or isinstance(error, EngineCrashed)
            self._keep_broken(turn, note=_NOTES["cancelled"] if was_wanted else error.message, is_readable=is_readable)
            yield _left(turn.text) if isinstance(error, EngineClosed) else self._broken(error, turn.text)
        except (GeneratorExit, KeyboardInterrupt):
            self._keep_broken(turn, note=_NOTES["cancelled"], is_readable=True)
            raise
        except BaseException:  # a template that fails, or an error of ours
            self._keep_broken(turn, note=_NOTES["cancelled"], is_readable=False)
            raise

    def _events(self, turn: Turn, events: Iterator[PromptEvent]) -> Generator[ReplyEvent, None, None]:
        saved_at = self._clock()
        for event in events:
            self._catch_up(turn)
            event = turn.counted(event)
            match event:
                case ContextTrimmed(left_out):
                    self._first_read = turn.path[left_out]
                case PrefillAdvanced(_, total) if total:
                    self._token_count = total
                case ReplyAdvanced():
                    turn.add(event)
                    self._token_count = event.stats.prompt_tokens + event.stats.generated
                    if turn.has_any and not self._not_kept and self._clock() - saved_at >= SAVE_SECONDS:
                        turn.keep_meanwhile(note=_UNFINISHED, model=self._responder.model_name)
                        self._save()
                        saved_at = self._clock()
                case ReplyFinished():
                    turn.finish(event)
                    self._keep_finished(turn, event.stop_reason)
            yield event

    def _catch_up(self, turn: Turn) -> None:
        """Send again what another thread said before the speaker had begun this reply, and so never heard."""
        if turn.is_stopped and not turn.was_stop_sent:
            turn.was_stop_sent = True
            self._responder.cancel()
        speculation = self.settings.speculation
        if speculation is not turn.settings.speculation:
            turn.settings = replace(turn.settings, speculation=speculation)
            self._responder.set_speculation(speculation)

    def _keep_finished(self, turn: Turn, stop_reason: str) -> None:
        note = _NOTES.get(stop_reason, stop_reason)
        if stop_reason == "cancelled":
            self._keep_broken(turn, note=note, is_readable=True)
        else:
            self._keep(turn, note=note, is_partial=False)
        turn.is_settled = True

    def _keep_broken(self, turn: Turn, *, note: str, is_readable: bool) -> None:
        """A reply that was broken off, if anything came of it and it is not kept yet. Where nothing came, what was
        asked is kept all the same if it can be read again."""
        if turn.is_settled:
            return
        if turn.has_any:
            self._keep(turn, note=note, is_partial=True)
        elif not is_readable and turn.take_back():
            self._save()

    def _keep(self, turn: Turn, *, note: str, is_partial: bool) -> None:
        turn.keep(note=note, is_partial=is_partial, model=self._responder.model_name)
        self._save()

    def _save(self) -> None:
        if self._store is None:
            return
        try:
            self._key = self._store.keep(self._key, self._tree, self.settings)
            self._not_kept = ""
        except HistoryError as error:  # a reply is worth more than its place in the history
            self._not_kept = str(error)

    def _broken(self, error: EngineError, text: str) -> ReplyBroken:
        hint = error.hint
        if isinstance(error, ContextFull) and self._tree.shown:
            hint = "Start a new conversation, or load the model with a longer context (--ctx)."
        is_gone = isinstance(error, EngineCrashed) or not self._responder.is_alive
        return ReplyBroken(text, error.message, hint, needs_reload=is_gone)


def _left(text: str) -> ReplyBroken:
    """Of an engine that was ended because somebody wanted that."""
    return ReplyBroken(text, "Stopped, and the engine was ended.", "Load the model again to go on.", needs_reload=True)


def _worth_sending(text: str) -> str:
    if not text.strip():
        raise UsageError("There is nothing to send.", "Write a message first.")
    return text
