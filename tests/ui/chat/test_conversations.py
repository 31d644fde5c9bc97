"""Journeys in the sidebar: find, open, rename, delete and bring back, export, begin anew."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.widgets import Static

from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import HistoryError
from sparkdesk.ui.chat.dialogs.export import ExportScreen
from sparkdesk.ui.chat.sidebar_messages import ConversationPicked, DeleteAsked, NewAsked
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.conversation_list import ConversationList
from sparkdesk.ui.chat.widgets.sidebar import Sidebar
from sparkdesk.ui.commands import of_screen
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.sitting import NARROW, WIDE, Sitting, at_open_desk

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])


async def have_talked(sitting: Sitting, *prompts: str) -> None:
    """A conversation for each prompt; the last one stays open."""
    for number, prompt in enumerate(prompts):
        if number:
            await sitting.pilot.press("ctrl+n")
            await sitting.until(lambda: not sitting.transcript.has_turns)
        await sitting.ask(prompt)


async def come(sitting: Sitting) -> Sidebar:
    await sitting.pilot.press("f9")
    await sitting.until(lambda: sitting.chat.query(Sidebar))
    sidebar = sitting.chat.query_one(Sidebar)
    await sitting.until(lambda: sidebar.display and "Today" in sitting.picture())
    return sidebar


def titles(sitting: Sitting) -> list[str]:
    return [each.title for each in sitting.backend.history.newest()]


def rows(sitting: Sitting) -> int:
    return sum(1 for option in sitting.chat.query_one(ConversationList).options if option.id)


def said(sitting: Sitting) -> list[str]:
    return [message.content for message in sitting.backend.conversation.messages if message.role == "user"]


@SIZES
async def test_the_sidebar_lists_what_was_said_newest_first_and_by_day(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await have_talked(sitting, "Count to ten.", "Tell a tale.")
        await come(sitting)
        listed = [str(option.prompt).split("  ")[0] for option in sitting.chat.query_one(ConversationList).options]
        assert listed == ["Today", "▸ Tell a tale.", ""]  # the first is open
        assert "Count to ten." in sitting.picture()
        assert "2 messages" in sitting.picture()


@SIZES
async def test_a_conversation_is_found_by_its_words_and_opened_with_keys_only(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await have_talked(sitting, "Count to ten.", "Tell a tale about wolves.")
        await come(sitting)
        await sitting.pilot.press(*"ten")
        await sitting.until(lambda: rows(sitting) == 1)
        assert "Count to ten." in sitting.picture()
        await sitting.pilot.press("enter")
        await sitting.until(lambda: said(sitting) == ["Count to ten."])
        await sitting.until(lambda: sitting.transcript.has_turns)
        assert sitting.prompt.has_focus
        await sitting.ask("Go on.")
        assert said(sitting) == ["Count to ten.", "Go on."]


async def test_where_there_is_room_the_sidebar_stands_beside_and_stays() -> None:
    async with at_open_desk(size=WIDE) as sitting:
        await have_talked(sitting, "one", "two")
        sidebar = await come(sitting)
        assert sitting.transcript.region.x >= sidebar.region.right
        await sitting.pilot.press("down", "down", "enter")
        await sitting.until(lambda: said(sitting) == ["one"])
        assert sidebar.display


async def test_in_a_small_window_it_lies_over_the_conversation_and_goes_when_done() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await have_talked(sitting, "one", "two")
        sidebar = await come(sitting)
        assert sitting.transcript.region.width == NARROW[0]
        await sitting.pilot.press("down", "down", "enter")
        await sitting.until(lambda: said(sitting) == ["one"])
        assert not sidebar.display


async def test_nothing_found_and_nothing_kept_say_what_to_do() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("f9")
        await sitting.until(lambda: "No conversations yet" in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.ask("one")
        await come(sitting)
        await sitting.pilot.press(*"zebra")
        await sitting.until(lambda: "Nothing found for “zebra”" in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.until(lambda: "Today" in sitting.picture())
        await sitting.pilot.press("escape")
        assert not sitting.chat.query_one(Sidebar).display
        assert sitting.prompt.has_focus


@SIZES
async def test_a_conversation_is_renamed_in_its_place(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await have_talked(sitting, "one", "two")
        await come(sitting)
        await sitting.pilot.press("down", "down", "r", "ctrl+u", *"first", "enter")
        await sitting.until(lambda: titles(sitting) == ["two", "first"])
        await sitting.until(lambda: "first " in sitting.picture())
        assert sitting.chat.query_one(ConversationList).has_focus


async def test_escape_leaves_a_name_as_it_was() -> None:
    async with at_open_desk() as sitting:
        await have_talked(sitting, "one")
        sidebar = await come(sitting)
        await sitting.pilot.press("down", "r", *"xyz", "escape")
        assert titles(sitting) == ["one"]
        assert sidebar.display


async def test_what_was_deleted_can_be_brought_back() -> None:
    async with at_open_desk() as sitting:
        await have_talked(sitting, "one", "two", "three")
        await come(sitting)
        await sitting.pilot.press("down", "down", "delete")
        await sitting.until(lambda: titles(sitting) == ["three", "one"])
        await sitting.until(lambda: "Deleted “two”." in sitting.picture())
        await sitting.pilot.press("delete")
        await sitting.until(lambda: titles(sitting) == ["three"])
        await sitting.pilot.press("u")
        await sitting.until(lambda: titles(sitting) == ["three", "one"])
        await sitting.pilot.press("u")
        await sitting.until(lambda: titles(sitting) == ["three", "two", "one"])
        assert said(sitting) == ["three"]


async def test_deleting_the_open_conversation_begins_a_new_one_and_undoing_opens_it_again() -> None:
    async with at_open_desk() as sitting:
        await have_talked(sitting, "one")
        await come(sitting)
        await sitting.pilot.press("down", "delete")
        await sitting.until(lambda: titles(sitting) == [])
        await sitting.until(lambda: not sitting.transcript.has_turns)
        (back,) = (each for each in of_screen(sitting.chat) if each.title == "Undo deleting “one”")
        back.callback()
        await sitting.until(lambda: said(sitting) == ["one"])
        await sitting.until(lambda: sitting.transcript.has_turns)


async def test_the_only_conversation_deleted_can_be_brought_back_by_its_key() -> None:
    """With the empty list hidden, no key went anywhere."""
    async with at_open_desk(size=NARROW) as sitting:
        await have_talked(sitting, "one")
        await come(sitting)
        await sitting.pilot.press("down", "delete")
        await sitting.until(lambda: "No conversations yet" in sitting.picture())
        await sitting.until(lambda: not sitting.transcript.has_turns)
        await sitting.pilot.press("u")
        await sitting.until(lambda: titles(sitting) == ["one"])
        await sitting.until(lambda: said(sitting) == ["one"])


async def test_opening_another_in_mid_reply_stops_the_reply_and_keeps_it() -> None:
    desk = FakeBackend(Script(is_gated=False))
    async with at_open_desk(desk) as sitting:
        await have_talked(sitting, "one")
        desk.script.is_gated = True
        await sitting.pilot.press("ctrl+n")
        await sitting.say("two")
        sitting.backend.conversation.let(5)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await come(sitting)
        await sitting.pilot.press(*"one", "enter")
        await sitting.until(lambda: said(sitting) == ["one"])
        assert sitting.chat.stage is Stage.READY
        assert titles(sitting) == ["two", "one"]


@pytest.mark.parametrize(
    "asked",
    [
        ("delete", "open"),
        ("open", "delete"),
        ("delete", "delete", "open"),
        ("delete", "new"),
        ("new", "open", "delete"),
        ("switch", "delete", "open"),
        ("switch", "open", "delete"),
        ("delete", "switch"),
    ],
    ids="-".join,
)
async def test_all_that_is_asked_for_in_mid_reply_is_done_after_it(asked: tuple[str, ...]) -> None:
    """The last wish took the place of those before it: a conversation that was deleted stayed."""
    backend = FakeBackend()
    async with at_open_desk(backend) as sitting:
        await have_talked(sitting, "one", "two")
        keys = {each.title: each.key for each in backend.history.newest()}
        backend.script.is_gated = True
        await sitting.say("two again")
        backend.conversation.let(5)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await come(sitting)
        conversations = sitting.chat.conversations
        for each in asked:
            assert sitting.chat.stage is Stage.REPLYING, "the reply ends only when this lets go of the loop"
            if each == "switch":
                await conversations.switch_model("Another")
            else:
                wish = {"delete": DeleteAsked(keys["two"], "two"), "open": ConversationPicked(keys["one"])}
                await conversations.handle(wish.get(each, NewAsked()))
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        await sitting.until(lambda: titles(sitting) == ["one"])
        wanted = ["one"] if "open" in asked else []
        await sitting.until(lambda: said(sitting) == wanted)
        assert backend.switches == ["Another"] * asked.count("switch")


async def test_a_new_conversation_from_the_list() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await have_talked(sitting, "one")
        sidebar = await come(sitting)
        await sitting.pilot.press("down", "n")
        await sitting.until(lambda: not sitting.transcript.has_turns)
        assert not sidebar.display
        assert sitting.prompt.has_focus


@contextmanager
def in_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(path / "home"))
    monkeypatch.chdir(path)
    yield


async def test_a_conversation_is_exported_and_no_file_is_overwritten_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_folder(tmp_path, monkeypatch):
        async with at_open_desk(size=NARROW) as sitting:
            await have_talked(sitting, "A tale, please.")
            await come(sitting)
            await sitting.pilot.press("down", "x")
            await sitting.until(lambda: isinstance(sitting.app.screen, ExportScreen))
            await sitting.pilot.press("enter")
            file = tmp_path / "a-tale-please.md"
            await sitting.until(file.exists)
            assert file.read_text("utf-8") == sitting.backend.history.export(
                sitting.backend.history.newest()[0].key, "markdown"
            )

            await sitting.until(lambda: not isinstance(sitting.app.screen, ExportScreen))
            file.write_text("precious")
            await sitting.pilot.press("x")
            await sitting.until(lambda: isinstance(sitting.app.screen, ExportScreen))
            await sitting.pilot.press("ctrl+u", *str(file), "enter")
            await sitting.until(lambda: "exists already" in sitting.picture())
            assert file.read_text() == "precious"
            await sitting.pilot.press("enter")
            await sitting.until(lambda: file.read_text("utf-8") != "precious")


async def test_json_has_its_own_ending_and_a_wrong_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_folder(tmp_path, monkeypatch):
        async with at_open_desk() as sitting:
            await have_talked(sitting, "A tale")
            await sitting.chat.run_action("export")
            await sitting.until(lambda: isinstance(sitting.app.screen, ExportScreen))
            await sitting.pilot.press("down", "enter")
            await sitting.until((tmp_path / "a-tale.json").exists)
            json.loads((tmp_path / "a-tale.json").read_text("utf-8"))

            await sitting.until(lambda: not isinstance(sitting.app.screen, ExportScreen))
            await sitting.chat.run_action("export")
            await sitting.until(lambda: isinstance(sitting.app.screen, ExportScreen))
            await sitting.pilot.press("ctrl+u", *"none/x.md", "enter")
            await sitting.until(lambda: "There is no folder" in sitting.picture())


async def test_trouble_with_the_history_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise HistoryError("The conversations cannot be read: the disk is full.", "Make room.")

    async with at_open_desk() as sitting:
        await have_talked(sitting, "one", "two")
        state = (await come(sitting)).query_one(".state", Static)
        history = type(sitting.backend.history)
        for name in ("search", "delete", "rename"):
            monkeypatch.setattr(history, name, refuse)
        monkeypatch.setattr(type(sitting.backend), "open_conversation", refuse)
        for keys in ((*"one",), ("escape", "down", "delete"), ("r", "z", "enter")):
            sitting.chat.query_one(Sidebar).say_trouble("", "")
            await sitting.pilot.press(*keys)
            await sitting.until(lambda: "the disk is full. Make room." in str(state.content))
        await sitting.pilot.press("down", "enter")
        await sitting.pilot.pause()
        assert said(sitting) == ["two"]


async def test_a_conversation_that_was_there_at_the_start_is_shown() -> None:
    desk = FakeBackend()
    tree = desk.conversation.tree
    tree.add(Message("assistant", "At the **spark**."), tree.add(Message("user", "Where were we?"), None))
    async with at_open_desk(desk) as sitting:
        await sitting.until(lambda: "Where were we?" in sitting.picture())
        assert "At the spark." in sitting.picture()


async def test_what_was_saved_before_counts_in_all_and_not_in_this_conversation() -> None:
    desk = FakeBackend()
    stats = ReplyStats(generated=11, rounds=2, verified=12, verify_ms=1e4, plain_tokens=10, plain_tokens_ms=5e4)
    tree = MessageTree()
    tree.add(Message("assistant", "Hi.", stats=stats), tree.add(Message("user", "Hello."), None))
    desk.history.keep(None, tree, ChatSettings())
    async with at_open_desk(desk) as sitting:
        await sitting.until(lambda: "saved in all chats 40.0 s" in " ".join(sitting.picture().split()))
        assert sitting.chat.view.figures.totals.saved_ms == 0


async def test_a_message_that_is_edited_does_not_follow_into_another_conversation() -> None:
    async with at_open_desk() as sitting:
        await have_talked(sitting, "one")
        await sitting.pilot.press(*"half")
        sitting.chat.actions.edit(0)
        assert sitting.prompt.text == "one"
        await sitting.pilot.press("ctrl+n")
        await sitting.until(lambda: not sitting.transcript.has_turns)
        assert sitting.prompt.text == "half"
        await sitting.ask("two")
        assert said(sitting) == ["two"]


async def test_the_row_in_front_is_seen_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with at_open_desk() as sitting:
        await have_talked(sitting, "one")
        await come(sitting)
        shown = sitting.chat.query_one(ConversationList)
        assert shown.get_visual_style("option-list--option-highlighted").underline


async def test_the_keys_of_the_list_stay_with_what_they_do() -> None:
    """ "n" once ended a line, and "new" began the next."""
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.ask()
        await sitting.pilot.press("f9")
        await sitting.until(lambda: "2 messages" in sitting.picture())
        assert "Enter open  ↓ list  Esc close" in sitting.picture()
        await sitting.pilot.press("down")
        await sitting.until(lambda: "n new  / search  Esc close" in sitting.picture())
