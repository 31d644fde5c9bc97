"""Journeys with messages: select, edit and branch, make again, go on, copy, look at other versions."""

import pytest

from sparkdesk.chat.messages import Message
from sparkdesk.errors import ContextFull
from sparkdesk.ui.chat.dialogs.code_choice import CodeChoice
from sparkdesk.ui.chat.message_lines import ReplyEntry
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.message_list import MessageList
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.sitting import NARROW, Sitting, at_open_desk

TWO_BLOCKS = "First:\n\n```python\na = 1\n```\n\nthen:\n\n~~~\nb = 2\nc = 3\nd = 4\n~~~\n"


async def select(sitting: Sitting, *, above: int = 1) -> None:
    await sitting.pilot.press(*["alt+up"] * above)
    await sitting.pilot.pause()


async def settled(sitting: Sitting) -> None:
    await sitting.pilot.pause(0.1)
    await sitting.until(lambda: sitting.chat.stage is not Stage.REPLYING)


def footer(sitting: Sitting) -> str:
    return sitting.picture().splitlines()[-1]


async def test_alt_up_selects_from_the_prompt_and_escape_goes_back() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        await select(sitting)
        assert isinstance(sitting.app.focused, MessageList)
        assert sitting.talk.selected == 1
        assert "┃" in sitting.picture()
        assert "Copy" in footer(sitting) and "Regenerate" in footer(sitting)
        await select(sitting)
        assert sitting.talk.selected == 0
        assert "Edit" in footer(sitting) and "Regenerate" not in footer(sitting)
        await sitting.pilot.press("escape")
        assert sitting.prompt.has_focus
        assert "┃" not in sitting.picture()


async def test_a_click_selects_a_message() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        await sitting.pilot.click(MessageList, offset=(10, 6))
        assert sitting.talk.selected == 1


async def test_an_edited_message_becomes_a_version_and_both_can_be_seen() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("Tell me of sparks.")
        await select(sitting, above=2)
        await sitting.pilot.press("e")
        await sitting.pilot.pause()
        assert sitting.prompt.text == "Tell me of sparks."
        assert "editing an earlier message" in sitting.picture()
        sitting.backend.script.text = "Desks are made of wood."
        await sitting.ask("Tell me of desks.")
        assert "editing" not in sitting.picture()
        assert [message.content for message in sitting.backend.conversation.messages] == [
            "Tell me of desks.",
            "Desks are made of wood.",
        ]
        assert "◂ 2/2 ▸" in sitting.picture()
        assert "Tell me of sparks." not in sitting.picture()
        await select(sitting, above=2)
        await sitting.pilot.press("left")
        await sitting.pilot.pause()
        assert "◂ 1/2 ▸" in sitting.picture() and "how to count" in sitting.picture()
        await sitting.pilot.press("right")
        await sitting.pilot.pause()
        assert "made of wood" in sitting.picture()
        assert sitting.talk.selected == 0


async def test_leaving_an_edit_brings_back_what_was_being_written() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        sitting.prompt.show("half a thought")
        await select(sitting, above=2)
        await sitting.pilot.press("e")
        await sitting.pilot.pause()
        assert sitting.prompt.text == "one"
        await sitting.pilot.press("escape")
        await sitting.pilot.pause()
        assert sitting.prompt.text == "half a thought"
        assert sitting.chat.view.composer.editing is None


async def test_a_reply_is_made_again_and_the_old_one_kept() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        sitting.backend.script.text = "Another story."
        await select(sitting)
        await sitting.pilot.press("r")
        await settled(sitting)
        assert sitting.backend.conversation.messages[-1].content == "Another story."
        assert "◂ 2/2 ▸" in sitting.picture()
        assert "how to count" not in sitting.picture()
        await sitting.pilot.click(MessageList, offset=(2, sitting.talk.roll.top(2) - 1))
        await sitting.until(lambda: "◂ 1/2 ▸" in sitting.picture())
        assert "how to count" in sitting.picture()


async def test_a_stopped_reply_goes_on_where_it_stopped() -> None:
    desk = FakeBackend(Script(is_gated=True, text="one two three four five six seven eight nine ten"))
    async with at_open_desk(desk) as sitting:
        await sitting.say("count")
        desk.conversation.let(2)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.pilot.press("escape")
        await settled(sitting)
        stopped = sitting.transcript.newest.text
        await select(sitting)
        assert "Continue" in footer(sitting)
        desk.script.text = " and so on."
        desk.conversation.let(100)
        await sitting.pilot.press("g")
        await settled(sitting)
        assert sitting.transcript.newest.text == f"{stopped} and so on."
        assert desk.conversation.messages[-1].content == f"{stopped} and so on."


