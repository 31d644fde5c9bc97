"""Editing, making a reply again and going on with it, over a scripted engine."""

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.local_speaker import LocalSpeaker
from sparkdesk.chat.messages import Attachment, Branch
from sparkdesk.errors import UsageError
from tests.chat.fake_engine import FakeEngine, saying


def said(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def test_a_reply_made_again_stands_beside_the_first() -> None:
    engine = FakeEngine(saying("Hi"))
    conversation = Conversation(LocalSpeaker(engine))
    list(conversation.reply("Hello"))
    engine.script = saying("Ho")
    list(conversation.regenerate())
    assert said(conversation) == ["Hello", "Ho"] and conversation.branch(1) == Branch(2, 2)
    assert engine.prompts[0] == engine.prompts[1]
    conversation.switch_branch(1, -1)
    assert said(conversation) == ["Hello", "Hi"]


def test_an_edited_prompt_is_answered_without_what_followed_it() -> None:
    engine = FakeEngine(saying("Hi"))
    conversation = Conversation(LocalSpeaker(engine))
    files = (Attachment("notes.txt", "seven"),)
    list(conversation.reply("Hello", files))
    list(conversation.reply("Bye"))
    list(conversation.edit(0, "Good day"))
    assert said(conversation) == ["Good day", "Hi"] and conversation.messages[0].attachments == files
    assert "".join(map(chr, [token for token in engine.prompts[-1] if token < 256])).count("seven") == 1
    with pytest.raises(UsageError, match="wrote yourself"):
        conversation.edit(1, "No")


def test_a_cut_reply_goes_on_where_it_ended() -> None:
    engine = FakeEngine(saying("Hi", stop_reason="length"))
    conversation = Conversation(LocalSpeaker(engine))
    list(conversation.reply("Hello"))
    engine.script = saying(" there")
    *events, last = conversation.go_on()
    assert isinstance(last, ReplyFinished) and last.text == "Hi there"
    assert "".join(event.text for event in events if isinstance(event, ReplyAdvanced)) == " there"
    kept = conversation.messages[-1]
    assert said(conversation) == ["Hello", "Hi there"] and not kept.note
    assert kept.trace is not None and sum(each.length for each in kept.trace.stretches) == len("Hi there")
    assert engine.reused[-1] == len(engine.prompts[0]) + len("Hi"), "nothing is read twice"


def test_what_was_said_is_kept_and_can_be_opened_again() -> None:
    history = MemoryHistory()
    engine = FakeEngine(saying("Hi"))
    conversation = Conversation(LocalSpeaker(engine), keeper=history)
    assert conversation.key is None
    list(conversation.reply("Hello, you"))
    assert conversation.key is not None and [each.title for each in history.newest()] == ["Hello, you"]
    kept = history.read(conversation.key)
    again = Conversation(LocalSpeaker(engine), tree=kept.tree, key=conversation.key, keeper=history)
    list(again.regenerate())
    assert again.branch(1) == Branch(2, 2) and len(history.newest()) == 1


def test_nothing_to_make_again_or_to_go_on_with() -> None:
    conversation = Conversation(LocalSpeaker(FakeEngine(saying("Hi"))))
    with pytest.raises(UsageError, match="no reply"):
        conversation.regenerate()
    with pytest.raises(UsageError, match="no reply"):
        conversation.go_on()
