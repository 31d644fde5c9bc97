"""Journeys at the chat screen: send, stream, stop, write on, begin anew."""

import pytest
from textual import events

from sparkdesk.chat.messages import Message
from sparkdesk.errors import ContextFull
from sparkdesk.ui.chat.message_lines import LIVE_THOUGHT_LINES
from sparkdesk.ui.chat.state import Stage
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.harness import NARROW, Harness, app_at, open_app


async def test_an_empty_desk_says_what_is_loaded_and_what_to_try() -> None:
    async with open_app() as harness:
        picture = harness.picture()
        assert "3.1 M parameters" in picture
        assert "Its draft Spark Tiny DSpark" in picture
        for example in harness.backend.examples:
            assert example in picture


async def test_a_click_on_an_example_sends_it() -> None:
    async with open_app() as harness:
        await harness.pilot.click("Example")
        await harness.until(lambda: harness.backend.conversation.sent)
        assert harness.backend.conversation.sent == ["Count from 1 to 40."]


async def test_tab_walks_through_the_examples_and_leaves_own_words_alone() -> None:
    async with open_app() as harness:
        await harness.pilot.press("tab", "tab")
        assert harness.prompt.text == harness.backend.examples[1]
        await harness.pilot.press("x", "tab")
        assert harness.prompt.text == harness.backend.examples[1] + "x"


async def test_a_reply_arrives_whole_with_its_figures_below() -> None:
    async with open_app() as harness:
        await harness.ask()
        reply = harness.transcript.newest
        assert reply.text == STORY
        assert "1. how to count," in harness.picture()
        assert "tok/s · " in harness.picture()
        assert "accepted length" in harness.picture()
        assert harness.prompt.text == ""


async def test_the_user_can_write_while_a_reply_streams_but_not_send() -> None:
    async with open_app(FakeBackend(Script(is_gated=True))) as harness:
        await harness.say("first")
        harness.backend.conversation.let(5)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press("n", "e", "x", "t", "enter")
        assert harness.prompt.text == "next"
        assert harness.backend.conversation.sent == ["first"]


