"""Replies of /v1/responses, whole and in events."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyStarted
from sparkdesk.server.jobs.usage import ReplyUsage
from sparkdesk.server.requests.openai_responses import ResponsesRequest
from sparkdesk.server.responses.blocks import CALL, TEXT, THOUGHTS, Block, BlockSequence, Change, Closed, Grown, Opened
from sparkdesk.server.responses.response_store import ResponseStore, StoredResponse

_PREFIXES = {THOUGHTS: "rs", TEXT: "msg", CALL: "fc"}
_DELTAS = {
    THOUGHTS: "response.reasoning_text",
    TEXT: "response.output_text",
    CALL: "response.function_call_arguments",
}


class ResponsesResponse:
    names_events = True

    def __init__(self, model: str, request: ResponsesRequest, store: ResponseStore) -> None:
        self.id = f"resp_{secrets.token_hex(12)}"
        self._secret = self.id.removeprefix("resp_")
        self._model, self._created = model, int(time.time())
        self._lookup, self._store = request.lookup, store
        self._turns = request.turns if request.is_stored else None
        self._blocks = BlockSequence()
        self._sequence = -1

    def opening(self, event: ReplyStarted) -> Iterator[dict[str, Any]]:
        response = self._response("in_progress", [])
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)

    def progress(self, event: PromptRead) -> None:
        return None

    def quiet(self) -> None:
        return None

    def failed(self, error: ApiError) -> dict[str, Any]:
        told = {"code": error.code if error.status < 500 and error.code else "server_error", "message": error.message}
        return self._event("response.failed", response={**self._response("failed", self._items()), "error": told})

    def chunks(self, event: ReplyDelta) -> Iterator[dict[str, Any]]:
        for change in self._blocks.take(event.parts):
            yield from self._changed(change, "completed")

    def closing(self, event: ReplyDone) -> Iterator[dict[str, Any]]:
        status = _status(event)
        for change in self._blocks.close():
            yield from self._changed(change, status)
        yield self._event(f"response.{status}", response=self.complete(event))

    def add(self, event: ReplyDelta) -> None:
        for _ in self._blocks.take(event.parts):
            pass

    def complete(self, event: ReplyDone) -> dict[str, Any]:
        status = _status(event)
        body = {**self._response(status, self._items(status)), "completed_at": int(time.time())}
        if status == "incomplete":
            body["incomplete_details"] = {"reason": "max_output_tokens"}
        body |= {"usage": _usage(event.figures), "timings": event.figures.timings(), "metrics": event.figures.metrics()}
        if self._turns is not None:
            self._store.put(self.id, StoredResponse(body, (*self._turns, *self._said())))
        return body

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": output,
            "usage": None,
            **self._lookup,
        }

    def _event(self, kind: str, **more: Any) -> dict[str, Any]:
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence, **more}

    def _changed(self, change: Change, status: str) -> Iterator[dict[str, Any]]:
        """`status` is that of a block which is closed."""
        block = change.block
        where = {"item_id": self._item_id(block), "output_index": block.index}
        inner = where if block.kind == CALL else {**where, "content_index": 0}
        logprobs: dict[str, Any] = {"logprobs": []} if block.kind == TEXT else {}
        match change:
            case Opened():
                item = self._item(block, "in_progress", is_empty=True)
                yield self._event("response.output_item.added", output_index=block.index, item=item)
                if block.kind != CALL:
                    yield self._event("response.content_part.added", **inner, part=_part(block, ""))
            case Grown(_, text):
                yield self._event(f"{_DELTAS[block.kind]}.delta", **inner, delta=text, **logprobs)
            case Closed():
                if block.kind == CALL:
                    yield self._event(f"{_DELTAS[CALL]}.done", **where, name=block.name, arguments=block.text)
                else:
                    yield self._event(f"{_DELTAS[block.kind]}.done", **inner, text=block.text, **logprobs)
                    yield self._event("response.content_part.done", **inner, part=_part(block, block.text))
                item = self._item(block, status)
                yield self._event("response.output_item.done", output_index=block.index, item=item)

    def _items(self, status: str = "incomplete") -> list[dict[str, Any]]:
        """`status` is that of the last one."""
        blocks = self._blocks.blocks
        return [self._item(block, status if block is blocks[-1] else "completed") for block in blocks]

    def _item(self, block: Block, status: str, *, is_empty: bool = False) -> dict[str, Any]:
        head = {"id": self._item_id(block), "status": status}
        content = [] if is_empty else [_part(block, block.text)]
        if block.kind == THOUGHTS:
            return {"type": "reasoning", **head, "summary": [], "content": content}
        if block.kind == TEXT:
            return {"type": "message", **head, "role": "assistant", "content": content}
        call = {"call_id": self._call_id(block), "name": block.name, "arguments": "" if is_empty else block.text}
        return {"type": "function_call", **head, **call}

    def _item_id(self, block: Block) -> str:
        return f"{_PREFIXES[block.kind]}_{self._secret}_{block.index}"

    def _call_id(self, block: Block) -> str:
        return f"call_{self._secret}_{block.index}"

    def _said(self) -> Iterator[dict[str, Any]]:
        """The reply as a turn of the conversation."""
        blocks = self._blocks.blocks
        texts = {kind: "".join(block.text for block in blocks if block.kind == kind) for kind in (THOUGHTS, TEXT)}
        turn: dict[str, Any] = {"role": "assistant", "content": texts[TEXT]}
        if texts[THOUGHTS]:
            turn["reasoning_content"] = texts[THOUGHTS]
        calls = [
            {
                "id": self._call_id(block),
                "type": "function",
                "function": {"name": block.name, "arguments": block.text or "{}"},
            }
            for block in blocks
            if block.kind == CALL
        ]
        yield {**turn, "tool_calls": calls} if calls else turn


def _part(block: Block, text: str) -> dict[str, Any]:
    if block.kind == THOUGHTS:
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _status(event: ReplyDone) -> str:
    return "incomplete" if event.reason == "length" else "completed"


def _usage(figures: ReplyUsage) -> dict[str, Any]:
    return {
        "input_tokens": figures.prompt_tokens,
        "input_tokens_details": {"cached_tokens": figures.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": figures.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": figures.reasoning_tokens},
        "total_tokens": figures.prompt_tokens + figures.completion_tokens,
    }
