"""Journeys with messages: select, edit and branch, make again, go on, copy, look at other versions."""

import pytest

from sparkdesk.chat.messages import Message
from sparkdesk.errors import ContextFull
from sparkdesk.ui.chat.dialogs.code_choice import CodeChoice
from sparkdesk.ui.chat.message_lines import ReplyEntry
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.message_list import MessageList
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.harness import NARROW, Harness, open_app

TWO_BLOCKS = "First:\n\n```python\na = 1\n```\n\nthen:\n\n~~~\nb = 2\nc = 3\nd = 4\n~~~\n"


async def select(harness: Harness, *, above: int = 1) -> None:
    await harness.pilot.press(*["alt+up"] * above)
    await harness.pilot.pause()


async def settled(harness: Harness) -> None:
    await harness.pilot.pause(0.1)
    await harness.until(lambda: harness.chat.stage is not Stage.REPLYING)


def footer(harness: Harness) -> str:
    return harness.picture().splitlines()[-1]


async def test_alt_up_selects_from_the_prompt_and_escape_goes_back() -> None:
    async with open_app() as harness:
        await harness.ask()
        await select(harness)
        assert isinstance(harness.app.focused, MessageList)
        assert harness.talk.selected == 1
        assert "┃" in harness.picture()
        assert "Copy" in footer(harness) and "Regenerate" in footer(harness)
        await select(harness)
        assert harness.talk.selected == 0
        assert "Edit" in footer(harness) and "Regenerate" not in footer(harness)
        await harness.pilot.press("escape")
        assert harness.prompt.has_focus
        assert "┃" not in harness.picture()


async def test_a_click_selects_a_message() -> None:
    async with open_app() as harness:
        await harness.ask()
        await harness.pilot.click(MessageList, offset=(10, 6))
        assert harness.talk.selected == 1


async def test_an_edited_message_becomes_a_version_and_both_can_be_seen() -> None:
    async with open_app() as harness:
        await harness.ask("Tell me of sparks.")
        await select(harness, above=2)
        await harness.pilot.press("e")
        await harness.pilot.pause()
        assert harness.prompt.text == "Tell me of sparks."
        assert "editing an earlier message" in harness.picture()
        harness.backend.script.text = "Desks are made of wood."
        await harness.ask("Tell me of desks.")
        assert "editing" not in harness.picture()
        assert [message.content for message in harness.backend.conversation.messages] == [
            "Tell me of desks.",
            "Desks are made of wood.",
        ]
        assert "◂ 2/2 ▸" in harness.picture()
        assert "Tell me of sparks." not in harness.picture()
        await select(harness, above=2)
        await harness.pilot.press("left")
        await harness.pilot.pause()
        assert "◂ 1/2 ▸" in harness.picture() and "how to count" in harness.picture()
        await harness.pilot.press("right")
        await harness.pilot.pause()
        assert "made of wood" in harness.picture()
        assert harness.talk.selected == 0


async def test_leaving_an_edit_brings_back_what_was_being_written() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        harness.prompt.show("half a thought")
        await select(harness, above=2)
        await harness.pilot.press("e")
        await harness.pilot.pause()
        assert harness.prompt.text == "one"
        await harness.pilot.press("escape")
        await harness.pilot.pause()
        assert harness.prompt.text == "half a thought"
        assert harness.chat.view.composer.editing is None


async def test_a_reply_is_made_again_and_the_old_one_kept() -> None:
    async with open_app() as harness:
        await harness.ask()
        harness.backend.script.text = "Another story."
        await select(harness)
        await harness.pilot.press("r")
        await settled(harness)
        assert harness.backend.conversation.messages[-1].content == "Another story."
        assert "◂ 2/2 ▸" in harness.picture()
        assert "how to count" not in harness.picture()
        await harness.pilot.click(MessageList, offset=(2, harness.talk.roll.top(2) - 1))
        await harness.until(lambda: "◂ 1/2 ▸" in harness.picture())
        assert "how to count" in harness.picture()


async def test_a_stopped_reply_goes_on_where_it_stopped() -> None:
    desk = FakeBackend(Script(is_gated=True, text="one two three four five six seven eight nine ten"))
    async with open_app(desk) as harness:
        await harness.say("count")
        desk.conversation.let(2)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.pilot.press("escape")
        await settled(harness)
        stopped = harness.transcript.newest.text
        await select(harness)
        assert "Continue" in footer(harness)
        desk.script.text = " and so on."
        desk.conversation.let(100)
        await harness.pilot.press("g")
        await settled(harness)
        assert harness.transcript.newest.text == f"{stopped} and so on."
        assert desk.conversation.messages[-1].content == f"{stopped} and so on."


