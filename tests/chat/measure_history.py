"""What the history costs at the size of years of use: `python -m tests.chat.measure_history`."""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import BONUS, DRAFTED, RoundMark, Stretch, Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.stats import ReplyStats

CONVERSATIONS, TURNS, LONG = 1000, 5, 2000
REPLY_TOKENS = 20_000
_REPEATS = 5


def fill(history: SqliteHistory) -> int:
    """A thousand conversations of ten messages, and one of two thousand; returns the key of that one."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]

    def text(count: int) -> str:
        return " ".join(chance.choices(words, k=count))

    def talk(messages: int) -> MessageTree:
        tree = MessageTree()
        for index in range(messages):
            tree.add(Message("user", text(20)) if index % 2 == 0 else reply(text(150)), tree.last)
        return tree

    for _ in range(CONVERSATIONS):
        history.keep(None, talk(2 * TURNS), ChatSettings())
    key = history.keep(None, talk(LONG), ChatSettings())
    assert key is not None
    return key


def reply(text: str) -> Message:
    stretches = [Stretch(4, DRAFTED if place % 4 else BONUS, place % 4, 0.9) for place in range(len(text) // 4)]
    rounds = [RoundMark(4, 5, 3, "draft", True, False, 12.0) for _ in range(len(text) // 16)]
    return Message("assistant", text, stats=ReplyStats(generated=250), trace=Trace(stretches, rounds), model="Measured")


def best_of(act: Callable[[], object], clock: Callable[[], float]) -> float:
    def once() -> float:
        began = clock()
        act()
        return 1e3 * (clock() - began)

    return min(once() for _ in range(_REPEATS))


def measure(folder: Path, *, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Milliseconds."""

    def best_ms(act: Callable[[], object]) -> float:
        return best_of(act, clock)

    path = folder / "history.db"
    filling = SqliteHistory(path)
    long = fill(filling)
    filling.close()
    history = SqliteHistory(path)
    growing = MessageTree()
    asked = growing.add(Message("user", "Talk on"), None)
    growing.add(reply("word " * REPLY_TOKENS), asked)
    key = history.keep(None, growing, ChatSettings())

    def save_grown() -> None:
        """As while it comes in, without its origins."""
        growing.replace(1, Message("assistant", growing.message(1).content + " more"))
        history.keep(key, growing, ChatSettings())

    return {
        "opening the file": best_ms(lambda: SqliteHistory(path).close()),
        f"opening a conversation of {LONG:,} messages": best_ms(lambda: history.read(long)),
        "adding up what was saved": best_ms(history.saved_ms),
        "listing the newest 200": best_ms(lambda: history.newest()),
        f"listing {CONVERSATIONS:,}": best_ms(lambda: history.newest(CONVERSATIONS)),
        "searching a word": best_ms(lambda: history.search("quick ab")),
        "searching one letter": best_ms(lambda: history.search("a")),
        "searching what is no word": best_ms(lambda: history.search("c++")),
        f"saving a reply of {REPLY_TOKENS:,} tokens": best_ms(save_grown),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, taken_ms in measure(Path(folder)).items():
            print(f"{name:<45} {taken_ms:8.1f} ms")


if __name__ == "__main__":
    main()
