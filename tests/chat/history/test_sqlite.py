"""Kept while it comes in, and shortened when it has outgrown the context."""

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ContextTrimmed, ReplyAdvanced, ReplyBroken, ReplyFinished
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.local_responder import LocalResponder, cut, is_too_long
from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.recommended import recommended_sampling
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.model_info import recommended_by
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.errors import EngineCrashed, HistoryError
from tests.reply_scripts import failing, saying, talking_on
from tests.scripted_engine import MODEL, ScriptedEngine

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
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on())), store=history, clock=Clock())
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
    engine = ScriptedEngine(failing(EngineCrashed("The engine crashed (SIGKILL).", ""), "Hi", " there"))
    conversation = Conversation(LocalResponder(engine), store=history)
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyBroken) and last.needs_reload
    kept = history.read(history.newest()[0].key).tree.messages[-1]
    assert (kept.content, kept.is_partial) == ("Hi there", True) and "SIGKILL" in kept.note


def test_the_origins_of_a_reply_are_kept_at_its_end() -> None:
    """Not every second: to write those of a long reply takes longer than the reply can wait."""
    history = MemoryHistory()
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on())), store=history, clock=Clock())
    events = conversation.reply("Hello")
    for _ in range(8):
        next(events)
    assert conversation.messages[-1].trace is None and len(conversation.messages[-1].content) >= 3
    conversation.stop()
    list(events)
    trace = conversation.messages[-1].trace
    assert trace is not None and sum(each.length for each in trace.stretches) == len(conversation.messages[-1].content)


def test_leaving_waits_until_the_reply_is_kept() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on(began := threading.Event()))))
    thread = threading.Thread(target=lambda: list(conversation.reply("Hello")))
    thread.start()
    assert began.wait(10)
    conversation.rest(10.0)
    assert conversation.messages[-1].note == "Stopped."
    thread.join(10)
    conversation.rest(10.0)  # nothing to wait for


def test_a_message_whose_reply_came_to_nothing_is_kept_without_one() -> None:
    history = MemoryHistory()
    engine = ScriptedEngine(failing(EngineCrashed("The engine crashed (SIGKILL).", "")))
    conversation = Conversation(LocalResponder(engine), store=history)
    list(conversation.reply("Hello"))
    assert conversation.key is not None
    (kept,) = history.read(conversation.key).tree.messages
    assert (kept.role, kept.content) == ("user", "Hello") and conversation.messages == (kept,)


def test_a_title_of_the_users_own_is_known_at_once() -> None:
    history = MemoryHistory()
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))), store=history)
    list(conversation.reply("Hello"))
    assert conversation.title == "Hello" and conversation.key is not None
    history.rename(conversation.key, "Greetings")
    assert conversation.title == "Greetings"


def test_a_history_that_fails_costs_no_reply() -> None:
    class Full:
        not_kept = ""

        def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int | None:
            raise HistoryError("The disk is full.", "Make room.")

        def own_title(self, key: int | None) -> str:
            return ""

    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))), store=Full())
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.text == "Hi"
    assert conversation.not_kept == "The disk is full. Make room."


_TALKER = """
import sys
from pathlib import Path
from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.local_responder import LocalResponder
from tests.scripted_engine import ScriptedEngine
from tests.reply_scripts import talking_on
import time
conversation = Conversation(LocalResponder(ScriptedEngine(talking_on())), store=SqliteHistory(Path(sys.argv[1])))
for event in conversation.reply("Talk on"):
    print(len(getattr(event, "text", "")), flush=True)
    time.sleep(0.02)
"""


def test_a_desk_that_is_killed_has_kept_next_to_everything(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    talker = subprocess.Popen(
        [sys.executable, "-c", _TALKER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
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
    engine = ScriptedEngine(saying("x" * 40), model=SMALL)
    conversation = Conversation(LocalResponder(engine))
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


def test_a_conversation_of_years_is_not_counted_whole_to_leave_most_of_it_out() -> None:
    messages = [Message("user" if index % 2 == 0 else "assistant", "y" * 500) for index in range(2000)]
    counted: list[int] = []

    def count(begin: int) -> int:
        counted.append(len(messages) - begin)
        return 125 * (len(messages) - begin)

    begin = cut(messages, 0, 4096, count=count)
    assert 0.5 * 4096 < 125 * (len(messages) - begin) <= 0.75 * 4096
    assert sum(counted) < 300, "in messages"
    assert cut(messages, begin, 4096, count=count) == begin


@settings(max_examples=300)
@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=40),
    context=st.integers(100, 5000),
    density=st.sampled_from([1, 4, 40]),
)
def test_what_is_left_fits_and_no_more_is_left_out_than_needed(sizes: list[int], context: int, density: int) -> None:
    """However many characters a token has, which decides where the counting begins."""
    messages = [
        Message("user" if index % 2 == 0 else "assistant", "y" * (density * size)) for index, size in enumerate(sizes)
    ]

    def count(begin: int) -> int:
        return sum(sizes[begin:])

    begin = cut(messages, 0, context, count=count)
    last_asked = max(index for index, message in enumerate(messages) if message.role == "user")
    assert messages[begin].role == "user" and begin <= last_asked
    if begin:
        assert count(begin) <= 0.75 * context or begin == last_asked
        assert count(begin - 2) > 0.75 * context
    else:
        assert not is_too_long(count(0), context) or len(messages) <= 2


def test_a_reply_that_filled_the_context_goes_on_with_less_before_it() -> None:
    engine = ScriptedEngine(saying("x" * 90), model=SMALL)
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("y" * 30))
    engine.script = saying("x" * 180, stop_reason="context")
    list(conversation.reply("y" * 40))
    engine.script = saying("!")
    first, *_, last = conversation.go_on()
    assert first == ContextTrimmed(2) and isinstance(last, ReplyFinished) and last.text == "x" * 180 + "!"
    assert conversation.left_out == 2 and len(conversation.messages) == 4 and not conversation.messages[-1].note


