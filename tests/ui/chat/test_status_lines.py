"""The line at the prompt, and the figures of a conversation that goes on."""

from sparkdesk.chat.messages import Message
from sparkdesk.chat.summary import Count
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.chat.live_stats import LiveStats, Totals
from sparkdesk.ui.chat.status_lines import ATTENTION, QUIET, TROUBLE, count_line


def test_what_a_message_takes_is_said_quietly() -> None:
    line = count_line(Count(1204, 37, 4096), has_words=True)
    assert line == ("37 tokens · 1,204 of 4,096 in context", QUIET)


def test_without_a_message_only_the_context_is_spoken_of() -> None:
    assert count_line(Count(1204, 5, 4096), has_words=False)[0] == "1,204 of 4,096 in context"


def test_messages_that_will_not_be_read_are_never_left_out_silently() -> None:
    line, loudness = count_line(Count(4000, 37, 4096, left_out=4), has_words=True)
    assert line.endswith("the 4 oldest messages will not be read")
    assert loudness == ATTENTION


def test_a_message_too_long_is_called_that() -> None:
    line, loudness = count_line(Count(5000, 4990, 4096), has_words=True)
    assert line == "too long: 5,000 tokens, and the context holds 4,096"
    assert loudness == TROUBLE


def test_a_conversation_that_goes_on_brings_its_figures_along() -> None:
    stats = ReplyStats(
        prompt_tokens=20, generated=6, rounds=2, verified=5, verify_ms=20, plain_tokens=5, plain_tokens_ms=50
    )
    plain = ReplyStats(prompt_tokens=10, generated=3, rounds=2, verify_ms=15, plain_ms_per_token=10)
    said = [Message("assistant", "!", stats=each) for each in (plain, stats)]
    shown = LiveStats(said, in_all=Totals(3, 100, 5.0)).figures()
    assert shown.totals == Totals(2, 9, 30.0)
    assert shown.in_all == Totals(3, 100, 5.0)
    assert shown.context_used == 26
    assert shown.speculation.verified == 5