async def test_nothing_is_done_to_messages_while_a_reply_is_made() -> None:
    desk = FakeBackend(Script())
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        desk.script.is_gated = True
        await sitting.say("another")
        await select(sitting, above=4)
        await sitting.pilot.press("e")
        await sitting.pilot.pause()
        await sitting.pilot.press("enter")
        await sitting.pilot.pause()
        assert desk.conversation.sent == ["Tell me a little story.", "another"]
        desk.conversation.let(1000)
        await settled(sitting)


async def test_copy_takes_the_selected_message_without_its_thoughts() -> None:
    async with at_open_desk(FakeBackend(Script(text="<think>hm</think>\n\nYes."))) as sitting:
        await sitting.ask("Is it so?")
        await select(sitting)
        await sitting.pilot.press("c")
        assert sitting.app.clipboard == "Yes."
        await select(sitting)
        await sitting.pilot.press("c")
        assert sitting.app.clipboard == "Is it so?"


async def test_the_only_code_block_is_copied_and_of_several_one_is_chosen() -> None:
    desk = FakeBackend()
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        await select(sitting)
        await sitting.pilot.press("b")
        assert sitting.app.clipboard.startswith("def add_seven") and sitting.app.clipboard.endswith("+ 7")
        await sitting.pilot.press("escape")
        desk.script.text = TWO_BLOCKS
        await sitting.ask("two, please")
        await select(sitting)
        await sitting.pilot.press("b")
        await sitting.until(lambda: isinstance(sitting.app.screen, CodeChoice))
        assert "Copy which code block?" in sitting.picture() and "… 1 more line" in sitting.picture()
        await sitting.pilot.press("2")
        await sitting.pilot.pause()
        assert sitting.app.clipboard == "b = 2\nc = 3\nd = 4"


async def test_t_unfolds_the_thought_of_one_message() -> None:
    async with at_open_desk(FakeBackend(Script(text="<think>A spark, maybe.</think>\n\nYes."))) as sitting:
        await sitting.ask()
        await sitting.ask()
        await select(sitting)
        await sitting.pilot.press("t")
        await sitting.pilot.pause()
        assert sitting.picture().count("A spark, maybe.") == 1


@pytest.mark.parametrize("key", ["r", "e"])
async def test_a_refused_new_version_leaves_the_old_one_where_it_was(key: str) -> None:
    desk = FakeBackend(Script())
    async with at_open_desk(desk) as sitting:
        await sitting.ask("Tell me of sparks.")
        desk.script.refusal = ContextFull("The prompt has 9000 tokens and the context 4096.", "Shorten it.")
        await select(sitting, above=1 if key == "r" else 2)
        await sitting.pilot.press(key)
        await sitting.pilot.pause()
        if key == "e":
            await sitting.say("Tell me of desks.")
        await settled(sitting)
        await sitting.pilot.pause(0.1)
        assert "how to count" in sitting.picture()
        assert "The prompt has 9000 tokens" in sitting.banner
        assert sitting.prompt.text == ("Tell me of desks." if key == "e" else "")
        assert sitting.chat.view.composer.editing == (0 if key == "e" else None), (
            "what comes back is still another version"
        )
        assert [message.content for message in desk.conversation.messages] == ["Tell me of sparks.", STORY]


async def test_a_turn_of_which_nothing_came_makes_room_for_the_next() -> None:
    desk = FakeBackend(Script(refusal=ContextFull("The prompt has 9000 tokens.", "Shorten it.")))
    async with at_open_desk(desk) as sitting:
        await sitting.ask("too long")
        desk.script.refusal = None
        await sitting.ask("short")
        assert "too long" not in sitting.picture()
        assert sitting.transcript.count == 2
        assert sitting.transcript.newest.index == 1


@pytest.mark.parametrize("size", [NARROW, (140, 40)])
async def test_a_kept_conversation_is_shown_with_its_figures_notes_and_models(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await sitting.ask("one")
        stats = sitting.backend.conversation.messages[-1].stats
        kept = (
            Message("user", "Count, please."),
            Message("assistant", "1, 2", is_partial=True, stats=stats, note="Stopped.", model="Old Pair"),
            Message("user", "And then?"),
            Message("assistant", "Then **three**.", stats=stats, model="Spark Tiny"),
        )
        await sitting.transcript.show_messages(kept, model="Spark Tiny")
        await sitting.pilot.pause()
        picture = sitting.picture()
        assert "■ Stopped · " in picture and "Old Pair" in picture
        assert "Then three." in picture
        assert picture.count("accepted length") >= 2
        assert isinstance(sitting.talk.roll[1], ReplyEntry) and sitting.talk.roll[1].can_go_on


async def test_a_full_context_names_the_way_on_that_there_is() -> None:
    """It once sent everybody to a new conversation, though the oldest messages can be left out."""
    async with at_open_desk(FakeBackend(Script(fills_context=True))) as sitting:
        await sitting.ask()
        assert "the context is full: Ctrl+N starts a new conversation" in sitting.picture()
        await sitting.ask()
        assert "the context is full: Alt+Up, g continues without the oldest messages" in sitting.picture()
