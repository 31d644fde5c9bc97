"""Journeys at the chat screen: send, stream, stop, write on, begin anew."""

import pytest
from textual import events

from sparkdesk.chat.messages import Message
from sparkdesk.errors import ContextFull
from sparkdesk.ui.chat.message_lines import LIVE_THOUGHT_LINES
from sparkdesk.ui.chat.state import Stage
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.sitting import NARROW, Sitting, at_desk, at_open_desk


async def test_an_empty_desk_says_what_is_loaded_and_what_to_try() -> None:
    async with at_open_desk() as sitting:
        picture = sitting.picture()
        assert "3.1 M parameters" in picture
        assert "Its draft Spark Tiny DSpark" in picture
        for example in sitting.backend.examples:
            assert example in picture


async def test_a_click_on_an_example_sends_it() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.click("Example")
        await sitting.until(lambda: sitting.backend.conversation.sent)
        assert sitting.backend.conversation.sent == ["Count from 1 to 40."]


async def test_tab_walks_through_the_examples_and_leaves_own_words_alone() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("tab", "tab")
        assert sitting.prompt.text == sitting.backend.examples[1]
        await sitting.pilot.press("x", "tab")
        assert sitting.prompt.text == sitting.backend.examples[1] + "x"


async def test_a_reply_arrives_whole_with_its_figures_below() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        reply = sitting.transcript.newest
        assert reply.text == STORY
        assert "1. how to count," in sitting.picture()
        assert "tok/s · " in sitting.picture()
        assert "accepted length" in sitting.picture()
        assert sitting.prompt.text == ""


async def test_the_user_can_write_while_a_reply_streams_but_not_send() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True))) as sitting:
        await sitting.say("first")
        sitting.backend.conversation.let(5)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press("n", "e", "x", "t", "enter")
        assert sitting.prompt.text == "next"
        assert sitting.backend.conversation.sent == ["first"]


async def test_escape_stops_a_reply_and_keeps_what_came() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(6)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        reply = sitting.transcript.newest
        assert reply.text and STORY.startswith(reply.text)
        assert "■ stopped" in sitting.picture()


