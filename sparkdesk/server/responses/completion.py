"""Replies of /v1/completions, whole and in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

from sparkdesk.chat_format.parts import Said
from sparkdesk.chat_format.stream_parser import TokenChance
from sparkdesk.server.jobs.reply_channel import Advanced, Ended
from sparkdesk.server.responses.json_io import as_logprob
from sparkdesk.server.responses.protocol import Heading, so_far, with_figures


class TextShape:
    def __init__(self, model: str, *, tells_usage: bool, tells_timings: bool = False) -> None:
        self._heading = Heading("cmpl", model)
        self._tells_usage, self._tells_timings = tells_usage, tells_timings
        self._text: list[str] = []
        self._chances: list[TokenChance] = []
        self._offset = 0

    def opening(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def chunks(self, event: Advanced) -> Iterator[dict[str, Any]]:
        told = so_far(event) if self._tells_timings else {}
        yield {**self._chunk(_text(event), logprobs=self._logprobs(event.chances)), **told}

    def closing(self, event: Ended) -> Iterator[dict[str, Any]]:
        last = self._chunk("", reason=event.reason)
        if not self._tells_usage:
            yield {**last, "timings": event.figures.timings(), "metrics": event.figures.metrics()}
            return
        yield last
        yield with_figures({**self._heading.as_json("text_completion"), "choices": []}, event)

    def add(self, event: Advanced) -> None:
        self._text.append(_text(event))
        self._chances += event.chances

    def whole(self, event: Ended) -> dict[str, Any]:
        choice = {
            "index": 0,
            "text": "".join(self._text),
            "logprobs": self._logprobs(self._chances),
            "finish_reason": event.reason,
        }
        return with_figures({**self._heading.as_json("text_completion"), "choices": [choice]}, event)

    def _chunk(self, text: str, *, reason: str | None = None, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._heading.as_json("text_completion"), "choices": [choice]}
        return {**chunk, "usage": None} if self._tells_usage else chunk

    def _logprobs(self, chances: Sequence[TokenChance]) -> dict[str, Any] | None:
        if not chances:
            return None
        tokens = [_spelled(chance.piece) for chance in chances]
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(token)
        return {
            "tokens": tokens,
            "token_logprobs": [as_logprob(chance.likelihood.logprob) for chance in chances],
            "top_logprobs": [_top(chance) for chance in chances],
            "text_offset": offsets,
        }


def _text(event: Advanced) -> str:
    return "".join(part.text for part in event.parts if isinstance(part, Said))


def _top(chance: TokenChance) -> dict[str, float]:
    pairs = zip(chance.top_pieces, chance.likelihood.top_logprobs, strict=False)
    return {_spelled(piece): as_logprob(logprob) for piece, logprob in pairs}


def _spelled(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")
