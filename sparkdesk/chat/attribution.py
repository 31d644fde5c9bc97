"""Tells which token brought which characters of a reply. Pure; knows bytes, rounds and counts of characters."""

import codecs
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from sparkdesk.chat.trace import BONUS, PLAIN, RoundMark, Stretch
from sparkdesk.engine.round import Round


class Attribution:
    """Fed with tokens, gives stretches of the characters that are shown, however late that is."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting: deque[Stretch] = deque()
        """Characters that are whole but not shown yet."""
        self._latest = Stretch(0, PLAIN)

    def add(self, pieces: Sequence[bytes], done: Round) -> None:
        """A round's tokens. A character that took several belongs to the one that completed it."""
        for index, piece in enumerate(pieces):
            self._latest = _origin(done, index)
            length = len(self._decoder.decode(piece))
            if length:
                self._waiting.append(replace(self._latest, length=length))

    def take(self, count: int) -> tuple[Stretch, ...]:
        """Of the next `count` characters. Those of a character that never became whole are the last token's."""
        taken = []
        while count > 0:
            if not self._waiting:
                self._waiting.append(replace(self._latest, length=count))
            first = self._waiting.popleft()
            if first.length > count:
                self._waiting.appendleft(replace(first, length=first.length - count))
                first = replace(first, length=count)
            taken.append(first)
            count -= first.length
        return tuple(taken)


def mark_of(done: Round, *, is_speculating: bool) -> RoundMark:
    return RoundMark(
        tokens=len(done.tokens),
        verified=done.verified,
        accepted=done.accepted,
        source=done.source,
        is_speculating=is_speculating,
        is_parked=done.is_parked,
        elapsed_ms=done.elapsed_ms,
    )


def _origin(done: Round, index: int) -> Stretch:
    if not done.is_drafted[index]:
        return Stretch(0, BONUS if done.verified else PLAIN)
    confidence = done.confidences[index] if index < len(done.confidences) else None
    return Stretch(0, done.source, index + 1, confidence)