@pytest.mark.parametrize("rounds_before", [0, 4])
async def test_escape_is_heard_at_once_while_the_round_goes_on(
    rounds_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round may take seconds, and reading a long prompt minutes."""
    backend = FakeBackend(Script(is_gated=True))
    async with at_open_desk(backend) as sitting:
        await sitting.say("a story")
        if rounds_before:
            backend.conversation.let(rounds_before)
        await sitting.until(lambda: bool(sitting.transcript.newest.text) == bool(rounds_before))
        stop = backend.conversation.stop
        with monkeypatch.context() as slow:
            slow.setattr(backend.conversation, "stop", lambda: None)
            await sitting.pilot.press("escape")
            assert "stopping …" in sitting.picture()
        before = sitting.transcript.newest.text
        backend.conversation.let(2)
        await sitting.until(lambda: sitting.transcript.newest.text != before)
        assert "stopping …" in sitting.picture(), "what still comes does not say otherwise"
        stop()
        await sitting.until(lambda: "■ stopped" in sitting.picture())
        assert "stopping …" not in sitting.picture()


async def test_new_conversation_in_mid_reply_stops_first_and_then_forgets() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(3)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press("ctrl+n")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.backend.started == 1
        assert not sitting.transcript.has_turns
        await sitting.until(lambda: "Write below" in sitting.picture())


async def test_up_and_down_walk_through_history_and_return_to_the_unsent_prompt() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        await sitting.ask("two")
        await sitting.pilot.press("h", "a", "l", "f", "up", "up")
        assert sitting.prompt.text == "one"
        await sitting.pilot.press("down", "down")
        assert sitting.prompt.text == "half"


async def test_up_inside_several_lines_moves_the_cursor() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        await sitting.pilot.press("a", "ctrl+j", "b", "up")
        assert sitting.prompt.text == "a\nb"
        await sitting.pilot.press("up")
        assert sitting.prompt.text == "one"


async def test_every_new_line_key_makes_a_line_and_enter_sends_them_all() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("a", "ctrl+j", "b", "shift+enter", "c", "enter")
        await sitting.until(lambda: sitting.backend.conversation.sent)
        assert sitting.backend.conversation.sent == ["a\nb\nc"]


async def test_keys_in_one_burst_keep_their_order() -> None:
    """As a priority binding, Enter overtook the letters before it and found an empty prompt."""
    async with at_open_desk() as sitting:
        for key, character in [("a", "a"), ("ctrl+j", "\n"), ("b", "b"), ("enter", "\r")]:
            sitting.app.post_message(events.Key(key, character))
        await sitting.until(lambda: sitting.backend.conversation.sent)
        assert sitting.backend.conversation.sent == ["a\nb"]


async def test_a_paste_of_several_lines_is_not_sent() -> None:
    async with at_open_desk() as sitting:
        sitting.app.post_message(events.Paste("def f():\r\n    return 1\r\n"))
        await sitting.pilot.pause()
        assert sitting.prompt.text.replace("\r", "") == "def f():\n    return 1\n"
        assert not sitting.backend.conversation.sent


async def test_the_view_stays_put_when_the_user_scrolled_up() -> None:
    async with at_open_desk(FakeBackend(Script(text=STORY * 4, is_gated=True)), size=NARROW) as sitting:
        await sitting.say("a long story")
        sitting.backend.conversation.let(60)
        await sitting.until(lambda: sitting.talk.max_scroll_y > 20)
        assert sitting.talk.scroll_y == sitting.talk.max_scroll_y
        await sitting.pilot.press("pageup")
        await sitting.until(lambda: sitting.talk.scroll_y < sitting.talk.max_scroll_y)
        seen = _words_at_the_top(sitting)
        sitting.backend.conversation.let(1000)
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        await sitting.pilot.pause(0.1)
        assert _words_at_the_top(sitting) == seen
        await sitting.pilot.press("pagedown", "pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        await sitting.until(lambda: "accepted length" in sitting.picture())


def _words_at_the_top(sitting: Sitting) -> list[str]:
    return [
        line.ljust(80)[:79].rstrip() for line in sitting.picture().splitlines()[1:10]
    ]  # the last column is the scrollbar's


async def test_thoughts_are_folded_until_asked_for() -> None:
    script = Script(text="<think>\nA spark, maybe.\n</think>\n\nHere is a story.")
    async with at_open_desk(FakeBackend(script)) as sitting:
        await sitting.ask()
        assert "A spark, maybe." not in sitting.picture()
        assert sitting.transcript.newest.answer == "Here is a story."
        assert "▸ thought 3 words" in sitting.picture()
        await sitting.pilot.press("alt+t")
        await sitting.pilot.pause()
        assert "A spark, maybe." in sitting.picture()


async def test_a_thought_is_seen_in_a_window_while_it_goes_on() -> None:
    thought = " ".join(f"word{number}" for number in range(400))
    desk = FakeBackend(Script(text=f"<think>{thought}</think>\n\nDone.", is_gated=True))
    async with at_open_desk(desk, size=NARROW) as sitting:
        await sitting.say("think hard")
        desk.conversation.let(60)
        await sitting.until(lambda: "thinking … " in sitting.picture())
        lines = [line for line in sitting.picture().splitlines() if "│ word" in line]
        assert 0 < len(lines) <= LIVE_THOUGHT_LINES
        desk.conversation.let(1000)
        await sitting.until(lambda: "▸ thought 400 words" in sitting.picture())
        assert "word1 " not in sitting.picture()


async def test_html_in_a_reply_stays_visible() -> None:
    async with at_open_desk(FakeBackend(Script(text="Use <b>bold</b> and <details>."))) as sitting:
        await sitting.ask()
        assert "Use <b>bold</b> and <details>." in sitting.picture()


async def test_markup_in_a_prompt_is_shown_to_the_letter() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("What is [bold]x[/bold] and [/]?")
        assert "What is [bold]x[/bold] and [/]?" in sitting.picture()


async def test_a_refused_prompt_comes_back_with_the_reason() -> None:
    refusal = ContextFull("The prompt has 9000 tokens and the context 4096.", "Shorten it.")
    async with at_open_desk(FakeBackend(Script(refusal=refusal))) as sitting:
        await sitting.ask("too long")
        assert "The prompt has 9000 tokens" in sitting.picture()
        assert sitting.prompt.text == "too long"
        assert sitting.chat.stage is Stage.READY


async def test_copy_puts_the_answer_on_the_clipboard() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        await sitting.pilot.press("ctrl+y")
        assert sitting.app.clipboard == STORY


async def test_quitting_in_mid_reply_closes_the_desk_and_ends_the_reply() -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with at_open_desk(desk) as sitting:
        await sitting.say("a story")
        desk.conversation.let(4)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press("ctrl+q")
    assert desk.closed == 1
    assert desk.conversation.is_over.wait(2)


async def test_quitting_while_opening_ends_the_opening() -> None:
    from tests.ui.fake_backend import slow_opening

    desk = FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.02))
    async with at_desk(desk) as sitting:
        await sitting.until(lambda: "Converting the target" in sitting.picture())
        await sitting.pilot.press("ctrl+q")
    assert desk.closed == 1


async def test_an_engine_that_does_not_react_is_told_and_can_be_reloaded_in_mid_reply() -> None:
    """Esc did nothing, and Ctrl+R was not allowed; the desk waited for ever."""
    async with at_open_desk(FakeBackend(Script(is_gated=True))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(6)
        await sitting.until(lambda: sitting.transcript.newest.text)
        assert sitting.chat.check_action("reload", ()) is None
        sitting.backend.is_stalled = True
        await sitting.until(lambda: "the engine does not react" in sitting.picture())
        assert sitting.chat.check_action("reload", ()) is True
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.backend.conversation.was_abandoned)
        sitting.backend.is_stalled = False
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.transcript.newest.text, "what came is kept"


async def test_a_reply_that_does_not_stop_is_ended_by_the_second_escape_and_no_sooner() -> None:
    """What waits for its end, as a new conversation does, stops it too, and must not count for a second Esc."""
    async with at_open_desk(FakeBackend(Script(is_gated=True))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(6)
        await sitting.until(lambda: sitting.transcript.newest.text)
        stops: list[str] = []
        sitting.backend.conversation.stop = lambda: stops.append("stop")  # type: ignore[method-assign]
        await sitting.pilot.press("escape")
        await sitting.until(lambda: "stopping" in sitting.picture())
        assert "by force" not in sitting.picture()
        await sitting.until(lambda: "Esc again ends it by force" in sitting.picture())
        await sitting.pilot.press("ctrl+n")
        assert stops == ["stop"]
        await sitting.pilot.press("escape")
        assert stops == ["stop", "stop"]
        sitting.backend.conversation.abandon()
        del sitting.backend.conversation.stop
        sitting.backend.conversation.stop()
        await sitting.until(lambda: sitting.chat.stage is Stage.READY and not sitting.transcript.has_turns)
        await sitting.until(lambda: "Write below" in sitting.picture())


@pytest.mark.parametrize("keys", [("escape",), ("ctrl+q",)])
async def test_a_message_is_kept_where_its_reply_is_stopped_before_the_first_word(keys: tuple[str, ...]) -> None:
    """Leaving lost it; Esc left a ghost that was neither kept nor given back."""
    backend = FakeBackend(Script(is_gated=True))
    async with at_open_desk(backend) as sitting:
        await sitting.say("Is this kept?")
        await sitting.until(lambda: sitting.chat.view.figures.prefill)
        await sitting.pilot.press(*keys)
        if keys == ("escape",):
            await sitting.until(lambda: sitting.chat.stage is Stage.READY)
            assert "stopped before the first word" in sitting.picture()
            assert sitting.prompt.text == ""
            backend.conversation.let(1000)
            await sitting.pilot.press("alt+up", "r")
            await sitting.until(lambda: "accepted length" in sitting.picture())
            assert [message.content for message in backend.conversation.messages] == ["Is this kept?", STORY]
            assert sitting.picture().count("Is this kept?") == 1
    assert backend.conversation.is_over.wait(2)
    (kept,) = backend.history.newest()
    assert kept.title == "Is this kept?"


async def test_an_unanswered_message_of_the_history_can_be_answered() -> None:
    backend = FakeBackend()
    backend.conversation.tree.add(Message("user", "Where were we?"), None)
    async with at_open_desk(backend) as sitting:
        await sitting.pilot.press("alt+up", "r")
        await sitting.until(lambda: "accepted length" in sitting.picture())
        assert [message.role for message in backend.conversation.messages] == ["user", "assistant"]
