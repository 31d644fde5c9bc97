"""Replies of /v1/completions, whole and in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

from sparkdesk.chat_format.parts import ContentDelta
from sparkdesk.chat_format.stream_parser import TokenLogprob
from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyStarted
from sparkdesk.server.requests.models import RequestOptions
from sparkdesk.server.responses.json_io import as_logprob
from sparkdesk.server.responses.protocol import ResponseHeading, prompt_progress, timings_so_far, with_usage


class CompletionResponse:
    names_events = False

    def __init__(self, model: str, options: RequestOptions) -> None:
        self._heading = ResponseHeading("cmpl", model)
        self._include_usage, self._include_timings = options.include_usage, options.include_timings
        self._include_progress = options.include_progress
        self._text: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._offset = 0

    def opening(self, event: ReplyStarted) -> Iterator[dict[str, Any]]:
        return iter(())

    def progress(self, event: PromptRead) -> dict[str, Any] | None:
        return {**self._chunk(""), **prompt_progress(event)} if self._include_progress else None

    def quiet(self) -> None:
        return None

    def failed(self, error: ApiError) -> dict[str, Any]:
        return error.as_json()

    def chunks(self, event: ReplyDelta) -> Iterator[dict[str, Any]]:
        timings = timings_so_far(event) if self._include_timings else {}
        yield {**self._chunk(_text(event), logprobs=self._logprobs_json(event.logprobs)), **timings}

    def closing(self, event: ReplyDone) -> Iterator[dict[str, Any]]:
        last = self._chunk("", reason=event.reason)
        if not self._include_usage:
            yield {**last, "timings": event.figures.timings(), "metrics": event.figures.metrics()}
            return
        yield last
        yield with_usage({**self._heading.as_json("text_completion"), "choices": []}, event)

    def add(self, event: ReplyDelta) -> None:
        self._text.append(_text(event))
        self._logprobs += event.logprobs

    def complete(self, event: ReplyDone) -> dict[str, Any]:
        choice = {
            "index": 0,
            "text": "".join(self._text),
            "logprobs": self._logprobs_json(self._logprobs),
            "finish_reason": event.reason,
        }
        return with_usage({**self._heading.as_json("text_completion"), "choices": [choice]}, event)

    def _chunk(self, text: str, *, reason: str | None = None, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._heading.as_json("text_completion"), "choices": [choice]}
        return {**chunk, "usage": None} if self._include_usage else chunk

    def _logprobs_json(self, logprobs: Sequence[TokenLogprob]) -> dict[str, Any] | None:
        if not logprobs:
            return None
        tokens = [_spelled(logprob.piece) for logprob in logprobs]
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(token)
        return {
            "tokens": tokens,
            "token_logprobs": [as_logprob(logprob.logprob.logprob) for logprob in logprobs],
            "top_logprobs": [_top(logprob) for logprob in logprobs],
            "text_offset": offsets,
        }


def _text(event: ReplyDelta) -> str:
    return "".join(part.text for part in event.parts if isinstance(part, ContentDelta))


def _top(logprob: TokenLogprob) -> dict[str, float]:
    pairs = zip(logprob.top_pieces, logprob.logprob.top_logprobs, strict=False)
    return {_spelled(piece): as_logprob(logprob) for piece, logprob in pairs}


def _spelled(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")
