"""`python -m tests.ui.measured_app RATE TOKENS MESSAGES REPORT`: the desk on a reply of known speed and length, after
a conversation of so many messages. Writes down what the screen's own thread took, for opening the conversation or for
every thousand tokens."""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from textual import on
from textual.screen import Screen

import sparkdesk.ui.app
from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyEvent, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.chat.conversations import ConversationOpened
from sparkdesk.ui.chat.screen import ChatScreen
from tests.ui.fake_backend import STORY, FakeBackend, FakeConversation, Script

_STATS = ReplyStats(prompt_tokens=100, generated=120, rounds=40, verified=160, accepted=80, verify_ms=1000.0)
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
                self.report.write_text(json.dumps([astuple(mark) for mark in marks]))
            if self._stopped.is_set():
                break
        yield ReplyFinished("".join(pieces[: stats.generated]), (1,) * stats.generated, "end", stats)


def _mark(tokens: int) -> Mark:
    clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
    return Mark(tokens, time.monotonic(), time.clock_gettime(clock))


class MeasuredScreen(ChatScreen):
    """Tells how long it took until a conversation was painted."""

    report = Path()

    @on(ConversationOpened)
    def measure(self) -> None:
        """Runs before the screen's own handler of the same message."""
        self.call_after_refresh(self._tell, _mark(0))

    def _tell(self, before: Mark) -> None:
        self.report.write_text(json.dumps([astuple(before), astuple(_mark(0))]))


class MeasuredApp(SparkDeskApp):
    CSS_PATH = [str(Path(sparkdesk.ui.app.__file__).parent / name) for name in SparkDeskApp.CSS_PATH]  # noqa: RUF012

    def get_default_screen(self) -> Screen[None]:
        return MeasuredScreen(self.backend)


def main() -> None:
    rate, tokens, messages, report = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    desk = FakeBackend(Script())
    conversation = MeasuredConversation(desk.script, replace(desk.conversation.speculation))
    conversation.rate, conversation.tokens, conversation.report = rate, tokens, report
    for index in range(messages):
        is_asking = index % 2 == 0
        message = Message("user", f"Question {index}?") if is_asking else Message("assistant", STORY, stats=_STATS)
        conversation.tree.add(message, conversation.tree.last)
    MeasuredScreen.report = report
    desk.conversation = conversation
    MeasuredApp(desk).run()


if __name__ == "__main__":
    main()
