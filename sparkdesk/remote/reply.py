"""Chunks of a reply as they come from a server, as the events and figures of the desk. Pure; the clock is passed in."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
from sparkdesk.chat_format.reasoning import THINK_TAGS, opening_tags, split_reply
from sparkdesk.chat_format.text_stream import TextStream
from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.remote.figures import DraftCounters, Timings, finished_stats, round_between, timings_of, with_counters

_REASONS = {"stop": "end", "length": "length", "content_filter": "end", "tool_calls": "end", "abort": "cancelled"}
_NO_ROUND = Round((), ())
_LEAST_MS = 250.0
"""Of chunks, before their arrival says how fast they are made: a proxy, or the network, brings many at once."""


class RemoteReply:
    def __init__(self, *, begun: str = "", is_speculating: bool | None = None) -> None:
        """`is_speculating` is None where only the figures tell."""
        self._said_speculating = is_speculating
        self._text = begun
        self._stream = TextStream()
        self._is_thinking = split_reply(begun).is_reasoning
        self._stats = ReplyStats()
        self._timings = Timings()
        self._told_ahead = 0
        """Tokens of the newest round whose text has not come yet."""
        self._last_s: float | None = None
        self._arrived_ms = 0.0
        """As long as that is too short to tell a speed."""
        self._reason = "end"
        self._end: dict[str, Any] = {}

    def add(self, chunk: Mapping[str, Any], *, now_s: float) -> ReplyAdvanced | None:
        """What a chunk brings; None where it brings no text."""
        for name in ("usage", "timings", "metrics"):
            if isinstance(chunk.get(name), Mapping):
                self._end[name] = chunk[name]
        text = self._text_of(chunk)
        if not text:
            return None
        done = self._round(chunk, now_s)
        self._stats = self._stats.after(done) if done is not _NO_ROUND else self._stats
        return self._shown(self._stream.feed(text.encode("utf-8", "replace")), done)

    def flush(self) -> Generator[ReplyAdvanced, None, None]:
        """What was held back for its next character."""
        rest = self._stream.feed(f"\n{THINK_TAGS.closing}\n\n".encode()) if self._is_thinking else ""
        self._is_thinking = False
        rest += self._stream.finish()
        if rest:
            yield self._shown(rest, _NO_ROUND)

    def finished(self, counted: DraftCounters | None, *, is_stopped: bool) -> ReplyFinished:
        stats = finished_stats(self._stats, self._end)
        if counted is not None:
            stats = with_counters(stats, counted)
        return ReplyFinished(_with_opening(self._text), (), "cancelled" if is_stopped else self._reason, stats)

    def _text_of(self, chunk: Mapping[str, Any]) -> str:
        text = ""
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping):
                continue
            if isinstance(choice.get("finish_reason"), str):
                self._reason = _REASONS.get(choice["finish_reason"], "end")
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                text += self._thought(delta.get("reasoning_content") or delta.get("reasoning"))
                text += self._answer(delta.get("content"))
        return text

    def _thought(self, said: object) -> str:
        if not isinstance(said, str) or not said:
            return ""
        opening = "" if self._is_thinking else f"{THINK_TAGS.opening}\n"
        self._is_thinking = True
        return opening + said

    def _answer(self, said: object) -> str:
        if not isinstance(said, str) or not said:
            return ""
        closing = f"\n{THINK_TAGS.closing}\n\n" if self._is_thinking else ""
        self._is_thinking = False
        return closing + said

    def _round(self, chunk: Mapping[str, Any], now_s: float) -> Round:
        timings = timings_of(chunk)
        before, self._timings = self._timings, timings or self._timings
        elapsed_ms = 1e3 * (now_s - self._last_s) if self._last_s is not None else 0.0
        is_first, self._last_s = self._last_s is None, now_s
        told = self._timings.predicted - before.predicted
        if 0 < told <= self._told_ahead and self._timings.drafted == before.drafted:
            self._told_ahead -= told  # of a round that was counted whole already
            return _NO_ROUND
        if not self._timings.predicted and self._arrived_ms < _LEAST_MS:
            self._arrived_ms += elapsed_ms
            elapsed_ms = self._arrived_ms if self._arrived_ms >= _LEAST_MS else 0.0
        done = round_between(before, self._timings, tokens=1, elapsed_ms=elapsed_ms)
        self._told_ahead = len(done.tokens) - told if told > 0 else 0
        return replace(done, is_first=True, verify_ms=0.0) if is_first else done

    def _shown(self, text: str, done: Round) -> ReplyAdvanced:
        self._text += text
        is_speculating = bool(self._said_speculating or (self._said_speculating is None and self._stats.verified))
        return ReplyAdvanced(text, done, self._stats, is_speculating)


def _with_opening(text: str) -> str:
    """Of a model whose prompt opens its reasoning, at a server that leaves the text as it is: the tag is missing."""
    before, closing, _ = text.partition(f"\n{THINK_TAGS.closing}\n")
    if not closing or opening_tags(text) is not None or THINK_TAGS.opening in before:
        return text
    return f"{THINK_TAGS.opening}\n{text.lstrip()}"
