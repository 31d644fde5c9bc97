"""`python -m tests.ui.measured_desk RATE TOKENS REPORT`: the desk on a reply of known speed and length, which writes
down what the screen's own thread took for every thousand tokens."""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyEvent, ReplyFinished
from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.app import SparkDeskApp
from tests.ui.fake_desk import STORY, FakeConversation, FakeDesk, Script

ROUND_TOKENS = 4
MARK_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a reply."""

    tokens: int
    at_s: float
    """By the clock that all processes share."""
    cpu_s: float
    """Of the screen's thread."""


class MeasuredConversation(FakeConversation):
    """Replies at `rate` tokens per second, however long the screen takes."""

    rate = 100.0
    tokens = 1000
    report = Path()

    def reply(self, text: str, attachments: Sequence[object] = ()) -> Iterator[ReplyEvent]:
        self._stopped.clear()
        pieces = list(islice(cycle(re.findall(r"\s*\S+|\s+", STORY + "\n")), self.tokens))
        done = Round(
            tokens=(1,) * ROUND_TOKENS,
            is_drafted=(True, True, True, False),
            drafted=5,
            verified=5,
            accepted=3,
            source="draft",
            draft_ms=0.2 * 1e3 * ROUND_TOKENS / self.rate,
            verify_ms=0.8 * 1e3 * ROUND_TOKENS / self.rate,
            plain_ms_per_token=1.6e3 / self.rate,
        )
        yield PrefillAdvanced(20, 20, 0)
        stats, began, marks = ReplyStats(prompt_tokens=20), time.monotonic(), [_mark(0)]
        for count in range(ROUND_TOKENS, self.tokens + 1, ROUND_TOKENS):
            time.sleep(max(0.0, began + count / self.rate - time.monotonic()))
            stats = stats.after(done)
            yield ReplyAdvanced("".join(pieces[count - ROUND_TOKENS : count]), done, stats, True)
            if count % MARK_TOKENS == 0:
                marks.append(_mark(count))
                self.report.write_text(json.dumps([[mark.tokens, mark.at_s, mark.cpu_s] for mark in marks]))
            if self._stopped.is_set():
                break
        yield ReplyFinished("".join(pieces[: stats.generated]), (1,) * stats.generated, "end", stats)


def _mark(tokens: int) -> Mark:
    clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
    return Mark(tokens, time.monotonic(), time.clock_gettime(clock))


def main() -> None:
    rate, tokens, report = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    desk = FakeDesk(Script())
    conversation = MeasuredConversation(desk.script, replace(desk.conversation.speculation))
    conversation.rate, conversation.tokens, conversation.report = rate, tokens, report
    desk.conversation = conversation
    SparkDeskApp(desk).run()


if __name__ == "__main__":
    main()