async def test_nothing_is_done_to_messages_while_a_reply_is_made() -> None:
    desk = FakeBackend(Script())
    async with open_app(desk) as harness:
        await harness.ask()
        desk.script.is_gated = True
        await harness.say("another")
        await select(harness, above=4)
        await harness.pilot.press("e")
        await harness.pilot.pause()
        await harness.pilot.press("enter")
        await harness.pilot.pause()
        assert desk.conversation.sent == ["Tell me a little story.", "another"]
        desk.conversation.let(1000)
        await settled(harness)


async def test_copy_takes_the_selected_message_without_its_thoughts() -> None:
    async with open_app(FakeBackend(Script(text="<think>hm</think>\n\nYes."))) as harness:
        await harness.ask("Is it so?")
        await select(harness)
        await harness.pilot.press("c")
        assert harness.app.clipboard == "Yes."
        await select(harness)
        await harness.pilot.press("c")
        assert harness.app.clipboard == "Is it so?"


async def test_the_only_code_block_is_copied_and_of_several_one_is_chosen() -> None:
    desk = FakeBackend()
    async with open_app(desk) as harness:
        await harness.ask()
        await select(harness)
        await harness.pilot.press("b")
        assert harness.app.clipboard.startswith("def add_seven") and harness.app.clipboard.endswith("+ 7")
        await harness.pilot.press("escape")
        desk.script.text = TWO_BLOCKS
        await harness.ask("two, please")
        await select(harness)
        await harness.pilot.press("b")
        await harness.until(lambda: isinstance(harness.app.screen, CodeChoice))
        assert "Copy which code block?" in harness.picture() and "… 1 more line" in harness.picture()
        await harness.pilot.press("2")
        await harness.pilot.pause()
        assert harness.app.clipboard == "b = 2\nc = 3\nd = 4"


async def test_t_unfolds_the_thought_of_one_message() -> None:
    async with open_app(FakeBackend(Script(text="<think>A spark, maybe.</think>\n\nYes."))) as harness:
        await harness.ask()
        await harness.ask()
        await select(harness)
        await harness.pilot.press("t")
        await harness.pilot.pause()
        assert harness.picture().count("A spark, maybe.") == 1


@pytest.mark.parametrize("key", ["r", "e"])
async def test_a_refused_new_version_leaves_the_old_one_where_it_was(key: str) -> None:
    desk = FakeBackend(Script())
    async with open_app(desk) as harness:
        await harness.ask("Tell me of sparks.")
        desk.script.refusal = ContextFull("The prompt has 9000 tokens and the context 4096.", "Shorten it.")
        await select(harness, above=1 if key == "r" else 2)
        await harness.pilot.press(key)
        await harness.pilot.pause()
        if key == "e":
            await harness.say("Tell me of desks.")
        await settled(harness)
        await harness.pilot.pause(0.1)
        assert "how to count" in harness.picture()
        assert "The prompt has 9000 tokens" in harness.banner
        assert harness.prompt.text == ("Tell me of desks." if key == "e" else "")
        assert harness.chat.view.composer.editing == (0 if key == "e" else None), (
            "what comes back is still another version"
        )
        assert [message.content for message in desk.conversation.messages] == ["Tell me of sparks.", STORY]


async def test_a_turn_of_which_nothing_came_makes_room_for_the_next() -> None:
    desk = FakeBackend(Script(refusal=ContextFull("The prompt has 9000 tokens.", "Shorten it.")))
    async with open_app(desk) as harness:
        await harness.ask("too long")
        desk.script.refusal = None
        await harness.ask("short")
        assert "too long" not in harness.picture()
        assert harness.transcript.count == 2
        assert harness.transcript.newest.index == 1


@pytest.mark.parametrize("size", [NARROW, (140, 40)])
async def test_a_kept_conversation_is_shown_with_its_figures_notes_and_models(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await harness.ask("one")
        stats = harness.backend.conversation.messages[-1].stats
        kept = (
            Message("user", "Count, please."),
            Message("assistant", "1, 2", is_partial=True, stats=stats, note="Stopped.", model="Old Pair"),
            Message("user", "And then?"),
            Message("assistant", "Then **three**.", stats=stats, model="Spark Tiny"),
        )
        await harness.transcript.show_messages(kept, model="Spark Tiny")
        await harness.pilot.pause()
        picture = harness.picture()
        assert "■ Stopped · " in picture and "Old Pair" in picture
        assert "Then three." in picture
        assert picture.count("accepted length") >= 2
        assert isinstance(harness.talk.roll[1], ReplyEntry) and harness.talk.roll[1].can_go_on


async def test_a_full_context_names_the_way_on_that_there_is() -> None:
    """It once sent everybody to a new conversation, though the oldest messages can be left out."""
    async with open_app(FakeBackend(Script(fills_context=True))) as harness:
        await harness.ask()
        assert "the context is full: Ctrl+N starts a new conversation" in harness.picture()
        await harness.ask()
        assert "the context is full: Alt+Up, g continues without the oldest messages" in harness.picture()