async def test_escape_stops_a_reply_and_keeps_what_came() -> None:
    async with open_app(FakeBackend(Script(is_gated=True))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(6)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        reply = harness.transcript.newest
        assert reply.text and STORY.startswith(reply.text)
        assert "■ stopped" in harness.picture()


@pytest.mark.parametrize("rounds_before", [0, 4])
async def test_escape_is_heard_at_once_while_the_round_goes_on(
    rounds_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round may take seconds, and reading a long prompt minutes."""
    backend = FakeBackend(Script(is_gated=True))
    async with open_app(backend) as harness:
        await harness.say("a story")
        if rounds_before:
            backend.conversation.let(rounds_before)
        await harness.until(lambda: bool(harness.transcript.newest.text) == bool(rounds_before))
        stop = backend.conversation.stop
        with monkeypatch.context() as slow:
            slow.setattr(backend.conversation, "stop", lambda: None)
            await harness.pilot.press("escape")
            assert "stopping …" in harness.picture()
        before = harness.transcript.newest.text
        backend.conversation.let(2)
        await harness.until(lambda: harness.transcript.newest.text != before)
        assert "stopping …" in harness.picture(), "what still comes does not say otherwise"
        stop()
        await harness.until(lambda: "■ stopped" in harness.picture())
        assert "stopping …" not in harness.picture()


async def test_new_conversation_in_mid_reply_stops_first_and_then_forgets() -> None:
    async with open_app(FakeBackend(Script(is_gated=True))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(3)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press("ctrl+n")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.backend.started == 1
        assert not harness.transcript.has_turns
        await harness.until(lambda: "Write below" in harness.picture())


async def test_up_and_down_walk_through_history_and_return_to_the_unsent_prompt() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        await harness.ask("two")
        await harness.pilot.press("h", "a", "l", "f", "up", "up")
        assert harness.prompt.text == "one"
        await harness.pilot.press("down", "down")
        assert harness.prompt.text == "half"


async def test_up_inside_several_lines_moves_the_cursor() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        await harness.pilot.press("a", "ctrl+j", "b", "up")
        assert harness.prompt.text == "a\nb"
        await harness.pilot.press("up")
        assert harness.prompt.text == "one"


async def test_every_new_line_key_makes_a_line_and_enter_sends_them_all() -> None:
    async with open_app() as harness:
        await harness.pilot.press("a", "ctrl+j", "b", "shift+enter", "c", "enter")
        await harness.until(lambda: harness.backend.conversation.sent)
        assert harness.backend.conversation.sent == ["a\nb\nc"]


async def test_keys_in_one_burst_keep_their_order() -> None:
    """As a priority binding, Enter overtook the letters before it and found an empty prompt."""
    async with open_app() as harness:
        for key, character in [("a", "a"), ("ctrl+j", "\n"), ("b", "b"), ("enter", "\r")]:
            harness.app.post_message(events.Key(key, character))
        await harness.until(lambda: harness.backend.conversation.sent)
        assert harness.backend.conversation.sent == ["a\nb"]


async def test_a_paste_of_several_lines_is_not_sent() -> None:
    async with open_app() as harness:
        harness.app.post_message(events.Paste("def f():\r\n    return 1\r\n"))
        await harness.pilot.pause()
        assert harness.prompt.text.replace("\r", "") == "def f():\n    return 1\n"
        assert not harness.backend.conversation.sent


async def test_the_view_stays_put_when_the_user_scrolled_up() -> None:
    async with open_app(FakeBackend(Script(text=STORY * 4, is_gated=True)), size=NARROW) as harness:
        await harness.say("a long story")
        harness.backend.conversation.let(60)
        await harness.until(lambda: harness.talk.max_scroll_y > 20)
        assert harness.talk.scroll_y == harness.talk.max_scroll_y
        await harness.pilot.press("pageup")
        await harness.until(lambda: harness.talk.scroll_y < harness.talk.max_scroll_y)
        seen = _words_at_the_top(harness)
        harness.backend.conversation.let(1000)
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        await harness.pilot.pause(0.1)
        assert _words_at_the_top(harness) == seen
        await harness.pilot.press("pagedown", "pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        await harness.until(lambda: "accepted length" in harness.picture())


def _words_at_the_top(harness: Harness) -> list[str]:
    return [
        line.ljust(80)[:79].rstrip() for line in harness.picture().splitlines()[1:10]
    ]  # the last column is the scrollbar's


async def test_thoughts_are_folded_until_asked_for() -> None:
    script = Script(text="<think>\nA spark, maybe.\n</think>\n\nHere is a story.")
    async with open_app(FakeBackend(script)) as harness:
        await harness.ask()
        assert "A spark, maybe." not in harness.picture()
        assert harness.transcript.newest.answer == "Here is a story."
        assert "▸ thought 3 words" in harness.picture()
        await harness.pilot.press("alt+t")
        await harness.pilot.pause()
        assert "A spark, maybe." in harness.picture()


async def test_a_thought_is_seen_in_a_window_while_it_goes_on() -> None:
    thought = " ".join(f"word{number}" for number in range(400))
    desk = FakeBackend(Script(text=f"<think>{thought}</think>\n\nDone.", is_gated=True))
    async with open_app(desk, size=NARROW) as harness:
        await harness.say("think hard")
        desk.conversation.let(60)
        await harness.until(lambda: "thinking … " in harness.picture())
        lines = [line for line in harness.picture().splitlines() if "│ word" in line]
        assert 0 < len(lines) <= LIVE_THOUGHT_LINES
        desk.conversation.let(1000)
        await harness.until(lambda: "▸ thought 400 words" in harness.picture())
        assert "word1 " not in harness.picture()


async def test_html_in_a_reply_stays_visible() -> None:
    async with open_app(FakeBackend(Script(text="Use <b>bold</b> and <details>."))) as harness:
        await harness.ask()
        assert "Use <b>bold</b> and <details>." in harness.picture()


async def test_markup_in_a_prompt_is_shown_to_the_letter() -> None:
    async with open_app() as harness:
        await harness.ask("What is [bold]x[/bold] and [/]?")
        assert "What is [bold]x[/bold] and [/]?" in harness.picture()


async def test_a_refused_prompt_comes_back_with_the_reason() -> None:
    refusal = ContextFull("The prompt has 9000 tokens and the context 4096.", "Shorten it.")
    async with open_app(FakeBackend(Script(refusal=refusal))) as harness:
        await harness.ask("too long")
        assert "The prompt has 9000 tokens" in harness.picture()
        assert harness.prompt.text == "too long"
        assert harness.chat.stage is Stage.READY


async def test_copy_puts_the_answer_on_the_clipboard() -> None:
    async with open_app() as harness:
        await harness.ask()
        await harness.pilot.press("ctrl+y")
        assert harness.app.clipboard == STORY


async def test_quitting_in_mid_reply_closes_the_desk_and_ends_the_reply() -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with open_app(desk) as harness:
        await harness.say("a story")
        desk.conversation.let(4)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press("ctrl+q")
    assert desk.closed == 1
    assert desk.conversation.is_over.wait(2)


async def test_quitting_while_opening_ends_the_opening() -> None:
    from tests.ui.fake_backend import slow_opening

    desk = FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.02))
    async with app_at(desk) as harness:
        await harness.until(lambda: "Converting the target" in harness.picture())
        await harness.pilot.press("ctrl+q")
    assert desk.closed == 1


async def test_an_engine_that_does_not_react_is_told_and_can_be_reloaded_in_mid_reply() -> None:
    """Esc did nothing, and Ctrl+R was not allowed; the desk waited for ever."""
    async with open_app(FakeBackend(Script(is_gated=True))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(6)
        await harness.until(lambda: harness.transcript.newest.text)
        assert harness.chat.check_action("reload", ()) is None
        harness.backend.is_stalled = True
        await harness.until(lambda: "the engine does not react" in harness.picture())
        assert harness.chat.check_action("reload", ()) is True
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.backend.conversation.was_abandoned)
        harness.backend.is_stalled = False
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.transcript.newest.text, "what came is kept"


async def test_a_reply_that_does_not_stop_is_ended_by_the_second_escape_and_no_sooner() -> None:
    """What waits for its end, as a new conversation does, stops it too, and must not count for a second Esc."""
    async with open_app(FakeBackend(Script(is_gated=True))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(6)
        await harness.until(lambda: harness.transcript.newest.text)
        stops: list[str] = []
        harness.backend.conversation.stop = lambda: stops.append("stop")  # type: ignore[method-assign]
        await harness.pilot.press("escape")
        await harness.until(lambda: "stopping" in harness.picture())
        assert "by force" not in harness.picture()
        await harness.until(lambda: "Esc again ends it by force" in harness.picture())
        await harness.pilot.press("ctrl+n")
        assert stops == ["stop"]
        await harness.pilot.press("escape")
        assert stops == ["stop", "stop"]
        harness.backend.conversation.abandon()
        del harness.backend.conversation.stop
        harness.backend.conversation.stop()
        await harness.until(lambda: harness.chat.stage is Stage.READY and not harness.transcript.has_turns)
        await harness.until(lambda: "Write below" in harness.picture())


@pytest.mark.parametrize("keys", [("escape",), ("ctrl+q",)])
async def test_a_message_is_kept_where_its_reply_is_stopped_before_the_first_word(keys: tuple[str, ...]) -> None:
    """Leaving lost it; Esc left a ghost that was neither kept nor given back."""
    backend = FakeBackend(Script(is_gated=True))
    async with open_app(backend) as harness:
        await harness.say("Is this kept?")
        await harness.until(lambda: harness.chat.view.figures.prefill)
        await harness.pilot.press(*keys)
        if keys == ("escape",):
            await harness.until(lambda: harness.chat.stage is Stage.READY)
            assert "stopped before the first word" in harness.picture()
            assert harness.prompt.text == ""
            backend.conversation.let(1000)
            await harness.pilot.press("alt+up", "r")
            await harness.until(lambda: "accepted length" in harness.picture())
            assert [message.content for message in backend.conversation.messages] == ["Is this kept?", STORY]
            assert harness.picture().count("Is this kept?") == 1
    assert backend.conversation.is_over.wait(2)
    (kept,) = backend.history.newest()
    assert kept.title == "Is this kept?"


async def test_an_unanswered_message_of_the_history_can_be_answered() -> None:
    backend = FakeBackend()
    backend.conversation.tree.add(Message("user", "Where were we?"), None)
    async with open_app(backend) as harness:
        await harness.pilot.press("alt+up", "r")
        await harness.until(lambda: "accepted length" in harness.picture())
        assert [message.role for message in backend.conversation.messages] == ["user", "assistant"]