def test_a_message_too_long_by_itself_is_the_engines_to_refuse() -> None:
    messages = [Message("user", "a"), Message("assistant", "b"), Message("user", "c" * 500)]
    assert cut(messages, 0, 400, count=lambda begin: 520 - begin) == 2
    assert is_too_long(390, 400) and not is_too_long(300, 400)


def test_the_system_prompt_is_never_left_out() -> None:
    engine = ScriptedEngine(saying("x" * 40), model=SMALL)
    conversation = Conversation(LocalResponder(engine), settings=ChatSettings(system_prompt="Always rhyme."))
    for _ in range(10):
        list(conversation.reply("y" * 30))
    text = "".join(chr(token) for token in engine.prompts[-1] if token < 1000)
    assert conversation.left_out > 0 and "Always rhyme." in text


def test_what_the_makers_recommend() -> None:
    switched = "{% if enable_thinking %}"
    qwen = replace(MODEL, architecture="qwen3", chat_template=switched)
    assert recommended_sampling(qwen, is_thinking=True).temperature == 0.6
    assert recommended_sampling(qwen, is_thinking=False).top_p == 0.8
    assert recommended_sampling(replace(MODEL, architecture="gemma4"), is_thinking=False).top_k == 64
    own = recommended_by({"general.sampling.temp": 0.5, "general.sampling.top_k": 10, "general.sampling.top_p": "x"})
    assert own == SamplingSettings(temperature=0.5, top_k=10, top_p=1.0, min_p=0.0)
    assert recommended_sampling(replace(qwen, recommended=own), is_thinking=True) == own
    assert recommended_sampling(replace(MODEL, recommended=own), is_thinking=False) == own
    assert recommended_by({}) is None and recommended_sampling(None, is_thinking=False) == SamplingSettings()


def test_a_file_that_recommends_what_is_meant_for_thinking_means_thinking() -> None:
    """Files of Qwen3 say 0.6 and 0.95, which is for thoughts; a model that always thinks takes it as it stands."""
    said = recommended_by({"general.sampling.temp": 0.6, "general.sampling.top_k": 20, "general.sampling.top_p": 0.95})
    hybrid = replace(MODEL, architecture="qwen3", chat_template="{% if enable_thinking %}", recommended=said)
    assert recommended_sampling(hybrid, is_thinking=True).temperature == 0.6
    assert recommended_sampling(hybrid, is_thinking=False).temperature == 0.7
    assert recommended_sampling(replace(hybrid, chat_template="<think>"), is_thinking=False).temperature == 0.6


@pytest.mark.parametrize("text", ["ends in half a **", "plain"])
def test_stretches_add_up_at_every_event(text: str) -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying(*text))))
    for event in conversation.reply("Hello"):
        if isinstance(event, ReplyAdvanced):
            assert sum(each.length for each in event.stretches) == len(event.text)


def test_halves_of_characters_are_kept_as_a_question_mark(tmp_path: Path) -> None:
    """The name of an attached file that is not UTF-8 ended the program when the message was kept."""
    history, tree = SqliteHistory(tmp_path / "kept.db"), MessageTree()
    attached = Attachment("caf\udce9.txt", "text \ud800")
    tree.add(Message("user", "Read \udcff this", attachments=(attached,), model="\udcfe"), None)
    key = history.keep(None, tree, ChatSettings(system_prompt="\udcff"))
    assert key is not None
    history.rename(key, "T\udcff")
    kept = history.read(key)
    assert kept.tree.messages[0].content == "Read ? this" and kept.title == "T?"
    assert kept.tree.messages[0].attachments == (Attachment("caf?.txt", "text ?"),)
    assert history.newest()[0].model == "?"
    history.close()
