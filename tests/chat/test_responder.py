"""A speaker that is no pair in the engine's process: text that comes in without tokens, rounds or figures."""

from collections.abc import Generator, Sequence

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced, ReplyBroken, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.responder import PromptEvent
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import EngineError


class RemoteLikeResponder:
    """Somewhere else; knows words only."""

    model_name = "Far"
    is_alive = True

    def __init__(self, *words: str, fails: bool = False) -> None:
        self.words, self.fails, self.is_cancelled = words, fails, False
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def answer(
        self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0, begun: str = ""
    ) -> Generator[PromptEvent, None, None]:
        self.asked.append((tuple(message.content for message in messages), begun))
        said, self.is_cancelled = begun, False
        for word in self.words:
            if self.is_cancelled:
                break
            said += word
            yield ReplyAdvanced(word, Round((), ()), ReplyStats(), False)
        if self.fails:
            raise EngineError("The server went away.", "Try again.")
        yield ReplyFinished(said, (), "cancelled" if self.is_cancelled else "end", ReplyStats())

    def count(self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0) -> Count:
        raise EngineError("This server does not count tokens.")

    def set_speculation(self, settings: SpeculationSettings) -> None:
        pass

    def abandon(self) -> None:
        raise AssertionError("not in question here")

    def cancel(self) -> None:
        self.is_cancelled = True


def said(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def test_words_without_figures_are_a_reply() -> None:
    conversation = Conversation(RemoteLikeResponder("Hi ", "there"))
    *_, last = conversation.reply("Hello")
    assert isinstance(last, ReplyFinished) and last.text == "Hi there"
    assert said(conversation) == ["Hello", "Hi there"] and conversation.messages[-1].model == "Far"
    with pytest.raises(EngineError, match="does not count"):
        conversation.count("a")


def test_stopped_and_broken_off_it_is_kept_and_goes_on() -> None:
    """Without a single round: whether something came of it is seen by the text."""
    responder = RemoteLikeResponder("Hi ", "there ", "you")
    conversation = Conversation(responder)
    events = conversation.reply("Hello")
    next(events)
    conversation.stop()
    list(events)
    assert said(conversation) == ["Hello", "Hi "] and conversation.messages[-1].note == "Stopped."
    responder.words, responder.fails = ("again",), True
    *_, last = conversation.go_on()
    assert isinstance(last, ReplyBroken) and not last.needs_reload and last.text == "Hi again"
    assert responder.asked[-1] == (("Hello",), "Hi ")
    assert said(conversation) == ["Hello", "Hi again"] and "went away" in conversation.messages[-1].note
