"""Gives the engine one job after the other, loads it again when it dies, and ends it all in good order.

Everything here runs in the event loop; the engine is waited for in a thread of its own.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import EngineCrashed, EngineStalled, SparkDeskError
from sparkdesk.server.errors import ApiError, engine_stalled, from_engine, shutting_down
from sparkdesk.server.jobs.engine import ServedEngine
from sparkdesk.server.jobs.fair_queue import Client, FairQueue, QueueFull
from sparkdesk.server.jobs.job import Job
from sparkdesk.server.jobs.metrics import Gauges, Metrics
from sparkdesk.server.jobs.prepare import Wanted, prepare
from sparkdesk.server.jobs.reply_channel import MOST_WAITING_BYTES, ReplyChannel, ReplyFailed
from sparkdesk.server.jobs.worker import run_job
from sparkdesk.server.requests.models import ChatRequest, CompletionRequest

READY, LOADING, STALLED, FAILED, CLOSING = "ready", "loading", "stalled", "failed", "closing"
UNLOADED = "unloaded"
"""After a while without requests; the next one has it loaded again."""
_WATCH_S = 0.5
"""How often to look whether the engine still lives, when nobody asks it."""
_LAST_ROUND_S = 0.7
"""For a reply that was told to end: a round, or a step of the prompt."""
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 1, 60
_INITIAL_REPLY_S = 5.0
_DECAY = 0.8

Result = TypeVar("Result")


class Dispatcher:
    """Start `run` as a task, `close` when it is over."""

    def __init__(
        self,
        engine: ServedEngine,
        *,
        reload: Callable[[], None],
        capacity: int,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        idle_unload_s: float | None = None,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`reload` loads the model again, in the engine's thread. It raises SparkDeskError.

        `most_waiting_bytes` are what may wait for a single reader. The model is unloaded after `idle_unload_s` without
        a request; None keeps it.
        """
        self.engine = engine
        self.metrics = Metrics()
        self._state = READY
        self.problem = ""
        """Why the engine cannot be used, or what happened to it."""
        self._reload, self._log = reload, log
        self._most_waiting_bytes = most_waiting_bytes
        self._idle_unload_s = idle_unload_s
        self._last_use_s = monotonic()
        self._last_model = engine.model
        self._is_unloaded = False
        self._queue: FairQueue[Job] = FairQueue(capacity)
        self._arriving = 0
        self._running: Job | None = None
        self._changed = asyncio.Event()
        self._state_changed = asyncio.Condition()
        self._reloads = 0
        self._is_loading = False
        self._may_reload = True
        self._typical_reply_s = _INITIAL_REPLY_S
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def state(self) -> str:
        return STALLED if self._state == READY and self.engine.is_stalled else self._state

    @property
    def model(self) -> ModelInfo | None:
        """What is loaded, or will be again."""
        return self.engine.model or self._last_model

    @property
    def gauges(self) -> Gauges:
        return Gauges(
            waiting=len(self._queue),
            capacity=self._queue.capacity,
            is_answering=self._running is not None,
            is_ready=self.state == READY,
            reloads=self._reloads,
        )

    async def submit(self, request: ChatRequest | CompletionRequest, client: Client) -> Job:
        """Queue a request. Raises ApiError where it cannot be served, or not now."""
        prepared = await self.ask(lambda wanted: prepare(self.engine, request, wanted))
        job = Job(
            prepared, client, ReplyChannel(asyncio.get_running_loop(), self._most_waiting_bytes), arrived_s=monotonic()
        )
        self._check_open()
        try:
            self._queue.put(client, job, job.cost_s)
        except QueueFull:
            raise self._busy() from None
        self._changed.set()
        return job

    async def ask(self, work: Callable[[Wanted], Result]) -> Result:
        """What needs no turn of the engine, such as cutting text into tokens; in a thread. Raises ApiError."""
        if self.state == STALLED:
            raise engine_stalled("The engine does not react. It is loaded again if that goes on; try again then.")
        if len(self._queue) + self._arriving >= self._queue.capacity:
            raise self._busy()
        self._arriving += 1
        try:
            return await self._asked(work)
        finally:
            self._arriving -= 1
            self._last_use_s = monotonic()

    @property
    def running(self) -> Job | None:
        """The job whose turn it is."""
        return self._running

    def leave(self, job: Job) -> None:
        """Nobody waits for this job any more."""
        if self._queue.remove(job.client, job):
            self.metrics.outcomes.labels("stopped").inc()
        job.stop(ApiError(499, "The client is gone.", code="gone"))

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._wait_for_work()
                await self._work_off()
        except Exception as error:  # a bug of ours: nothing would be answered any more, and everybody should know
            await self._give_up(f"This should not have happened ({type(error).__name__}).")
            raise

    async def _wait_for_work(self) -> None:
        """For a job, or an engine that died while it had nothing to do."""
        while not self._changed.is_set() and (self._state != READY or self.engine.is_alive):
            if self._is_idle_for_long:
                await self._unload()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _WATCH_S)
        self._changed.clear()

    async def _work_off(self) -> None:
        while self._state in (READY, LOADING):
            if not self.engine.is_alive:
                await (self._wake() if self._is_unloaded else self._load_again(self.problem))
                continue
            if self._state == LOADING:
                await self._set_state(READY, "")
            job = self._queue.take()
            if job is None:
                return
            await self._run_job(job)

    @property
    def _is_idle_for_long(self) -> bool:
        is_used = self._state != READY or self._arriving or len(self._queue) or self._running is not None
        return not is_used and self._idle_unload_s is not None and monotonic() - self._last_use_s >= self._idle_unload_s

    async def _unload(self) -> None:
        # Without a pause between the look and the change: a request in between would find an engine that goes away.
        self._state, self._is_unloaded, self._last_model = UNLOADED, True, self.engine.model
        self._log("The model is unloaded, because nobody asks. The next request has it loaded again.")
        await self._in_thread(self.engine.close)

    async def _wake(self) -> None:
        problem = await self._loaded()
        self._is_unloaded = bool(problem)
        if self._state != LOADING:
            return
        if not problem:
            await self._set_state(READY, "")
            self._log("The model is loaded again.")
            return
        self._log(problem)
        await self._set_state(UNLOADED, problem)  # what is missing, such as memory, may be there for the next one
        self._refuse_waiting(self._cannot_wake())

    async def _loaded(self) -> str:
        """Loads the model again. Returns why that was not possible; empty where it was."""
        self._log("Loading the model again.")
        self._is_loading = True
        try:
            await self._in_thread(self._reload)
        except (SparkDeskError, OSError) as error:
            return f"The model could not be loaded again: {error}"
        finally:
            self._is_loading = False
            self._last_use_s = monotonic()
        return ""

    async def close(self, grace_s: float, *, is_urgent: Callable[[], bool] = lambda: False) -> None:
        """Refuse what waits, give the running reply its time, then end it, and the engine where it does not heed that.

        Afterwards no thread waits for the engine any more.
        """
        await self._set_state(CLOSING, "The server is shutting down.")
        self._refuse_waiting(shutting_down())
        await self._until_idle(grace_s, is_urgent)
        if self._running is not None:
            self._running.stop(shutting_down())
            await self._until_idle(_LAST_ROUND_S, lambda: False)
        if self._is_waited_for:
            await self._end_engine()

    def shutdown_executor(self) -> None:
        """Of the engine's thread, which ends as soon as it is idle."""
        self._thread.shutdown(wait=False)

    @property
    def _is_waited_for(self) -> bool:
        return self._running is not None or self._is_loading or self._arriving > 0

    async def _until_idle(self, seconds: float, is_urgent: Callable[[], bool]) -> None:
        deadline = monotonic() + seconds
        while self._running is not None and monotonic() < deadline and not (is_urgent() or self.engine.is_stalled):
            await asyncio.sleep(0.05)

    async def _end_engine(self) -> None:
        """In a thread of its own: those of the pools may all be waiting for the engine."""
        ending = ThreadPoolExecutor(1, thread_name_prefix="ending")
        await asyncio.get_running_loop().run_in_executor(ending, self.engine.close)
        ending.shutdown(wait=False)
        await self._until_idle(_LAST_ROUND_S, lambda: False)

    async def _asked(self, work: Callable[[Wanted], Result]) -> Result:
        """A death that nobody has noticed before is mended first."""
        for _ in range(2):
            await self._until_ready()
            is_wanted = Wanted()
            try:
                return await asyncio.to_thread(work, is_wanted)
            except asyncio.CancelledError:
                is_wanted.end()
                raise
            except EngineCrashed as error:
                self.problem = error.message
                if self._state == READY:
                    self._state = LOADING
                self._changed.set()
            except SparkDeskError as error:
                raise from_engine(error) from error
        raise ApiError(503, self.problem, code="engine_crashed")

    async def _until_ready(self) -> None:
        if self._state == UNLOADED:
            self._state, self.problem = LOADING, ""
            self._changed.set()
        async with self._state_changed:
            await self._state_changed.wait_for(lambda: self._state != LOADING)
        self._check_open()

    def _check_open(self) -> None:
        if self._state == CLOSING:
            raise shutting_down()
        if self._state == FAILED:
            raise self._unusable()
        if self._state == UNLOADED:
            raise self._cannot_wake()

    def _cannot_wake(self) -> ApiError:
        return ApiError(503, self.problem, code="engine_failed", retry_after_s=_LONGEST_WAIT_S)

    def _unusable(self) -> ApiError:
        return ApiError(503, f"{self.problem} Start the server again.", code="engine_failed", is_worth_retrying=False)

    async def _run_job(self, job: Job) -> None:
        began_s = monotonic()
        self.metrics.waited.observe(began_s - job.arrived_s)
        self._running = job
        try:
            result = await self._in_thread(lambda: run_job(self.engine, job))
        finally:
            self._running = None
        self._last_use_s = monotonic()
        took_s = self._last_use_s - began_s
        self._queue.charge(job.client, took_s - job.cost_s)
        self.metrics.finished(result, seconds=took_s)
        if result.process_exit is not None:
            self.problem = result.process_exit.message
            self._log(f"The engine died: {self.problem}")
            if isinstance(result.process_exit, EngineStalled):
                self._refuse_waiting(from_engine(result.process_exit))
        elif result.figures is not None:
            self._may_reload = True
            self._typical_reply_s = _DECAY * self._typical_reply_s + (1 - _DECAY) * took_s

    async def _load_again(self, cause: str) -> None:
        """Once after each death; what dies again before it has answered anything is left alone."""
        self.problem = cause or "The engine died."
        if not self._may_reload:
            await self._give_up(f"The engine died twice. {self.problem}")
            return
        self._may_reload = False
        await self._set_state(LOADING, self.problem)
        problem = await self._loaded()
        if problem:
            await self._give_up(problem)
            return
        self._reloads += 1
        if self._state == LOADING:
            await self._set_state(READY, "")
            self._log("The model is loaded again.")

    async def _give_up(self, problem: str) -> None:
        self._log(problem)
        if self._state != CLOSING:
            await self._set_state(FAILED, problem)
        self._refuse_waiting(self._unusable())

    def _refuse_waiting(self, why: ApiError) -> None:
        """They have waited long already, and their clients know best whether to go on."""
        for job in self._queue.clear():
            job.channel.put(ReplyFailed(why))

    async def _set_state(self, state: str, problem: str) -> None:
        async with self._state_changed:
            self._state, self.problem = state, problem
            self._state_changed.notify_all()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _busy(self) -> ApiError:
        wait_s = round(self._typical_reply_s * (1 + len(self._queue)))
        return ApiError(
            429,
            f"{len(self._queue)} requests wait already. Try again in a while.",
            code="queue_full",
            retry_after_s=min(max(wait_s, _SHORTEST_WAIT_S), _LONGEST_WAIT_S),
        )
