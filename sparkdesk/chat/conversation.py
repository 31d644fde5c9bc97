"""A conversation with a loaded pair: what was said, and the one reply that may be in the making."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from sparkdesk.chat import trimming
from sparkdesk.chat.engine import Engine
from sparkdesk.chat.events import ContextTrimmed, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.history.kept import title_of
from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.prompt import Spoken, loaded_model, make_prompt
from sparkdesk.chat.reply import Reply
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.chat.trace import Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import ContextFull, EngineCrashed, EngineError, HistoryError, UsageError

STOPPED_REPLY_SECONDS = 30.0
"""A stopped reply ends after its round or prefill step: longer than this, and something hangs."""

SAVE_SECONDS = 1.0
"""While a reply comes in it is kept that often, so that the end of the program costs next to nothing of it."""

_UNFINISHED = "SparkDesk ended before the reply did."
_NOTES = {
    "end": "",
    "cancelled": "Stopped.",
    "length": "Cut at the most tokens asked for.",
    "context": "Cut because the context is full.",
}


class Keeper(Protocol):
    """What keeps conversations; a history. Raises HistoryError where it cannot."""

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int: ...


class _Turn:
    """One reply in the making, as other threads see it."""

    def __init__(self, parent: int | None, settings: ChatSettings) -> None:
        self.parent = parent
        """The message that is answered, or before the one that is sent."""
        self.settings = settings
        self.user: Message | None = None
        """Sent with this reply, and kept once something came of it."""
        self.grows: int | None = None
        """The reply that is gone on with."""
        self.asked: int | None = None
        """The user's message, once it stands in the tree."""
        self.answer: int | None = None
        """The reply, once it does."""
        self.before: Message | None = None
        """What stood in the place of a reply that is gone on with."""
        self.saved_at = 0.0
        self.is_stopped = False
        self.was_stop_sent = False


