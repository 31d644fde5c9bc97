"""Kept while it comes in, and shortened when it has outgrown the context."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ContextTrimmed, ReplyAdvanced, ReplyBroken, ReplyFinished
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.local_speaker import LocalSpeaker
from sparkdesk.chat.messages import Message
from sparkdesk.chat.recommended import recommended_sampling
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.chat.trimming import cut, is_too_long
from sparkdesk.engine.recommendation import recommended_by
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.errors import EngineCrashed, HistoryError
from tests.chat.fake_engine import MODEL, FakeEngine, failing, saying, talking_on

SMALL = replace(MODEL, context_tokens=400)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.4
        return self.now


def test_a_reply_is_kept_while_it_comes_in() -> None:
    """Whatever happens to the program, no more than a second of it is lost."""
    history = MemoryHistory()
    conversation = Conversation(LocalSpeaker(FakeEngine(talking_on())), keeper=history, clock=Clock())
    events = conversation.reply("Hello")
    next(events)
    assert [each.message_count for each in history.newest()] == [1], "what was sent is kept at once"
    for _ in range(6):
        next(events)
    kept = history.read(history.newest()[0].key).tree.messages[-1]
    assert kept.role == "assistant" and len(kept.content) >= 3 and "ended before" in kept.note
    conversation.stop()
    list(events)
    assert conversation.messages[-1].note == "Stopped."


def test_a_crash_keeps_what_had_come() -> None:
    history = MemoryHistory()
    engine = FakeEngine(failing(EngineCrashed("The engine crashed (SIGKILL).", ""), "Hi", " there"))
    conversation = Conversation(LocalSpeaker(engine), keeper=history)
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyBroken) and last.needs_reload
    kept = history.read(history.newest()[0].key).tree.messages[-1]
    assert (kept.content, kept.is_partial) == ("Hi there", True) and "SIGKILL" in kept.note


def test_what_came_to_nothing_is_not_kept() -> None:
    history = MemoryHistory()
    engine = FakeEngine(failing(EngineCrashed("The engine crashed (SIGKILL).", "")))
    conversation = Conversation(LocalSpeaker(engine), keeper=history)
    list(conversation.reply("Hello"))
    assert not conversation.messages


def test_a_history_that_fails_costs_no_reply() -> None:
    class Full:
        def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int:
            raise HistoryError("The disk is full.", "Make room.")

    conversation = Conversation(LocalSpeaker(FakeEngine(saying("Hi"))), keeper=Full())
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.text == "Hi"
    assert conversation.not_kept == "The disk is full. Make room."


_TALKER = """
import sys
from pathlib import Path
from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.local_speaker import LocalSpeaker
from tests.chat.fake_engine import FakeEngine, talking_on
import time
conversation = Conversation(LocalSpeaker(FakeEngine(talking_on())), keeper=SqliteHistory(Path(sys.argv[1])))
for event in conversation.reply("Talk on"):
    print(len(getattr(event, "text", "")), flush=True)
    time.sleep(0.02)
"""


def test_a_desk_that_is_killed_has_kept_next_to_everything(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    talker = subprocess.Popen(
        [sys.executable, "-c", _TALKER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert talker.stdout is not None
    began = time.monotonic()
    said = 0
    while time.monotonic() - began < 2.5:
        said += int(talker.stdout.readline())
    talker.kill()
    talker.wait()
    history = SqliteHistory(path)
    (summary,) = history.newest()
    _, reply = history.read(summary.key).tree.messages
    assert reply.is_partial and len(reply.content) >= 0.3 * said > 10


def test_the_oldest_turns_are_left_out_when_the_context_is_full() -> None:
    engine = FakeEngine(saying("x" * 40), model=SMALL)
    conversation = Conversation(LocalSpeaker(engine))
    trimmed: list[int] = []
    for turn in range(12):
        events = list(conversation.reply(f"Question {turn:02} " + "y" * 20))
        assert isinstance(events[-1], ReplyFinished)
        trimmed += [event.left_out for event in events if isinstance(event, ContextTrimmed)]
        assert len(engine.prompts[-1]) <= SMALL.context_tokens
    cuts = sorted(set(trimmed))
    assert 2 <= len(cuts) <= 4, "each cut lasts for several turns"
    assert all(number % 2 == 0 for number in cuts), "whole turns go"
    assert conversation.left_out == cuts[-1] and len(conversation.messages) == 24, "nothing is forgotten, only not read"
    assert conversation.count("z").left_out >= cuts[-1]


def test_a_message_too_long_by_itself_is_the_engines_to_refuse() -> None:
    messages = [Message("user", "a"), Message("assistant", "b"), Message("user", "c" * 500)]
    assert cut(messages, 0, 400, count=lambda begin: 520 - begin) == 2
    assert is_too_long(390, 400) and not is_too_long(300, 400)


def test_the_system_prompt_is_never_left_out() -> None:
    engine = FakeEngine(saying("x" * 40), model=SMALL)
    conversation = Conversation(LocalSpeaker(engine), settings=ChatSettings(system_prompt="Always rhyme."))
    for _ in range(10):
        list(conversation.reply("y" * 30))
    text = "".join(chr(token) for token in engine.prompts[-1] if token < 1000)
    assert conversation.left_out > 0 and "Always rhyme." in text


def test_what_the_makers_recommend() -> None:
    qwen = replace(MODEL, architecture="qwen3")
    assert recommended_sampling(qwen, is_thinking=True).temperature == 0.6
    assert recommended_sampling(qwen, is_thinking=False).top_p == 0.8
    assert recommended_sampling(replace(MODEL, architecture="gemma4"), is_thinking=False).top_k == 64
    own = recommended_by({"general.sampling.temp": 0.5, "general.sampling.top_k": 10, "general.sampling.top_p": "x"})
    assert own == SamplingSettings(temperature=0.5, top_k=10, top_p=1.0, min_p=0.0)
    assert recommended_sampling(replace(MODEL, recommended=own), is_thinking=False) == own
    assert recommended_by({}) is None and recommended_sampling(None, is_thinking=False) == SamplingSettings()


@pytest.mark.parametrize("text", ["ends in half a **", "plain"])
def test_stretches_add_up_at_every_event(text: str) -> None:
    conversation = Conversation(LocalSpeaker(FakeEngine(saying(*text))))
    for event in conversation.reply("Hello"):
        if isinstance(event, ReplyAdvanced):
            assert sum(each.length for each in event.stretches) == len(event.text)
