"""Loads the model, and loads it again: the worker, and what is shown of how far it is."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from textual.content import Content
from textual.message import Message
from textual.worker import Worker, get_current_worker

from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress, Report
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.chat.widgets.loading_view import LoadingView, pace
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.messages import Noted
from sparkdesk.ui.shared import numbers
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.event_queue import calm_progress

_CANCELLED = ("cancelled", "Loading was cancelled.", "")
_NO_MODEL = ("The backend loaded no model.", BUG_HINT)


_NOTICE_SECONDS = 15


@dataclass
class LoadEnded(Message):
    """Whether a model is there now is the backend's to say: the one before stays where another could not be loaded."""

    cause: str = ""
    """Why what was wanted is not there; empty when it is."""
    hint: str = ""


class ModelLoader:
    """Posts LoadEnded when it is through. Shows its steps in the empty transcript, or else above it."""

    def __init__(self, view: ChatView, backend: ChatBackend) -> None:
        self._view, self._backend = view, backend
        self._worker: Worker[None] | None = None
        self._step = ("", 0.0)
        """What the banner shows, and since when."""

    async def load(self) -> None:
        """What is loaded already stays loaded, as after a failure of the screen before this one."""
        await self._begin(self._backend.load if self._backend.model is None else lambda: iter(()))

    async def reload(self) -> None:
        was_loaded = self._backend.model or self._view.model
        await self._begin(self._backend.reload if was_loaded else self._backend.load)

    async def switch(self, name: str) -> None:
        """To another pair of the library."""
        await self._begin(partial(self._backend.switch, name), name)

    def cancel(self) -> None:
        if self._worker is not None:
            self._worker.cancel()

    async def _begin(self, steps: Callable[[], Iterator[Report]], name: str = "") -> None:
        self._view.stage, self._step = Stage.LOADING, ("", 0.0)
        transcript = self._view.transcript
        self._view.banner.rest()
        if transcript.has_turns:
            stop = key_name(self._view, "chat.stop")
            self._view.banner.tell(f"Loading {name or 'the model'} …  {stop} cancels")
        else:
            await transcript.show_view(LoadingView(name or self._backend.name))
        run = partial(self._run, steps)
        self._worker = self._view.run_worker(run, thread=True, exclusive=True, group="load", exit_on_error=False)

    def _run(self, steps: Callable[[], Iterator[Report]]) -> None:
        worker = get_current_worker()
        try:
            for event in calm_progress(steps(), has_ended=lambda: worker.is_cancelled):
                self._view.call_later(self._show, event)
        except SparkDeskError as error:
            self._view.call_later(self._end, "failed", error.message, error.hint)
        except Exception as error:  # what no one expected must be seen, not swallowed with the worker
            self._view.call_later(self._end, "failed", unexpected(error), BUG_HINT)
        else:
            self._view.call_later(self._end, *(_CANCELLED if worker.is_cancelled else ()))

    def _show(self, event: Report) -> None:
        if isinstance(event, Notice):
            self._view.tell(Noted(event.text))
            # What is drawn below is replaced as soon as the model is there, which may be at once.
            self._view.notify(event.text, timeout=_NOTICE_SECONDS, markup=False)
        for view in self._view.query(LoadingView):
            view.show(event)
        if isinstance(event, Progress) and self._view.transcript.has_turns:
            if event.step != self._step[0]:
                self._step = event.step, time.monotonic()
            self._view.banner.follow(self._step_words(event))

    def _step_words(self, progress: Progress) -> Content:
        """In one line, above a conversation."""
        elapsed_s = time.monotonic() - self._step[1]
        parts = [numbers.percent(progress.fraction) if progress.total > 0 else "", pace(progress, elapsed_s)]
        words = " · ".join(part for part in parts if part)
        stop = (key_name(self._view, "chat.stop"), "bold $primary")
        return Content.assemble(f"{safe_line(progress.step)}  ", (f"{words} · ", "$spark-quiet"), stop, " cancels")

    def _end(self, how: str = "", cause: str = "", hint: str = "") -> None:
        model = self._backend.model
        if not cause and model is None:
            how, (cause, hint) = "failed", _NO_MODEL
        for view in self._view.query(LoadingView) if how else ():
            view.end(how)
        if not cause:
            self._view.banner.rest()
        elif model is not None:
            self._view.banner.warn(cause, hint, f"{safe_line(model.name)} stays loaded")
        else:
            self._view.warn_down(cause, hint, "loads the model" if how == "cancelled" else "tries again")
        self._view.tell(LoadEnded(cause, hint))