class Conversation:
    """One reply at a time; every method may be called from any thread.

    Settings hold from the next reply on; `set_speculation` holds at once.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        settings: ChatSettings | None = None,
        messages: Sequence[Message] = (),
        tree: MessageTree | None = None,
        keeper: Keeper | None = None,
        key: int | None = None,
        title: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tree`, `key` and `title` are those of a conversation kept before; without `keeper` nothing is kept."""
        self.settings = settings or ChatSettings()
        self._engine = engine
        self._tree = tree or MessageTree()
        for message in messages:
            self._tree.add(message, self._tree.last)
        self._keeper, self._key, self._title = keeper, key, title
        self._spoken: Spoken | None = None
        self._token_count = 0
        self._first_read: int | None = None
        """The first message that the model still read in the last reply."""
        self._not_kept = ""
        self._clock = clock
        self._turn: _Turn | None = None
        self._changed = threading.Condition()

    @property
    def key(self) -> int | None:
        return self._key

    @property
    def title(self) -> str:
        return self._title or title_of(self._tree)

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._tree.messages

    @property
    def left_out(self) -> int:
        """How many of the first messages the model no longer reads."""
        shown = self._tree.shown
        return shown.index(self._first_read) if self._first_read in shown else 0

    @property
    def not_kept(self) -> str:
        """Why the history could not take what was said last; empty where it could."""
        return self._not_kept

    @property
    def is_template_missing(self) -> bool:
        """The model brought no chat template: it continues the text as in raw mode, and the user should know."""
        return not loaded_model(self._engine).chat_template

    def token_count(self) -> int:
        """Tokens of the context in use after the latest reply, or by the one in the making. Asks nobody."""
        return self._token_count

    def count(self, text: str, attachments: Sequence[Attachment] = ()) -> Count:
        """What sending this would take. Raises EngineError and ChatTemplateError."""
        context_tokens = loaded_model(self._engine).context_tokens
        user = Message("user", text, attachments=tuple(attachments))
        begin, prompt = self._fitting((*self.messages, user), self.settings)
        _, without = self._fitting((*self.messages, Message("user", "")), self.settings)
        return Count(len(prompt.tokens), max(0, len(prompt.tokens) - len(without.tokens)), context_tokens, begin)

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

        A turn of which nothing came is not kept, so the same text can be sent again. Closing the iterator early stops
        the reply and keeps what came. Raises UsageError for an empty text or while another reply is in the making, and
        ChatTemplateError.
        """
        return self._answer_to(Message("user", _worth_sending(text), attachments=tuple(attachments)), None)

    def edit(self, index: int, text: str) -> Iterator[ReplyEvent]:
        """Another version of the user's message at `index`, and a reply to it."""
        number = self._tree.shown[index]
        before = self._tree.message(number)
        if before.role != "user":
            raise UsageError("Only what you wrote yourself can be edited.", "Regenerate a reply instead.")
        return self._answer_to(replace(before, content=_worth_sending(text)), number)

    def regenerate(self) -> Iterator[ReplyEvent]:
        """Another reply to the last user's message."""
        asked = next((n for n in reversed(self._tree.shown) if self._tree.message(n).role == "user"), None)
        if asked is None:
            raise UsageError("There is no reply to make again.", "Write a message first.")
        return self._run(lambda: _Turn(asked, self.settings))

    def go_on(self) -> Iterator[ReplyEvent]:
        """Go on with the last reply where it ended."""
        last = self._tree.last
        if last is None or self._tree.message(last).role != "assistant":
            raise UsageError("There is no reply to go on with.", "Write a message first.")

        def turn() -> _Turn:
            made = _Turn(self._tree.parent(last), self.settings)
            made.grows = last
            return made

        return self._run(turn)

    def stop(self) -> None:
        """End the reply in the making after its current round; its iterator still ends with ReplyFinished."""
        with self._changed:
            if self._turn is None:
                return
            self._turn.is_stopped = True
        self._engine.cancel()

    def set_settings(self, settings: ChatSettings) -> None:
        """From the next reply on; its speculation is not looked at."""
        self.settings = replace(settings, speculation=self.settings.speculation)
        if self._key is not None:
            self._save()

    def set_speculation(self, is_enabled: bool, draft_length: int | None = None) -> None:
        """From the next round on, also in mid-reply: no reload and no prefill."""
        speculation = SpeculationSettings(is_enabled, draft_length)
        self.settings = replace(self.settings, speculation=speculation)
        self._engine.set_speculation(speculation)

    def attach(self, engine: Engine) -> None:
        """Go on with another engine: a reload after a crash, or another model."""
        self._engine = engine
        self._spoken = None  # its tokens may mean something else there

    def _answer_to(self, user: Message, instead_of: int | None) -> Iterator[ReplyEvent]:
        def turn() -> _Turn:
            made = _Turn(self._tree.last if instead_of is None else self._tree.parent(instead_of), self.settings)
            made.user = user
            return made

        return self._run(turn)

    def _run(self, make_turn: Callable[[], _Turn]) -> Generator[ReplyEvent, None, None]:
        turn = self._begin(make_turn)
        try:
            yield from self._make(turn)
        finally:
            with self._changed:
                self._turn = None
                self._changed.notify_all()

    def _begin(self, make_turn: Callable[[], _Turn]) -> _Turn:
        """Wait for a stopped reply to end, but not for one that goes on."""
        with self._changed:
            self._refuse_while_replying()
            if not self._changed.wait_for(lambda: self._turn is None, STOPPED_REPLY_SECONDS):
                raise EngineError("The stopped reply does not end.", "Load the model again.")
            self._turn = make_turn()
            return self._turn

    def _refuse_while_replying(self) -> None:
        if self._turn is not None and not self._turn.is_stopped:
            raise UsageError("A reply is still coming in.", "Stop it first, or wait for its end.")

    def _make(self, turn: _Turn) -> Generator[ReplyEvent, None, None]:
        reply = Reply(())
        try:
            prompt, trimmed = self._prepare(turn)
            reply = Reply(prompt.tokens, begun=turn.before.content if turn.before is not None else "")
            if trimmed is not None:
                yield trimmed
            if turn.is_stopped:
                self._take_back(turn)
                yield ReplyFinished(reply.text, (), "cancelled", ReplyStats())
                return
            yield from self._events(turn, reply, prompt)
        except EngineError as error:
            yield from reply.flush()
            self._keep_or_take_back(turn, reply, prompt if reply.tokens else None, note=error.message)
            yield self._broken(error, reply)

    def _prepare(self, turn: _Turn) -> tuple[Spoken, ContextTrimmed | None]:
        """The prompt; what the user sent stands in the tree from then on, and in the history."""
        history, before = self._tree.line_to(turn.parent), self._tree.path_to(turn.parent)
        if turn.user is not None:
            history = (*history, turn.user)
        if turn.grows is not None:
            turn.before, turn.answer = self._tree.message(turn.grows), turn.grows
        begun = turn.before.content if turn.before is not None else ""
        begin, prompt = self._fitting(history, turn.settings, begun=begun)
        turn.asked = turn.parent if turn.user is None else self._tree.add(turn.user, turn.parent)
        if turn.user is not None:
            self._save()
        path = (*before, turn.asked)
        self._first_read = path[begin] if begin else None
        return prompt, ContextTrimmed(begin) if begin else None

    def _fitting(self, messages: Sequence[Message], settings: ChatSettings, *, begun: str = "") -> tuple[int, Spoken]:
        """How many messages to leave out, and the prompt without them."""
        prompts: dict[int, Spoken] = {}

        def prompt_from(begin: int) -> Spoken:
            if begin not in prompts:
                part = messages[begin:]
                prompts[begin] = make_prompt(self._engine, part, settings=settings, spoken=self._spoken, begun=begun)
            return prompts[begin]

        context_tokens = loaded_model(self._engine).context_tokens
        begin = min(self.left_out, len(messages) - 1)
        begin = trimming.cut(messages, begin, context_tokens, count=lambda begin: len(prompt_from(begin).tokens))
        return begin, prompt_from(begin)

    def _events(self, turn: _Turn, reply: Reply, prompt: Spoken) -> Generator[ReplyEvent, None, None]:
        is_kept = False
        try:
            with closing(reply.events(self._engine, turn.settings)) as events:
                for event in events:
                    self._token_count = len(reply.prompt) + len(reply.tokens)
                    self._catch_up(turn)
                    if isinstance(event, ReplyFinished):
                        is_kept = True
                        self._keep_finished(turn, reply, prompt, stop_reason=event.stop_reason)
                    elif reply.tokens and self._clock() - turn.saved_at >= SAVE_SECONDS:
                        self._keep(turn, reply, note=_UNFINISHED, is_partial=True)
                    yield event
        except EngineError:
            raise
        except BaseException:  # closed early, or Ctrl+C
            if not is_kept:
                list(reply.flush())
                self._keep_or_take_back(turn, reply, prompt, note=_NOTES["cancelled"])
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
        if is_stopped:
            self._keep_or_take_back(turn, reply, prompt, note=_NOTES["cancelled"])
        else:
            self._remember_spoken(reply, prompt)
            self._keep(turn, reply, note=_NOTES.get(stop_reason, stop_reason), is_partial=False)

    def _keep_or_take_back(self, turn: _Turn, reply: Reply, prompt: Spoken | None, *, note: str) -> None:
        """A reply that was broken off, if anything came of it."""
        if reply.tokens and prompt is not None:
            self._remember_spoken(reply, prompt)
            self._keep(turn, reply, note=note, is_partial=True)
        else:
            self._take_back(turn)

    def _remember_spoken(self, reply: Reply, prompt: Spoken) -> None:
        said = reply.text[len(reply.begun) :]
        self._spoken = Spoken(prompt.text + said, prompt.tokens + reply.tokens)

    def _keep(self, turn: _Turn, reply: Reply, *, note: str, is_partial: bool) -> None:
        model = self._engine.model
        answer = Message(
            "assistant",
            reply.text,
            is_partial=is_partial,
            stats=reply.stats,
            note=note,
            trace=reply.trace,
            model=model.name if model is not None else "",
        )
        if turn.before is not None:
            answer = _grown(turn.before, answer)
        if turn.answer is None:
            turn.answer = self._tree.add(answer, turn.asked)
        else:
            self._tree.replace(turn.answer, answer)
        turn.saved_at = self._clock()
        self._save()

    def _take_back(self, turn: _Turn) -> None:
        """Nothing came of it, so it was never sent."""
        if turn.user is not None and turn.asked is not None and turn.answer is None:
            self._tree.remove(turn.asked)
            turn.asked = None
            self._save()

    def _save(self) -> None:
        if self._keeper is None:
            return
        try:
            self._key = self._keeper.keep(self._key, self._tree, self.settings)
            self._not_kept = ""
        except HistoryError as error:  # a reply is worth more than its place in the history
            self._not_kept = str(error)

    def _broken(self, error: EngineError, reply: Reply) -> ReplyBroken:
        hint = error.hint
        if isinstance(error, ContextFull) and self._tree.shown:
            hint = "Start a new conversation, or load the model with a longer context (--ctx)."
        is_gone = isinstance(error, EngineCrashed) or self._engine.model is None
        return ReplyBroken(reply.text, error.message, hint, needs_reload=is_gone)


def _worth_sending(text: str) -> str:
    if not text.strip():
        raise UsageError("There is nothing to send.", "Write a message first.")
    return text


def _grown(before: Message, after: Message) -> Message:
    """Both parts' origins; the figures are those of the newer part, since rounds of both do not add up."""
    if before.trace is None or after.trace is None:
        return replace(after, trace=None)
    trace = Trace(before.trace.stretches + after.trace.stretches, before.trace.rounds + after.trace.rounds)
    return replace(after, trace=trace)
