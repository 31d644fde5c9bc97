"""Makes replies: the worker, the events it brings, the figures of them, and the newest message of the transcript."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from textual.message import Message
from textual.worker import get_current_worker

from sparkdesk.chat.events import UNHEARD_SECONDS, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui.chat import status_lines
from sparkdesk.ui.chat.live_stats import LiveFigures, LiveStats
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.sidebar_messages import HistoryFailed
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.background import BUG_HINT, in_background, unexpected
from sparkdesk.ui.shared.event_queue import ReplyQueue, until
from sparkdesk.ui.shared.frame_pacer import INTERVAL_S, Pace

FIGURES_INTERVAL_S = 0.2
_STOPPING = "stopping …"


@dataclass
class FiguresChanged(Message):
    figures: LiveFigures


@dataclass
class ReplyEnded(Message):
    """The reply is over and what is kept of it is on the screen."""

    end: ReplyFinished | ReplyBroken
    is_unanswered: bool
    """It broke before its first word, and what it was to answer is not kept."""


class ReplyController:
    """One reply at a time. Posts FiguresChanged as they come and ReplyEnded once, however it ended."""

    def __init__(self, view: ChatView, backend: ChatBackend) -> None:
        self._view, self._transcript, self._backend = view, view.transcript, backend
        self._stats = LiveStats()
        self._figures = LiveFigures()
        self._queue = ReplyQueue()
        self._pace = Pace()
        self._figures_at_s = 0.0
        self._has_newer_figures = False
        """Which were not due yet; the engine may take long to bring the next."""
        self._is_stopping = False
        self._stopped_at_s = 0.0
        """0 once it was told what to do about a reply that does not stop."""
        self._is_stalled = False
        """Whether it was told that the engine does not react."""

    def start(self) -> None:
        """The view is there: draw at its pace from now on."""
        self._view.set_interval(INTERVAL_S, self._draw_at_pace)

    def load_totals(self) -> None:
        """Of all conversations that are kept; what follows is added as it comes."""

        def add(saved_ms: float) -> None:
            in_all = self._stats.in_all
            self._stats.in_all = replace(in_all, saved_ms=in_all.saved_ms + saved_ms)
            self._tell_figures()

        def fail(cause: str, hint: str) -> None:
            self._view.tell(HistoryFailed(cause, hint))

        in_background(self._view, lambda: self._backend.history.saved_ms(), group="totals", done=add, failed=fail)

    def forget_choice(self) -> None:
        """Of draft lengths: they are chosen in another way from now on."""
        self._stats.forget_choice()

    def forget_model(self) -> None:
        """The figures of the one that was loaded before."""
        self._stats.forget_model()
        self._tell_figures()

    # A conversation

    async def show_conversation(self) -> None:
        """The backend's, from its figures to its messages; one without messages has another view."""
        conversation = self._backend.conversation
        model = self._backend.model
        name = model.name if model is not None else None
        self._stats = LiveStats(conversation.messages, in_all=self._stats.in_all, model=name)
        self._tell_figures()
        shown, composer = self._view.model, self._view.composer
        if conversation.messages or shown is None:
            composer.begin_conversation()
        else:
            composer.begin_conversation(self._backend.examples)
        if conversation.messages:
            await self._show_messages()
        else:
            await self._transcript.show_empty(shown, self._backend.examples, problem=self._view.problem)

    async def _show_messages(self) -> None:
        conversation, model = self._backend.conversation, self._view.model
        await self._transcript.show_messages(
            conversation.messages,
            conversation.branch,
            model=model.name if model is not None else "",
            left_out=conversation.left_out,
        )

    # A reply

    def stream(self, events: Callable[[], Iterator[ReplyEvent]]) -> None:
        """Make a reply, into the newest of the transcript."""
        self._view.stage, self._is_stopping, self._stopped_at_s = Stage.REPLYING, False, 0.0
        self._view.banner.rest()
        self._stats.begin_reply()
        self._tell_figures()
        self._say("reading the prompt …")
        run = partial(self._run, events)
        self._view.run_worker(run, thread=True, exclusive=True, group="reply", exit_on_error=False)

    def stop(self) -> None:
        """After the round in progress, which may take a while: that it was heard is seen at once."""
        if self._view.stage is Stage.REPLYING:
            if self._is_stopping:
                return  # said again, it would end the engine
            self._is_stopping, self._stopped_at_s = True, time.monotonic()
            self._say(_STOPPING)
        self._backend.conversation.stop()

    def insist(self) -> None:
        """Stop; and where that was said a while ago and had no effect, end the engine, as the line below the reply
        says by then."""
        if self._is_stopping:
            self._backend.conversation.stop()
        else:
            self.stop()

    def _run(self, events: Callable[[], Iterator[ReplyEvent]]) -> None:
        worker = get_current_worker()
        try:
            for event in until(events(), has_ended=lambda: worker.is_cancelled):
                self._queue.put(event)
        except SparkDeskError as error:
            self._view.call_later(self._fail, error.message, error.hint)
        except Exception as error:
            self._view.call_later(self._fail, unexpected(error), BUG_HINT, needs_reload=True)

    async def _draw_at_pace(self) -> None:
        if self._pace.is_due and not self._queue.is_empty:
            self._pace.begin()
            await self._draw()
        elif self._has_newer_figures and self._view.stage is Stage.REPLYING:
            self._tell_figures_at_pace()
        elif self._backend.is_stalled is not self._is_stalled:
            self._tell_of_stall(self._backend.is_stalled)
        elif self._is_stopping and 0 < self._stopped_at_s < time.monotonic() - UNHEARD_SECONDS:
            self._stopped_at_s = 0.0
            self._say(f"{_STOPPING} {key_name(self._view, 'chat.stop')} again ends it by force")

    def _tell_of_stall(self, is_stalled: bool) -> None:
        self._is_stalled = is_stalled
        self._view.screen.refresh_bindings()
        if is_stalled and self._view.stage is Stage.REPLYING:
            stop, reload = (key_name(self._view, key_id) for key_id in ("chat.stop", "chat.reload"))
            self._say(status_lines.stalled_line(stop_key=stop, reload_key=reload))

    async def _draw(self) -> None:
        """Take in what the worker has brought since the last time."""
        batch = self._queue.take()
        if batch is None:
            return
        transcript = self._transcript
        if batch.trimmed:
            transcript.cut(batch.trimmed.left_out)
        if batch.prefill:
            self._stats.read_prompt(batch.prefill)
        self._stats.add(batch.advances)
        transcript.write(batch.text, batch.stretches, batch.rounds)
        if batch.end is None:
            self._tell_figures_at_pace()
            running = status_lines.running_line(self._figures, stop_key=key_name(self._view, "chat.stop"))
            self._say(_STOPPING if self._is_stopping else running)
        elif isinstance(batch.end, ReplyFinished):
            transcript.newest.finish(batch.end.text)
            self._say(
                status_lines.finished_line(
                    batch.end,
                    parked_rounds=self._stats.parked_rounds,
                    is_told=transcript.newest.is_told,
                    way_out=self._way_out(),
                    answer_keys=self._key_names("chat.select_above", "message.regenerate"),
                )
            )
            await self._end(batch.end)
        else:
            await self._break_off(batch.end)

    def _tell_figures_at_pace(self) -> None:
        """Figures are read more slowly than text, and to draw them all takes longer than a few words."""
        if time.monotonic() - self._figures_at_s >= FIGURES_INTERVAL_S or self._figures.prefill != self._stats.prefill:
            self._figures_at_s = time.monotonic()
            self._tell_figures()
        else:
            self._has_newer_figures = True

    def _tell_figures(self) -> None:
        self._has_newer_figures = False
        self._figures = self._stats.figures()
        self._view.tell(FiguresChanged(self._figures))

    def _way_out(self) -> str:
        """Of a context that is full: what was said before this turn can be left out, if there is any."""
        if len(self._backend.conversation.messages) > 2:
            return f"{self._key_names('chat.select_above', 'message.go_on')} continues without the oldest messages"
        return f"{key_name(self._view, 'chat.new')} starts a new conversation"

    def _key_names(self, *key_ids: str) -> str:
        return ", ".join(key_name(self._view, key_id) for key_id in key_ids)

    def _say(self, line: str) -> None:
        """Below the newest reply."""
        self._transcript.newest.say(line)
        self._transcript.redraw()

    # Its end

    async def _fail(self, cause: str, hint: str, *, needs_reload: bool = False) -> None:
        """It could not even begin, or an error of ours came out of it."""
        await self._draw()
        needs_reload = needs_reload or self._backend.model is None
        await self._break_off(ReplyBroken("", cause, hint, needs_reload=needs_reload))

    async def _break_off(self, broken: ReplyBroken) -> None:
        reply = self._transcript.newest
        reply.finish(broken.text or reply.text)
        reply.mark(broken.cause, broken.hint)
        stats = self._stats.reply if reply.text else None
        parked_rounds = self._stats.parked_rounds
        self._say(status_lines.broken_line(stats, parked_rounds=parked_rounds, is_told=reply.is_told))
        if broken.needs_reload:
            self._view.warn_down(broken.cause, "What came so far is kept.", "reloads")
        await self._end(broken)

    async def _end(self, end: ReplyFinished | ReplyBroken) -> None:
        is_unanswered = not self._transcript.newest.text and not self._is_asked_kept()
        await self._show_what_is_kept(end)
        self._stats.end_reply(end.stats if isinstance(end, ReplyFinished) else None)
        self._tell_figures()
        self._view.tell(ReplyEnded(end, is_unanswered))

    def _is_asked_kept(self) -> bool:
        """Whether the conversation ends with the message that the newest reply of the transcript was to answer."""
        kept, transcript = self._backend.conversation.messages, self._transcript
        return len(kept) == transcript.count - 1 and kept[-1].role == "user" and kept[-1].content == transcript.asked

    async def _show_what_is_kept(self, end: ReplyFinished | ReplyBroken) -> None:
        """When nothing came in the place of an older message, that one is still there."""
        conversation, transcript = self._backend.conversation, self._transcript
        if not transcript.newest.text and len(conversation.messages) >= transcript.count:
            await self._show_messages()
            if isinstance(end, ReplyBroken) and not end.needs_reload:
                self._view.banner.warn(end.cause, end.hint, "")
        else:
            transcript.know(conversation.messages, conversation.branch)
