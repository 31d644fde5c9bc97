"""Editing, making a reply again and going on with it, over a scripted engine."""

from dataclasses import replace

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.errors import ContextFull, UsageError
from tests.reply_scripts import failing, saying, writing
from tests.scripted_engine import HALF, MERGED, MODEL, ScriptedEngine

THINKING = "{% for m in messages %}{{ m.content }}|{% endfor %}{% if not enable_thinking %}<think></think>{% endif %}"


def said(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def test_a_reply_made_again_stands_beside_the_first() -> None:
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("Hello"))
    engine.script = saying("Ho")
    list(conversation.regenerate())
    assert said(conversation) == ["Hello", "Ho"] and conversation.branch(1) == Branch(2, 2)
    assert engine.prompts[0] == engine.prompts[1]
    conversation.switch_branch(1, -1)
    assert said(conversation) == ["Hello", "Hi"]


def test_an_edited_prompt_is_answered_without_what_followed_it() -> None:
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine))
    files = (Attachment("notes.txt", "seven"),)
    list(conversation.reply("Hello", files))
    list(conversation.reply("Bye"))
    list(conversation.edit(0, "Good day"))
    assert said(conversation) == ["Good day", "Hi"] and conversation.messages[0].attachments == files
    assert "".join(map(chr, [token for token in engine.prompts[-1] if token < 256])).count("seven") == 1
    with pytest.raises(UsageError, match="wrote yourself"):
        conversation.edit(1, "No")


def test_a_cut_reply_goes_on_where_it_ended() -> None:
    engine = ScriptedEngine(saying("Hi", stop_reason="length"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("Hello"))
    engine.script = saying(" there")
    *events, last = conversation.go_on()
    assert isinstance(last, ReplyFinished) and last.text == "Hi there"
    assert "".join(event.text for event in events if isinstance(event, ReplyAdvanced)) == " there"
    kept = conversation.messages[-1]
    assert said(conversation) == ["Hello", "Hi there"] and not kept.note
    assert kept.trace is not None and sum(each.length for each in kept.trace.stretches) == len("Hi there")
    assert engine.reused[-1] == len(engine.prompts[0]) + len("Hi"), "nothing is read twice"
    assert last.stats == kept.stats and last.stats.generated == len("Hi there"), "the figures are those of the whole"
    assert last.stats.prefills == 2 and last.stats.prompt_tokens == len(engine.prompts[0])
    assert [event.stats.generated for event in events if isinstance(event, ReplyAdvanced)] == [len("Hi there")]


def test_a_reply_cut_in_half_a_character_goes_on_with_a_whole_one() -> None:
    """The half is not shown, and neither is it read again: the next token writes the character anew."""
    engine = ScriptedEngine(writing(*map(ord, "caf"), HALF, stop_reason="length"))
    conversation = Conversation(LocalResponder(engine))
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.text == "caf"
    engine.script = saying("é!")
    *_, last = conversation.go_on()
    assert isinstance(last, ReplyFinished) and last.text == "café!"
    assert engine.prompts[1] == (*engine.prompts[0], *map(ord, "caf"))
    kept = conversation.messages[-1]
    assert kept.trace is not None and sum(each.length for each in kept.trace.stretches) == len("café!")


def test_going_on_reads_the_very_tokens_that_were_written() -> None:
    """A reply in other pieces than the tokenizer cuts stays as the model wrote it, and in the cache."""
    engine = ScriptedEngine(writing(*map(ord, "Hi "), MERGED + 3, stop_reason="length"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("Hello"))
    list(conversation.go_on())
    assert engine.prompts[1] == (*engine.prompts[0], *map(ord, "Hi "), MERGED + 3)
    assert conversation.messages[-1].content == "Hi aaaHi aaa"


def test_a_reply_with_thoughts_goes_on_as_one() -> None:
    """Whatever was chosen since: a template without thoughts closes them before the reply begins."""
    engine = ScriptedEngine(saying("<think>\nWell", stop_reason="length"), model=replace(MODEL, chat_template=THINKING))
    conversation = Conversation(LocalResponder(engine), settings=ChatSettings(is_thinking=True))
    list(conversation.reply("Hello"))
    conversation.set_settings(ChatSettings(is_thinking=False))
    list(conversation.go_on())
    assert engine.prompts[1] == (*engine.prompts[0], *map(ord, "<think>\nWell"))
    list(conversation.reply("Bye"))
    assert engine.prompts[-1][-len("</think>") :] == tuple(map(ord, "</think>"))


def test_a_refused_edit_shows_again_what_was_shown() -> None:
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine))
    list(conversation.reply("first"))
    list(conversation.edit(0, "second"))
    conversation.switch_branch(0, -1)
    engine.script = failing(ContextFull("Too long.", ""))
    list(conversation.edit(0, "third"))
    assert said(conversation) == ["first", "Hi"] and conversation.branch(0) == Branch(1, 2)


def test_a_message_without_a_reply_is_read_with_the_next() -> None:
    """The program ended before the reply came. Many templates refuse two messages of one side in a row."""
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine), messages=[Message("user", "one")])
    list(conversation.reply("two"))
    assert engine.prompts[0] == engine.tokenize("<|im_start|>user\none\n\ntwo<|im_end|>\n<|im_start|>assistant\n")
    assert said(conversation) == ["one", "two", "Hi"]


def test_what_was_said_is_kept_and_can_be_opened_again() -> None:
    history = MemoryHistory()
    engine = ScriptedEngine(saying("Hi"))
    conversation = Conversation(LocalResponder(engine), store=history)
    assert conversation.key is None
    list(conversation.reply("Hello, you"))
    assert conversation.key is not None and [each.title for each in history.newest()] == ["Hello, you"]
    kept = history.read(conversation.key)
    again = Conversation(LocalResponder(engine), tree=kept.tree, key=conversation.key, store=history)
    list(again.regenerate())
    assert again.branch(1) == Branch(2, 2) and len(history.newest()) == 1


def test_nothing_to_make_again_or_to_go_on_with() -> None:
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))))
    with pytest.raises(UsageError, match="no reply"):
        conversation.regenerate()
    with pytest.raises(UsageError, match="no reply"):
        conversation.go_on()
