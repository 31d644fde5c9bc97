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
from tests.ui.harness import NARROW, WIDE, Harness, open_app

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])


async def have_talked(harness: Harness, *prompts: str) -> None:
    """A conversation for each prompt; the last one stays open."""
    for number, prompt in enumerate(prompts):
        if number:
            await harness.pilot.press("ctrl+n")
            await harness.until(lambda: not harness.transcript.has_turns)
        await harness.ask(prompt)


async def come(harness: Harness) -> Sidebar:
    await harness.pilot.press("f9")
    await harness.until(lambda: harness.chat.query(Sidebar))
    sidebar = harness.chat.query_one(Sidebar)
    await harness.until(lambda: sidebar.display and "Today" in harness.picture())
    return sidebar


def titles(harness: Harness) -> list[str]:
    return [each.title for each in harness.backend.history.newest()]


def rows(harness: Harness) -> int:
    return sum(1 for option in harness.chat.query_one(ConversationList).options if option.id)


def said(harness: Harness) -> list[str]:
    return [message.content for message in harness.backend.conversation.messages if message.role == "user"]


@SIZES
async def test_the_sidebar_lists_what_was_said_newest_first_and_by_day(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await have_talked(harness, "Count to ten.", "Tell a tale.")
        await come(harness)
        listed = [str(option.prompt).split("  ")[0] for option in harness.chat.query_one(ConversationList).options]
        assert listed == ["Today", "▸ Tell a tale.", ""]  # the first is open
        assert "Count to ten." in harness.picture()
        assert "2 messages" in harness.picture()


@SIZES
async def test_a_conversation_is_found_by_its_words_and_opened_with_keys_only(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await have_talked(harness, "Count to ten.", "Tell a tale about wolves.")
        await come(harness)
        await harness.pilot.press(*"ten")
        await harness.until(lambda: rows(harness) == 1)
        assert "Count to ten." in harness.picture()
        await harness.pilot.press("enter")
        await harness.until(lambda: said(harness) == ["Count to ten."])
        await harness.until(lambda: harness.transcript.has_turns)
        assert harness.prompt.has_focus
        await harness.ask("Go on.")
        assert said(harness) == ["Count to ten.", "Go on."]


async def test_where_there_is_room_the_sidebar_stands_beside_and_stays() -> None:
    async with open_app(size=WIDE) as harness:
        await have_talked(harness, "one", "two")
        sidebar = await come(harness)
        assert harness.transcript.region.x >= sidebar.region.right
        await harness.pilot.press("down", "down", "enter")
        await harness.until(lambda: said(harness) == ["one"])
        assert sidebar.display


async def test_in_a_small_window_it_lies_over_the_conversation_and_goes_when_done() -> None:
    async with open_app(size=NARROW) as harness:
        await have_talked(harness, "one", "two")
        sidebar = await come(harness)
        assert harness.transcript.region.width == NARROW[0]
        await harness.pilot.press("down", "down", "enter")
        await harness.until(lambda: said(harness) == ["one"])
        assert not sidebar.display


async def test_nothing_found_and_nothing_kept_say_what_to_do() -> None:
    async with open_app() as harness:
        await harness.pilot.press("f9")
        await harness.until(lambda: "No conversations yet" in harness.picture())
        await harness.pilot.press("escape")
        await harness.ask("one")
        await come(harness)
        await harness.pilot.press(*"zebra")
        await harness.until(lambda: "No matches for “zebra”" in harness.picture())
        await harness.pilot.press("escape")
        await harness.until(lambda: "Today" in harness.picture())
        await harness.pilot.press("escape")
        assert not harness.chat.query_one(Sidebar).display
        assert harness.prompt.has_focus


@SIZES
async def test_a_conversation_is_renamed_in_its_place(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await have_talked(harness, "one", "two")
        await come(harness)
        await harness.pilot.press("down", "down", "r", "ctrl+u", *"first", "enter")
        await harness.until(lambda: titles(harness) == ["two", "first"])
        await harness.until(lambda: "first " in harness.picture())
        assert harness.chat.query_one(ConversationList).has_focus


async def test_escape_leaves_a_name_as_it_was() -> None:
    async with open_app() as harness:
        await have_talked(harness, "one")
        sidebar = await come(harness)
        await harness.pilot.press("down", "r", *"xyz", "escape")
        assert titles(harness) == ["one"]
        assert sidebar.display


async def test_what_was_deleted_can_be_brought_back() -> None:
    async with open_app() as harness:
        await have_talked(harness, "one", "two", "three")
        await come(harness)
        await harness.pilot.press("down", "down", "delete")
        await harness.until(lambda: titles(harness) == ["three", "one"])
        await harness.until(lambda: "Deleted “two”." in harness.picture())
        await harness.pilot.press("delete")
        await harness.until(lambda: titles(harness) == ["three"])
        await harness.pilot.press("u")
        await harness.until(lambda: titles(harness) == ["three", "one"])
        await harness.pilot.press("u")
        await harness.until(lambda: titles(harness) == ["three", "two", "one"])
        assert said(harness) == ["three"]


async def test_deleting_the_open_conversation_begins_a_new_one_and_undoing_opens_it_again() -> None:
    async with open_app() as harness:
        await have_talked(harness, "one")
        await come(harness)
        await harness.pilot.press("down", "delete")
        await harness.until(lambda: titles(harness) == [])
        await harness.until(lambda: not harness.transcript.has_turns)
        (back,) = (each for each in of_screen(harness.chat) if each.title == "Undo deleting “one”")
        back.callback()
        await harness.until(lambda: said(harness) == ["one"])
        await harness.until(lambda: harness.transcript.has_turns)


async def test_the_only_conversation_deleted_can_be_brought_back_by_its_key() -> None:
    """With the empty list hidden, no key went anywhere."""
    async with open_app(size=NARROW) as harness:
        await have_talked(harness, "one")
        await come(harness)
        await harness.pilot.press("down", "delete")
        await harness.until(lambda: "No conversations yet" in harness.picture())
        await harness.until(lambda: not harness.transcript.has_turns)
        await harness.pilot.press("u")
        await harness.until(lambda: titles(harness) == ["one"])
        await harness.until(lambda: said(harness) == ["one"])


async def test_opening_another_in_mid_reply_stops_the_reply_and_keeps_it() -> None:
    desk = FakeBackend(Script(is_gated=False))
    async with open_app(desk) as harness:
        await have_talked(harness, "one")
        desk.script.is_gated = True
        await harness.pilot.press("ctrl+n")
        await harness.say("two")
        harness.backend.conversation.let(5)
        await harness.until(lambda: harness.transcript.newest.text)
        await come(harness)
        await harness.pilot.press(*"one", "enter")
        await harness.until(lambda: said(harness) == ["one"])
        assert harness.chat.stage is Stage.READY
        assert titles(harness) == ["two", "one"]


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
    async with open_app(backend) as harness:
        await have_talked(harness, "one", "two")
        keys = {each.title: each.key for each in backend.history.newest()}
        backend.script.is_gated = True
        await harness.say("two again")
        backend.conversation.let(5)
        await harness.until(lambda: harness.transcript.newest.text)
        await come(harness)
        conversations = harness.chat.conversations
        for each in asked:
            assert harness.chat.stage is Stage.REPLYING, "the reply ends only when this lets go of the loop"
            if each == "switch":
                await conversations.switch_model("Another")
            else:
                wish = {"delete": DeleteAsked(keys["two"], "two"), "open": ConversationPicked(keys["one"])}
                await conversations.handle(wish.get(each, NewAsked()))
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        await harness.until(lambda: titles(harness) == ["one"])
        wanted = ["one"] if "open" in asked else []
        await harness.until(lambda: said(harness) == wanted)
        assert backend.switches == ["Another"] * asked.count("switch")


async def test_a_new_conversation_from_the_list() -> None:
    async with open_app(size=NARROW) as harness:
        await have_talked(harness, "one")
        sidebar = await come(harness)
        await harness.pilot.press("down", "n")
        await harness.until(lambda: not harness.transcript.has_turns)
        assert not sidebar.display
        assert harness.prompt.has_focus


@contextmanager
def in_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(path / "home"))
    monkeypatch.chdir(path)
    yield


async def test_a_conversation_is_exported_and_no_file_is_overwritten_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_folder(tmp_path, monkeypatch):
        async with open_app(size=NARROW) as harness:
            await have_talked(harness, "A tale, please.")
            await come(harness)
            await harness.pilot.press("down", "x")
            await harness.until(lambda: isinstance(harness.app.screen, ExportScreen))
            await harness.pilot.press("enter")
            file = tmp_path / "a-tale-please.md"
            await harness.until(file.exists)
            assert file.read_text("utf-8") == harness.backend.history.export(
                harness.backend.history.newest()[0].key, "markdown"
            )

            await harness.until(lambda: not isinstance(harness.app.screen, ExportScreen))
            file.write_text("precious")
            await harness.pilot.press("x")
            await harness.until(lambda: isinstance(harness.app.screen, ExportScreen))
            await harness.pilot.press("ctrl+u", *str(file), "enter")
            await harness.until(lambda: "exists already" in harness.picture())
            assert file.read_text() == "precious"
            await harness.pilot.press("enter")
            await harness.until(lambda: file.read_text("utf-8") != "precious")


async def test_json_has_its_own_ending_and_a_wrong_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_folder(tmp_path, monkeypatch):
        async with open_app() as harness:
            await have_talked(harness, "A tale")
            await harness.chat.run_action("export")
            await harness.until(lambda: isinstance(harness.app.screen, ExportScreen))
            await harness.pilot.press("down", "enter")
            await harness.until((tmp_path / "a-tale.json").exists)
            json.loads((tmp_path / "a-tale.json").read_text("utf-8"))

            await harness.until(lambda: not isinstance(harness.app.screen, ExportScreen))
            await harness.chat.run_action("export")
            await harness.until(lambda: isinstance(harness.app.screen, ExportScreen))
            await harness.pilot.press("ctrl+u", *"none/x.md", "enter")
            await harness.until(lambda: "There is no folder" in harness.picture())


async def test_trouble_with_the_history_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise HistoryError("The conversations cannot be read: the disk is full.", "Make room.")

    async with open_app() as harness:
        await have_talked(harness, "one", "two")
        state = (await come(harness)).query_one(".state", Static)
        history = type(harness.backend.history)
        for name in ("search", "delete", "rename"):
            monkeypatch.setattr(history, name, refuse)
        monkeypatch.setattr(type(harness.backend), "open_conversation", refuse)
        for keys in ((*"one",), ("escape", "down", "delete"), ("r", "z", "enter")):
            harness.chat.query_one(Sidebar).say_trouble("", "")
            await harness.pilot.press(*keys)
            await harness.until(lambda: "the disk is full. Make room." in str(state.content))
        await harness.pilot.press("down", "enter")
        await harness.pilot.pause()
        assert said(harness) == ["two"]


async def test_a_conversation_that_was_there_at_the_start_is_shown() -> None:
    desk = FakeBackend()
    tree = desk.conversation.tree
    tree.add(Message("assistant", "At the **spark**."), tree.add(Message("user", "Where were we?"), None))
    async with open_app(desk) as harness:
        await harness.until(lambda: "Where were we?" in harness.picture())
        assert "At the spark." in harness.picture()


async def test_what_was_saved_before_counts_in_all_and_not_in_this_conversation() -> None:
    desk = FakeBackend()
    stats = ReplyStats(generated=11, rounds=2, verified=12, verify_ms=1e4, plain_tokens=10, plain_tokens_ms=5e4)
    tree = MessageTree()
    tree.add(Message("assistant", "Hi.", stats=stats), tree.add(Message("user", "Hello."), None))
    desk.history.keep(None, tree, ChatSettings())
    async with open_app(desk) as harness:
        await harness.until(lambda: "saved in all chats 40.0 s" in " ".join(harness.picture().split()))
        assert harness.chat.view.figures.totals.saved_ms == 0


async def test_a_message_that_is_edited_does_not_follow_into_another_conversation() -> None:
    async with open_app() as harness:
        await have_talked(harness, "one")
        await harness.pilot.press(*"half")
        harness.chat.actions.edit(0)
        assert harness.prompt.text == "one"
        await harness.pilot.press("ctrl+n")
        await harness.until(lambda: not harness.transcript.has_turns)
        assert harness.prompt.text == "half"
        await harness.ask("two")
        assert said(harness) == ["two"]


async def test_the_row_in_front_is_seen_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app() as harness:
        await have_talked(harness, "one")
        await come(harness)
        shown = harness.chat.query_one(ConversationList)
        assert shown.get_visual_style("option-list--option-highlighted").underline


async def test_the_keys_of_the_list_stay_with_what_they_do() -> None:
    """ "n" once ended a line, and "new" began the next."""
    async with open_app(size=NARROW) as harness:
        await harness.ask()
        await harness.pilot.press("f9")
        await harness.until(lambda: "2 messages" in harness.picture())
        assert "Enter open  ↓ list  Esc close" in harness.picture()
        await harness.pilot.press("down")
        await harness.until(lambda: "n new  / search  Esc close" in harness.picture())
