"""One question, one answer."""

import pytest

from sparkdesk.chat.oneshot import answer, stream_answer
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.errors import ContextFull
from tests.reply_scripts import failing, saying
from tests.scripted_engine import START, ScriptedEngine


def test_text_goes_through_the_template_and_comes_back_whole() -> None:
    engine = ScriptedEngine(saying("Hi", "**"))
    found = answer(engine, "Hello", settings=ChatSettings())
    assert (found.text, found.stop_reason) == ("Hi**", "end")
    assert found.tokens == tuple(map(ord, "Hi**")) and found.stats.generated == 4
    assert found.prompt == engine.prompts[0] and found.prompt[0] == START


def test_raw_text_and_tokens_go_as_they_are() -> None:
    engine = ScriptedEngine(saying("Hi"))
    assert answer(engine, "ab", settings=ChatSettings(is_raw=True)).prompt == (97, 98)
    assert answer(engine, [5, 6], settings=ChatSettings()).prompt == (5, 6)


def test_an_error_is_raised_and_not_told() -> None:
    """A script looks at the exit code, which comes from the error's class."""
    with pytest.raises(ContextFull):
        answer(ScriptedEngine(failing(ContextFull("Too long."))), "Hello", settings=ChatSettings())


def test_a_stream_closed_early_ends_the_reply() -> None:
    """`sparkdesk chat ... | head -1` must not leave the engine answering."""
    engine = ScriptedEngine(saying(*"abcdef"))
    events = stream_answer(engine, "Hello", settings=ChatSettings())
    next(events)
    events.close()
    assert engine.closed_early == 1
