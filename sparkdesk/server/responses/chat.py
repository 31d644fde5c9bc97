"""Replies of /v1/chat/completions, whole and in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

from sparkdesk.chat_format.parts import ContentDelta, Part, ReasoningDelta, ToolCallArguments, ToolCallStart
from sparkdesk.chat_format.stream_parser import TokenLogprob
from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyStarted
from sparkdesk.server.requests.models import RequestOptions
from sparkdesk.server.responses.json_io import as_logprob
from sparkdesk.server.responses.protocol import ResponseHeading, prompt_progress, timings_so_far, with_usage


class ChatResponse:
    names_events = False

    def __init__(self, model: str, options: RequestOptions) -> None:
        self._heading = ResponseHeading("chatcmpl", model)
        self._include_usage, self._include_timings = options.include_usage, options.include_timings
        self._include_progress = options.include_progress
        self._content: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[tuple[str, list[str]]] = []
        """Names, and the pieces of their arguments."""
        self._logprob_items: list[dict[str, Any]] = []
        self._has_logprob_items = False

    def opening(self, event: ReplyStarted) -> Iterator[dict[str, Any]]:
        yield self._chunk({"role": "assistant", "content": ""})

    def progress(self, event: PromptRead) -> dict[str, Any] | None:
        return (
            {**self._chunk({"role": "assistant", "content": None}), **prompt_progress(event)}
            if self._include_progress
            else None
        )

    def quiet(self) -> None:
        return None

    def failed(self, error: ApiError) -> dict[str, Any]:
        return error.as_json()

    def chunks(self, event: ReplyDelta) -> Iterator[dict[str, Any]]:
        logprobs, timings = _logprobs(event.logprobs), timings_so_far(event) if self._include_timings else {}
        for part in event.parts:
            yield {**self._chunk(self._delta(part), logprobs=logprobs), **timings}
            logprobs = None
        if logprobs is not None:
            yield {**self._chunk({}, logprobs=logprobs), **timings}

    def closing(self, event: ReplyDone) -> Iterator[dict[str, Any]]:
        last = self._chunk({}, reason=event.reason)
        if not self._include_usage:
            yield {**last, "timings": event.figures.timings(), "metrics": event.figures.metrics()}
            return
        yield last
        yield with_usage({**self._heading.as_json("chat.completion.chunk"), "choices": []}, event)

    def add(self, event: ReplyDelta) -> None:
        self._has_logprob_items = self._has_logprob_items or bool(event.logprobs)
        self._logprob_items += map(_token_logprob, event.logprobs)
        for part in event.parts:
            match part:
                case ReasoningDelta(text):
                    self._thoughts.append(text)
                case ContentDelta(text):
                    self._content.append(text)
                case ToolCallStart(_, name):
                    self._calls.append((name, []))
                case ToolCallArguments(index, text):
                    self._calls[index][1].append(text)

    def complete(self, event: ReplyDone) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": self._message(),
            "logprobs": {"content": self._logprob_items} if self._has_logprob_items else None,
            "finish_reason": event.reason,
        }
        return with_usage({**self._heading.as_json("chat.completion"), "choices": [choice]}, event)

    def _message(self) -> dict[str, Any]:
        content = "".join(self._content)
        message: dict[str, Any] = {"role": "assistant", "content": content if content or not self._calls else None}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": self._call_id(index),
                    "type": "function",
                    "function": {"name": name, "arguments": "".join(arguments)},
                }
                for index, (name, arguments) in enumerate(self._calls)
            ]
        return message

    def _delta(self, part: Part) -> dict[str, Any]:
        match part:
            case ReasoningDelta(text):
                return {"reasoning_content": text}
            case ContentDelta(text):
                return {"content": text}
            case ToolCallStart(index, name):
                function = {"name": name, "arguments": ""}
                call = {"index": index, "id": self._call_id(index), "type": "function", "function": function}
                return {"tool_calls": [call]}
            case ToolCallArguments(index, text):
                return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}

    def _call_id(self, index: int) -> str:
        return f"call_{self._heading.secret}_{index}"

    def _chunk(
        self, delta: dict[str, Any], *, reason: str | None = None, logprobs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._heading.as_json("chat.completion.chunk"), "choices": [choice]}
        return {**chunk, "usage": None} if self._include_usage else chunk


def _logprobs(logprobs: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    return {"content": [_token_logprob(logprob) for logprob in logprobs]} if logprobs else None


def _token_logprob(logprob: TokenLogprob) -> dict[str, Any]:
    top = zip(logprob.top_pieces, logprob.logprob.top_logprobs, strict=False)
    return {
        **_token(logprob.piece, logprob.logprob.logprob),
        "top_logprobs": [_token(piece, logprob) for piece, logprob in top],
    }


def _token(piece: bytes, logprob: float) -> dict[str, Any]:
    return {"token": piece.decode("utf-8", "replace"), "logprob": as_logprob(logprob), "bytes": list(piece)}
