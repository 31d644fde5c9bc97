"""Replies of /v1/messages, whole and in events, and its errors: Anthropic's form."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyStarted
from sparkdesk.server.jobs.usage import ReplyUsage
from sparkdesk.server.requests.models import RequestOptions
from sparkdesk.server.responses.blocks import CALL, THOUGHTS, Block, BlockSequence, Change, Closed, Grown, Opened

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class MessagesResponse:
    names_events = True

    def __init__(self, model: str, options: RequestOptions) -> None:
        self._secret = secrets.token_hex(12)
        self._model = model
        self._blocks = BlockSequence()

    def opening(self, event: ReplyStarted) -> Iterator[dict[str, Any]]:
        usage = _usage(event.prompt_tokens, event.cached_tokens, 0)
        yield {"type": "message_start", "message": self._message([], None, None, usage)}
        yield self.quiet()

    def progress(self, event: PromptRead) -> None:
        return None

    def quiet(self) -> dict[str, Any]:
        return {"type": "ping"}

    def failed(self, error: ApiError) -> dict[str, Any]:
        return anthropic_error(error)

    def chunks(self, event: ReplyDelta) -> Iterator[dict[str, Any]]:
        return map(self._chunk, self._blocks.take(event.parts))

    def closing(self, event: ReplyDone) -> Iterator[dict[str, Any]]:
        yield from map(self._chunk, self._blocks.close())
        reason, stop = _ending(event)
        usage = _usage_of(event.figures)
        yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": stop}, "usage": usage}
        yield {"type": "message_stop", **_figures(event)}

    def add(self, event: ReplyDelta) -> None:
        for _ in self._blocks.take(event.parts):
            pass

    def complete(self, event: ReplyDone) -> dict[str, Any]:
        content = [
            self._whole(block) for block in self._blocks.blocks if block.kind != CALL or _input(block) is not None
        ]
        reason, stop = _ending(event)
        return {**self._message(content, reason, stop, _usage_of(event.figures)), **_figures(event)}

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, stop: str | None, usage: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{self._secret}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
            "usage": usage,
        }

    def _chunk(self, change: Change) -> dict[str, Any]:
        match change:
            case Opened(block):
                return {"type": "content_block_start", "index": block.index, "content_block": self._empty(block)}
            case Grown(block, text):
                return {"type": "content_block_delta", "index": block.index, "delta": _delta(block, text)}
            case Closed(block):
                return {"type": "content_block_stop", "index": block.index}

    def _empty(self, block: Block) -> dict[str, Any]:
        if block.kind == CALL:
            return {"type": "tool_use", "id": f"toolu_{self._secret}_{block.index}", "name": block.name, "input": {}}
        if block.kind == THOUGHTS:
            return {"type": "thinking", "thinking": "", "signature": ""}
        return {"type": "text", "text": ""}

    def _whole(self, block: Block) -> dict[str, Any]:
        name = {CALL: "input", THOUGHTS: "thinking"}.get(block.kind, "text")
        return {**self._empty(block), name: _input(block) if block.kind == CALL else block.text}


def anthropic_error(error: ApiError) -> dict[str, Any]:
    kind = _ERRORS.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    message = error.message
    if error.code == "context_length_exceeded":
        message = f"prompt is too long: {message}"  # agents look for these words, and shorten the conversation
    return {"type": "error", "error": {"type": kind, "message": message}}


def _delta(block: Block, text: str) -> dict[str, Any]:
    if block.kind == CALL:
        return {"type": "input_json_delta", "partial_json": text}
    if block.kind == THOUGHTS:
        return {"type": "thinking_delta", "thinking": text}
    return {"type": "text_delta", "text": text}


def _input(block: Block) -> dict[str, Any] | None:
    """A call's arguments; None for a call that was cut before they were whole."""
    try:
        value = json.loads(block.text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _ending(event: ReplyDone) -> tuple[str, str | None]:
    if event.stop is not None and event.reason == "stop":
        return "stop_sequence", event.stop
    return _STOP_REASONS[event.reason], None


def _usage_of(figures: ReplyUsage) -> dict[str, Any]:
    return _usage(figures.prompt_tokens, figures.cached_tokens, figures.completion_tokens)


def _usage(prompt_tokens: int, cached_tokens: int, output_tokens: int) -> dict[str, Any]:
    """Anthropic counts what comes from a cache apart."""
    return {
        "input_tokens": prompt_tokens - cached_tokens,
        "cache_read_input_tokens": cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": output_tokens,
    }


def _figures(event: ReplyDone) -> dict[str, Any]:
    return {"timings": event.figures.timings(), "metrics": event.figures.metrics()}
