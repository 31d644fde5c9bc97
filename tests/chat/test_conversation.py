"""A conversation over a scripted engine: what is kept, what is told, and what a second thread may do meanwhile."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat_format.chat_template import ChatTemplateError
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull, EngineClosed, EngineCrashed, EngineError, UsageError
from tests.reply_scripts import failing, saying, talking_on, writing
from tests.scripted_engine import MERGED, MODEL, ScriptedEngine

CRASH = EngineCrashed("The engine crashed (SIGSEGV).", "Load the model again.")


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.messages]


def shown(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReplyAdvanced))


def test_a_reply_is_told_round_by_round_and_kept() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi", " there"))))
    events = list(conversation.reply("Hello"))
    assert [type(event) for event in events] == [PrefillAdvanced, ReplyAdvanced, ReplyAdvanced, ReplyFinished]
    last = events[-1]
    assert isinstance(last, ReplyFinished)
    assert (last.text, last.tokens, last.stop_reason) == ("Hi there", tuple(map(ord, "Hi there")), "end")
    assert said(conversation) == [("user", "Hello"), ("assistant", "Hi there")]
    kept = conversation.messages[-1]
    assert kept.trace is not None and sum(each.length for each in kept.trace.stretches) == len(kept.content)
    assert replace(kept, trace=None) == Message("assistant", "Hi there", stats=last.stats, model="Scripted")
    assert last.stats.plain_ms_per_token == 7.0, "the figures are the engine's own"


@pytest.mark.parametrize("text", ["**bold**", "5 *", "€", "a <th", "` `"])
def test_the_text_shown_is_the_whole_reply(text: str) -> None:
    """What is held back for its next character must come out when there is none."""
    conversation = Conversation(LocalResponder(ScriptedEngine(saying(*text))))
    events = list(conversation.reply("Hello"))
    assert shown(events) == text == conversation.messages[-1].content
    assert sum(len(event.round.tokens) for event in events if isinstance(event, ReplyAdvanced)) == len(text)


def test_the_second_turn_brings_the_first_along_and_reuses_its_tokens() -> None:
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("Hello"))
    *_, _last = events = list(conversation.reply("Bye"))
    assert engine.reused[1] == len(engine.prompts[0]) + 2
    assert isinstance(events[0], PrefillAdvanced) and events[0].reused == engine.reused[1]


def test_three_turns_in_tokens_of_the_models_own_are_still_reused() -> None:
    """Every reply differs from what the tokenizer would make of it; each turn builds on the tokens before it."""

    engine = ScriptedEngine(writing(MERGED + 3))
    conversation = Conversation(LocalResponder(engine))
    for text in ("One", "Two", "Three"):
        list(conversation.reply(text))
    assert engine.reused[1:] == [len(prompt) + 1 for prompt in engine.prompts[:2]]


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_message_is_refused(text: str) -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))))
    with pytest.raises(UsageError, match="nothing to send"):
        conversation.reply(text)
    assert not conversation.messages


def test_without_a_model_the_reply_is_broken_off_with_the_reason() -> None:
    (event,) = Conversation(LocalResponder(ScriptedEngine(saying(), model=None))).reply("Hello")
    assert isinstance(event, ReplyBroken) and event.needs_reload and "No model" in event.cause


def test_stop_keeps_what_came_and_marks_it() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on())))
    events = []
    for event in conversation.reply("Hello"):
        events.append(event)
        if len(events) == 4:
            conversation.stop()
    last = events[-1]
    assert isinstance(last, ReplyFinished) and last.stop_reason == "cancelled"
    assert conversation.messages[-1].is_partial and conversation.messages[-1].note == "Stopped."
    assert conversation.messages[-1].content == "xxx"


def test_stop_from_another_thread_ends_the_reply() -> None:
    began = threading.Event()
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on(began))))
    events: list[ReplyEvent] = []
    worker = threading.Thread(target=lambda: events.extend(conversation.reply("Hello")))
    worker.start()
    began.wait(5)
    conversation.stop()
    worker.join(5)
    assert isinstance(events[-1], ReplyFinished) and events[-1].stop_reason == "cancelled"


def test_stop_in_the_moment_before_the_engine_begins_is_not_lost() -> None:
    """The engine ignores a cancel while it makes no reply; the user pressed Esc and would watch it answer."""
    engine = ScriptedEngine(talking_on())
    conversation = Conversation(LocalResponder(engine))
    engine.before_reply = lambda number: conversation.stop()
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.stop_reason == "cancelled"


@pytest.mark.parametrize("how", ["stopped", "left", "engine closed", "engine died"])
def test_a_message_is_kept_from_the_moment_it_is_sent(how: str) -> None:
    """Leaving with Ctrl+Q, or Esc, while the prompt was read lost the message for good."""
    died = EngineClosed("The engine was closed.") if how == "engine closed" else CRASH
    engine = ScriptedEngine(failing(died) if how.startswith("engine") else talking_on())
    conversation = Conversation(LocalResponder(engine))
    events = conversation.reply("Hello")
    for event in events:
        assert [message.content for message in conversation.messages] == ["Hello"]
        if isinstance(event, PrefillAdvanced) and how == "left":
            events.close()  # type: ignore[attr-defined]  # a generator
        elif isinstance(event, PrefillAdvanced) and how == "stopped":
            conversation.stop()
    assert [(message.role, message.content) for message in conversation.messages] == [("user", "Hello")]
    engine.script = saying("Hi")
    list(conversation.regenerate())
    assert [message.content for message in conversation.messages] == ["Hello", "Hi"]


def test_a_message_after_an_unanswered_one_is_read_with_it() -> None:
    """Two questions in a row are what many templates refuse."""
    engine = ScriptedEngine(talking_on())
    conversation = Conversation(LocalResponder(engine))
    for event in conversation.reply("Hello"):
        if isinstance(event, PrefillAdvanced):
            conversation.stop()
    engine.script = saying("Hi")
    list(conversation.reply("Are you there?"))
    assert [message.content for message in conversation.messages] == ["Hello", "Are you there?", "Hi"]


def test_stop_without_a_reply_does_not_touch_the_next_one() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))))
    conversation.stop()
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.stop_reason == "end"


def test_an_iterator_closed_early_keeps_what_came() -> None:
    """The screen goes away in mid-reply."""
    engine = ScriptedEngine(talking_on())
    conversation = Conversation(LocalResponder(engine))
    events = conversation.reply("Hello")
    for _ in range(3):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert engine.closed_early == 1
    assert said(conversation)[-1] == ("assistant", "xx") and conversation.messages[-1].is_partial
    engine.script = saying("Hi")
    assert isinstance(list(conversation.reply("Again"))[-1], ReplyFinished)


def test_an_iterator_dropped_after_its_last_event_keeps_the_reply_once() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))))
    for event in conversation.reply("Hello"):
        if isinstance(event, ReplyFinished):
            break
    assert len(conversation.messages) == 2 and not conversation.messages[-1].is_partial


def test_a_crash_keeps_the_text_and_a_reload_goes_on() -> None:
    """The reply so far is what the user was reading; the conversation must not be lost with the process."""
    conversation = Conversation(LocalResponder(ScriptedEngine(failing(CRASH, "Hi", " **"))))
    events = list(conversation.reply("Hello"))
    last = events[-1]
    assert isinstance(last, ReplyBroken) and last.needs_reload
    assert last.text == shown(events) == "Hi **"
    assert last.cause == CRASH.message and last.hint == CRASH.hint
    assert conversation.messages[-1].is_partial and conversation.messages[-1].note == CRASH.message
    fresh = ScriptedEngine(saying("Again"))
    conversation.attach(LocalResponder(fresh))
    assert isinstance(list(conversation.reply("Go on"))[-1], ReplyFinished)
    assert fresh.prompts[0] == fresh.tokenize(
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi **<|im_end|>\n"
        "<|im_start|>user\nGo on<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        EngineClosed("The engine was closed.", "Load a model to go on."),
        EngineError("The engine was closed."),
        EngineCrashed("The engine stalled and was ended."),
    ],
)
def test_leaving_in_mid_reply_is_no_fault_of_the_engine(error: EngineError) -> None:
    """ "The engine was closed." was kept as the cause; the user had left, or had stopped what did not stop."""
    engine = ScriptedEngine(failing(error, "Hi", " there"), heeds_cancel=False)
    conversation = Conversation(LocalResponder(engine))
    for event in conversation.reply("Hello"):
        if isinstance(event, ReplyAdvanced):
            conversation.stop()
    kept = conversation.messages[-1]
    assert (kept.content, kept.note, kept.is_partial) == ("Hi there", "Stopped.", True)


def test_an_engine_that_is_closed_under_a_reply_is_no_cause_either() -> None:
    error = EngineClosed("The engine was closed.", "Load a model to go on.")
    conversation = Conversation(LocalResponder(ScriptedEngine(failing(error, "Hi"))))
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyBroken) and last.needs_reload and last.cause.startswith("Stopped")
    assert conversation.messages[-1].note == "Stopped."


def test_an_engine_that_died_while_idle_is_told_the_same_way() -> None:
    class Dead(ScriptedEngine):
        def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
            raise CRASH

    (event,) = Conversation(LocalResponder(Dead(saying()))).reply("Hello")
    assert isinstance(event, ReplyBroken) and event.needs_reload


def test_an_error_that_leaves_the_engine_alive_needs_no_reload() -> None:
    *_, last = Conversation(LocalResponder(ScriptedEngine(failing(EngineError("A pass failed."), "Hi")))).reply("Hello")
    assert isinstance(last, ReplyBroken) and not last.needs_reload


def test_a_full_context_is_said_with_what_to_try_and_nothing_is_kept() -> None:
    """The message did not fit: keeping it would make every later turn fail as well."""
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("Hello"))
    engine.script = failing(ContextFull("The prompt has 9 tokens, the context holds 8.", "Shorten it."))
    *_, last = conversation.reply("Much too long")
    assert isinstance(last, ReplyBroken) and not last.needs_reload
    assert "context holds 8" in last.cause and "new conversation" in last.hint
    assert len(conversation.messages) == 2


def test_a_template_that_refuses_raises_before_anything_is_kept() -> None:
    engine = ScriptedEngine(saying("Hi"), model=replace(MODEL, chat_template="{{ raise_exception('no') }}"))
    conversation = Conversation(LocalResponder(engine))
    with pytest.raises(ChatTemplateError):
        list(conversation.reply("Hello"))
    conversation.settings = ChatSettings(is_raw=True)
    assert isinstance(list(conversation.reply("Hello"))[-1], ReplyFinished)


def test_speculation_switches_at_once_and_for_later_replies() -> None:
    engine = ScriptedEngine(saying("a", "b", "c"))
    conversation = Conversation(LocalResponder(engine))
    events = conversation.reply("Hello")
    next(events)
    conversation.set_speculation(False, 5)
    assert engine.switches[0] == SpeculationSettings(False, 5)
    list(events)
    list(conversation.reply("Again"))
    assert engine.settings[-1].speculation == SpeculationSettings(False, 5)
    conversation.set_speculation(True)
    assert conversation.settings.speculation == SpeculationSettings(True, None)


def test_a_switch_thrown_before_the_engine_begins_is_not_lost() -> None:
    """The reply left with the old setting, and the engine had no reply yet to apply the new one to."""
    engine = ScriptedEngine(saying("a", "b"))
    conversation = Conversation(LocalResponder(engine))
    engine.before_reply = lambda number: conversation.set_speculation(False)
    list(conversation.reply("Hello"))
    assert engine.switches == [SpeculationSettings(False)] * 2


def test_settings_hold_from_the_next_reply_on() -> None:
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine), settings=ChatSettings(max_tokens=3))
    list(conversation.reply("Hello"))
    assert engine.settings[-1].max_tokens == 3
    conversation.settings = ChatSettings(sampling=SamplingSettings(temperature=0))
    list(conversation.reply("Hello"))
    assert engine.settings[-1].max_tokens == 0 and engine.settings[-1].sampling.temperature == 0


def test_a_reply_still_ending_stays_in_its_own_conversation() -> None:
    """The screen starts a new one while the stopped reply is on its last round; its text must not open the new one."""
    engine = ScriptedEngine(talking_on())
    conversation = Conversation(LocalResponder(engine))
    events: Iterator[ReplyEvent] = conversation.reply("Hello")
    for _ in range(3):
        next(events)
    conversation.stop()
    other = Conversation(LocalResponder(engine))
    list(events)
    assert not other.messages and other.token_count() == 0
    assert len(conversation.messages) == 2


def test_tokens_are_counted_while_they_come() -> None:
    engine = ScriptedEngine(saying("Hi", " there"))
    conversation = Conversation(LocalResponder(engine))
    counts = [conversation.token_count() for _ in conversation.reply("Hello")]
    start = len(engine.prompts[0])
    assert counts == [start, start + 2, start + 8, start + 8]
    assert conversation.token_count() == start + 8


def test_a_second_reply_is_refused_while_one_comes_in() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(talking_on())))
    events = conversation.reply("Hello")
    next(events)
    with pytest.raises(UsageError, match="still coming in"):
        next(conversation.reply("Me too"))
    conversation.stop()
    list(events)


def test_a_second_reply_waits_for_a_stopped_one() -> None:
    """Stop and ask again at once: two workers, and the first has not seen its last event yet."""
    engine = ScriptedEngine(talking_on())
    conversation = Conversation(LocalResponder(engine))
    first = conversation.reply("Hello")
    next(first), next(first)
    conversation.stop()
    second: list[ReplyEvent] = []
    worker = threading.Thread(target=lambda: second.extend(conversation.reply("Again")))
    worker.start()
    worker.join(0.1)
    assert worker.is_alive() and not second
    engine.script = saying("Hi")
    list(first)
    worker.join(5)
    assert isinstance(second[-1], ReplyFinished)
    assert said(conversation)[1:] == [("assistant", "x"), ("user", "Again"), ("assistant", "Hi")]


@pytest.mark.parametrize(("stop_reason", "word"), [("length", "token limit"), ("context", "context is full")])
def test_a_reply_that_was_cut_says_so(stop_reason: str, word: str) -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi", stop_reason=stop_reason))))
    list(conversation.reply("Hello"))
    assert word in conversation.messages[-1].note and not conversation.messages[-1].is_partial


@pytest.mark.parametrize(("again_after_s", "is_ended"), [(0.1, False), (0.6, False), (0.8, True), (30.0, True)])
def test_a_stop_that_was_not_heeded_ends_the_engine_when_it_is_said_again(again_after_s: float, is_ended: bool) -> None:
    """Esc did nothing to an engine that hung. Pressed twice in a hurry, it must not cost a model that is loaded."""
    now_s = 100.0
    engine = ScriptedEngine(saying("Hi", " there"))
    conversation = Conversation(LocalResponder(engine), clock=lambda: now_s)
    events = conversation.reply("Hello")
    next(events)
    conversation.stop()
    assert engine.is_cancelled and engine.model is not None
    now_s += again_after_s
    conversation.stop()
    assert (engine.model is None) is is_ended
    assert isinstance(list(events)[-1], ReplyFinished | ReplyBroken)


def test_a_reply_can_be_abandoned_at_once_and_is_kept_as_stopped() -> None:
    engine = ScriptedEngine(failing(EngineClosed("The engine was closed."), "Hi"))
    conversation = Conversation(LocalResponder(engine))
    for event in conversation.reply("Hello"):
        if isinstance(event, ReplyAdvanced):
            conversation.abandon()
    assert engine.model is None and conversation.messages[-1].note == "Stopped."
    assert isinstance(event, ReplyFinished | ReplyBroken)
    conversation.abandon()  # nothing is being made: nothing to end
