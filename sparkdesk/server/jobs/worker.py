"""Lets the engine answer one job, in the engine's thread."""

from dataclasses import dataclass

from sparkdesk.chat_format.parts import merge_deltas
from sparkdesk.chat_format.stream_parser import ParsedEvent, StreamParser, TokenLogprob
from sparkdesk.engine.round import Prefilled
from sparkdesk.errors import EngineCrashed, GrammarError, SparkDeskError
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone
from sparkdesk.server.errors import ApiError, bad_request, from_engine
from sparkdesk.server.jobs.engine import ReplyHandle, ServedEngine
from sparkdesk.server.jobs.job import Job
from sparkdesk.server.jobs.prepare import Prepared
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyFailed, ReplyStarted
from sparkdesk.server.jobs.usage import ReplyUsage, UsageCounter

_CUT = ("length", "context")
_REASONS = {"end": "stop", "length": "length", "context": "length"}


@dataclass(frozen=True, slots=True)
class JobResult:
    """What became of a job."""

    outcome: str
    """A finish_reason, "stopped", or "failed"."""
    figures: ReplyUsage | None = None
    process_exit: EngineCrashed | None = None


def run_job(engine: ServedEngine, job: Job) -> JobResult:
    """Everything goes to the job's channel, which comes to ReplyDone or ReplyFailed. Raises nothing."""
    try:
        return _JobRun(engine, job).run()
    except EngineCrashed as error:
        job.channel.put(ReplyFailed(from_engine(error)))
        return JobResult("failed", process_exit=error)
    except Exception as error:  # a bug of ours must reach the client as an answer, and must not end the server
        # What was stopped, by the end of the server for one, fails because of that and not of what came of it.
        job.channel.put(ReplyFailed(job.stopped_by or _as_api_error(error, job)))
        return JobResult("failed")


class _JobRun:
    def __init__(self, engine: ServedEngine, job: Job) -> None:
        self._engine = engine
        self._job = job
        self._has_begun = False
        self._start_over(job.prepared)

    def _start_over(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._parser = prepared.parser()
        self._usage = UsageCounter(len(prepared.tokens))
        self._is_enough = False

    def run(self) -> JobResult:
        try:
            return self._stream()
        except GrammarError:
            plan = self._prepared.calls
            if self._has_begun or not self._prepared.is_constrained or plan is None or plan.is_needed:
                raise
            # Some function's schema cannot become a grammar; the model may do well without one.
            self._start_over(self._prepared.unconstrained())
            return self._stream()

    def _stream(self) -> JobResult:
        job, prepared = self._job, self._prepared
        if job.stopped_by is not None:
            return self._stopped(job.stopped_by)
        reply = self._engine.ask_for_reply(prepared.tokens, prepared.settings, spells_control=prepared.spells_control)
        job.begin(reply)
        try:
            return self._end(self._read(reply))
        finally:
            reply.cancel()  # where something went wrong up here; a reply that is over stays as it is

    def _read(self, reply: ReplyHandle) -> str:
        """The reply to its end; returns the engine's reason for it."""
        reason = "cancelled"
        for event in reply.events():
            self._begin(event)
            if self._job.channel.is_cut:
                self._job.stop(ApiError(408, "The reply was not read for too long.", code="too_slow"))
            match event:
                case Prefilling(progress):
                    self._usage.prefilling(progress)
                    self._tell_progress(progress)
                case RoundDone():
                    self._usage.round_done(event.round)
                    self._parse(event)
                    if self._is_enough:
                        reply.cancel()
                case Finished(stop_reason):
                    reason = stop_reason
        return reason

    def _begin(self, event: object) -> None:
        if not self._has_begun:
            self._has_begun = True
            cached = event.progress.reused if isinstance(event, Prefilling) else 0
            self._job.channel.put(ReplyStarted(len(self._prepared.tokens), cached))

    def _tell_progress(self, progress: Prefilled) -> None:
        self._job.figures = self._figures(self._parser)
        if progress.done < progress.total:
            self._job.channel.put(
                PromptRead(progress.done, progress.total, progress.reused, round(progress.elapsed_ms, 3))
            )

    def _parse(self, event: RoundDone) -> None:
        if self._is_enough:
            return
        events: list[ParsedEvent] = []
        for index, piece in enumerate(event.pieces):
            events.append(self._parser.take(piece, _token_logprob(event, index)))
            if self._parser.is_over:
                self._is_enough = True
                break
        self._put(events)

    def _put(self, events: list[ParsedEvent]) -> None:
        parts = tuple(merge_deltas([part for each in events for part in each.parts]))
        logprobs = tuple(logprob for each in events for logprob in each.logprobs)
        if parts or logprobs:
            self._job.figures = self._figures(self._parser)
            self._job.channel.put(ReplyDelta(parts, logprobs, self._job.figures))

    def _end(self, stop_reason: str) -> JobResult:
        figures = self._figures(self._parser)
        if stop_reason == "cancelled" and not self._is_enough:
            why = self._job.stopped_by or ApiError(500, "The reply was stopped.", code="stopped")
            return self._stopped(why, figures)
        self._put([self._parser.finish(is_cut=stop_reason in _CUT)])
        reason = "stop" if self._is_enough else _REASONS.get(stop_reason, "stop")
        if self._parser.has_calls and reason == "stop":
            reason = "tool_calls"
        self._job.channel.put(ReplyDone(reason, figures, self._parser.stops.found))
        return JobResult(reason, figures)

    def _stopped(self, why: ApiError, figures: ReplyUsage | None = None) -> JobResult:
        self._job.channel.put(ReplyFailed(why))
        return JobResult("stopped", figures)

    def _figures(self, parser: StreamParser) -> ReplyUsage:
        return self._usage.figures(completion_tokens=parser.token_count, reasoning_tokens=parser.reasoning_count)


def _token_logprob(event: RoundDone, index: int) -> TokenLogprob | None:
    if not event.round.logprobs:
        return None
    top = event.top_pieces[index] if index < len(event.top_pieces) else ()
    return TokenLogprob(event.pieces[index], event.round.logprobs[index], top)


def _as_api_error(error: Exception, job: Job) -> ApiError:
    if isinstance(error, GrammarError) and job.prepared.settings.grammar is not None:
        form = "grammar" if job.prepared.settings.grammar.gbnf else "response_format"
        param = "tools" if job.prepared.calls is not None else form
        return bad_request(f"{error.message} {error.hint}".strip(), param=param)
    if isinstance(error, SparkDeskError):
        return from_engine(error)
    return ApiError(500, f"This should not have happened ({type(error).__name__}).", code="internal_error")
