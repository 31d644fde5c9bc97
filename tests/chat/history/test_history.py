"""The history, on the disk and in memory: what is kept, found, renamed, deleted, and what happens when it cannot be."""

import json
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat.history import schema
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.pending import PendingHistory
from sparkdesk.chat.history.rows import pack, unpack
from sparkdesk.chat.history.schema import VERSION
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import BONUS, DRAFTED, RoundMark, Stretch, Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import HistoryError, UsageError

TRACE = Trace((Stretch(2, DRAFTED, 1, 0.5), Stretch(1, BONUS)), (RoundMark(2, 3, 1, "draft", True, False, 4.5),))
SETTINGS = ChatSettings(system_prompt="Be brief.", sampling=SamplingSettings(temperature=0.3), is_thinking=True)


AnyHistory = SqliteHistory | MemoryHistory | PendingHistory


@pytest.fixture(params=["sqlite", "memory", "pending"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyHistory]:
    made: AnyHistory = MemoryHistory()
    if request.param != "memory":
        made = (SqliteHistory if request.param == "sqlite" else PendingHistory)(tmp_path / "kept.db")
    yield made
    made.close()


def talk(*texts: str) -> MessageTree:
    tree = MessageTree()
    for index, text in enumerate(texts):
        tree.add(Message("assistant" if index % 2 else "user", text, model="Tiny" if index % 2 else ""), tree.last)
    return tree


def kept(history: AnyHistory, tree: MessageTree) -> int:
    key = history.keep(None, tree, SETTINGS)
    assert key is not None
    return key


def titles(history: AnyHistory) -> list[str]:
    return [each.title for each in history.newest()]


def test_a_conversation_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    tree = MessageTree()
    asked = tree.add(Message("user", "Read this", attachments=(Attachment("a.txt", "text"),)), None)
    stats = ReplyStats(prompt_tokens=9, generated=3, rounds=1, verified_by_position=(1, 1), plain_ms_per_token=2.5)
    tree.add(Message("assistant", "abc", stats=stats, trace=TRACE, model="Tiny"), asked)
    tree.add(Message("assistant", "ab", is_partial=True, note="Stopped.", model="Tiny"), asked)
    tree.switch(1, -1)
    first = SqliteHistory(tmp_path / "kept.db")
    key = kept(first, tree)
    first.close()
    again = SqliteHistory(tmp_path / "kept.db").read(key)
    assert again.settings == SETTINGS and again.tree.messages == tree.messages
    before, after = (each.message.trace for each in (dict(tree.nodes())[1], dict(again.tree.nodes())[1]))
    assert before is not None and after is not None and after.rounds == before.rounds
    assert [each.length for each in after.stretches] == [2, 1] and after.stretches[0].confidence == 0.5
    again.tree.switch(1, 1)
    assert again.tree.messages[1].note == "Stopped."


def test_hidden_branches_come_back_with_what_was_shown_in_them(tmp_path: Path) -> None:
    tree = talk("a", "b", "c", "d")
    tree.add(Message("assistant", "D"), tree.parent(tree.shown[3]))
    tree.switch(3, -1)
    other = tree.add(Message("user", "A"), None)
    tree.add(Message("assistant", "B"), other)
    history = SqliteHistory(tmp_path / "kept.db")
    again = history.read(kept(history, tree)).tree
    assert [message.content for message in again.messages] == ["A", "B"]
    again.switch(0, -1)
    assert [message.content for message in again.messages] == ["a", "b", "c", "d"]


def test_only_what_changed_is_written_again(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "kept.db")
    tree = talk(*"abcdef")
    key = kept(history, tree)
    statements: list[str] = []
    history._connection.set_trace_callback(statements.append)
    last = tree.last
    assert last is not None
    tree.replace(last, Message("assistant", "grown"))
    history.keep(key, tree, SETTINGS)
    assert len({each for each in statements if each.startswith("INSERT INTO message (")}) == 1
    tree.remove(last)
    history.keep(key, tree, SETTINGS)
    assert [message.content for message in history.read(key).tree.messages] == list("abcde")


def test_the_newest_comes_first_under_its_first_words(history: AnyHistory) -> None:
    first = kept(history, talk("Hello,\n  you there", "Hi"))
    history.keep(None, talk("Bye"), SETTINGS)
    assert titles(history) == ["Bye", "Hello, you there"]
    summary = history.newest()[1]
    assert (summary.message_count, summary.model) == (2, "Tiny") and summary.changed_at.tzinfo is not None
    history.rename(first, "  Greetings ")
    history.keep(first, talk("Hello, you there", "Hi", "More"), SETTINGS)
    assert titles(history) == ["Greetings", "Bye"]


def test_what_speculation_saved_is_added_up_over_all_that_is_kept(history: AnyHistory) -> None:
    measured = ReplyStats(plain_ms_per_token=10, plain_tokens=4, plain_tokens_ms=40)
    fast = replace(measured, generated=5, rounds=2, verified=6, accepted=3, verify_ms=20)
    plain = ReplyStats(generated=5, rounds=4, verify_ms=38, plain_ms_per_token=10)
    assert history.saved_ms() == 0
    keys = []
    for stats in (fast, plain, fast):
        tree = talk("Hello")
        tree.add(Message("assistant", "Hi", stats=stats), tree.last)
        keys.append(kept(history, tree))
    assert history.saved_ms() == 2 * fast.saved_ms == 40
    history.delete(keys[0])
    assert history.saved_ms() == 20


def test_what_was_deleted_can_be_undone(history: AnyHistory) -> None:
    key = kept(history, talk("Hello"))
    history.delete(key)
    assert not history.newest() and not history.search("Hello")
    with pytest.raises(HistoryError, match="no longer there"):
        history.read(key)
    history.undelete(key)
    assert titles(history) == ["Hello"]


def test_what_was_deleted_is_gone_from_the_file_when_the_program_ends(tmp_path: Path) -> None:
    """secure_delete: not even the bytes stay."""
    path = tmp_path / "kept.db"
    history = SqliteHistory(path)
    history.delete(kept(history, talk("a most secret sentence")))
    history.close()
    assert b"secret" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("searched", "found"),
    [
        ("bread", ["Baking", "Toast"]),
        ("BREAD flour", ["Baking"]),
        ("bre", ["Baking", "Toast"]),
        ("cafe", []),
        ("naïve", ["Words"]),
        ("パン", ["日本"]),
        ("50%", ["Words"]),
        ("100%", []),
        ('"quoted', ["Words"]),
        ("AND OR NOT", []),
        ("bread*", ["Toast"]),
        ("c++", ["Words"]),
        ("baking", ["Baking"]),
        ("straße", ["ÄPFEL"]),
        ("äpfel", ["ÄPFEL"]),
        ("nai\u0308ve", ["Words"]),
        ("  ", []),
    ],
)
def test_words_are_found_as_they_are_meant(history: AnyHistory, searched: str, found: list[str]) -> None:
    """Nothing a user types is syntax; a word may be in any message, or in the title."""
    history.rename(kept(history, talk("How do I make bread?", "With flour.")), "Baking")
    history.rename(kept(history, talk("Breadcrumbs", "and toast of bread* ")), "Toast")
    history.rename(kept(history, talk('a naïve "quoted" 50% of c++', "x")), "Words")
    history.rename(kept(history, talk("私はパンが好きです", "x")), "日本")
    history.rename(kept(history, talk("in der Straße", "x")), "ÄPFEL")
    assert sorted(each.summary.title for each in history.search(searched)) == sorted(found)


def test_only_the_last_word_may_be_begun(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "kept.db")
    history.keep(None, talk("The art of waiting", "An article"), SETTINGS)
    assert history.search("art wait") and not history.search("wait art")


def test_a_find_shows_the_place(history: AnyHistory) -> None:
    history.keep(None, talk("first line\nsome words around Needle and after it\nlast"), SETTINGS)
    (found,) = history.search("needle")
    assert (found.before, found.match, found.after) == ("some words around ", "Needle", " and after it")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> SqliteHistory:
    history = SqliteHistory(tmp_path_factory.mktemp("history") / "kept.db")
    history.keep(None, talk("some words", "more words"), SETTINGS)
    return history


@given(text=st.text(max_size=40))
def test_no_search_is_an_error(filled: SqliteHistory, text: str) -> None:
    filled.search(text)


def test_export_to_markdown_and_json(history: AnyHistory) -> None:
    tree = MessageTree()
    asked = tree.add(Message("user", "Look", attachments=(Attachment("a.md", "```\ncode\n```"),)), None)
    tree.add(Message("assistant", "First", model="Tiny"), asked)
    tree.add(Message("assistant", "Second", is_partial=True, note="Stopped.", model="Tiny"), asked)
    key = kept(history, tree)
    markdown, told = history.export(key, "markdown"), history.export(key, "json")
    assert markdown.startswith("# Look\n") and "Be brief." in markdown and "````\n```\ncode" in markdown
    assert "Second" in markdown and "First" not in markdown and "*Stopped.*" in markdown
    assert '"First"' in told and '"Second"' in told and '"parent": 0' in told
    with pytest.raises(UsageError, match="not an export format"):
        history.export(key, "pdf")


def test_markdown_shows_thoughts_apart_and_leaves_no_block_of_code_open(history: AnyHistory) -> None:
    code = "<think>\nHm.\n</think>\n\n    indented\n\n~~~~py\nif x:\n~~~\n    y"
    markdown = history.export(kept(history, talk("Write it", code, "More", "Done.")), "markdown")
    assert "<details><summary>Thoughts</summary>\n\nHm.\n\n</details>" in markdown and "<think>" not in markdown
    assert "\n    indented\n\n~~~~py\nif x:\n~~~\n    y\n~~~~\n\n## You\n\nMore" in markdown


def costing(history: AnyHistory, stats: ReplyStats) -> tuple[str, dict[str, object]]:
    """The last line of the Markdown, and the JSON's figures, of a reply with these."""
    tree = MessageTree()
    tree.add(Message("assistant", "Yes.", stats=stats), tree.add(Message("user", "Sure?"), None))
    key = kept(history, tree)
    told = json.loads(history.export(key, "json"))["messages"][-1]["cost"]
    return history.export(key, "markdown").splitlines()[-1], told


def test_an_export_says_what_a_turn_cost(history: AnyHistory) -> None:
    stats = ReplyStats(
        prompt_tokens=20_480, prefilled_tokens=480, prefill_ms=421.4, generated=41, rounds=10, verify_ms=1000.0
    )
    line, told = costing(history, stats)
    assert line == "*First token after 0.42 s · 20,000 prompt tokens cached, 480 new · 41 tokens at 40.0 a second*"
    assert told == {
        "first_token_ms": 421.4,
        "cached_tokens": 20_000,
        "new_tokens": 480,
        "generated": 41,
        "tokens_per_second": 40.0,
    }


def test_an_export_does_not_make_up_what_a_server_did_not_tell(history: AnyHistory) -> None:
    line, told = costing(history, ReplyStats(prompt_tokens=50, generated=7))
    assert line == "*7 tokens*" and told["cached_tokens"] is told["new_tokens"] is told["first_token_ms"] is None
    twice = ReplyStats(prompt_tokens=50, prefilled_tokens=80, prefill_ms=9.0, generated=7, prefills=2)
    line, told = costing(history, twice)
    assert line == "*7 tokens*" and told["cached_tokens"] is told["first_token_ms"] is None


def test_json_says_all_that_was_said(history: AnyHistory) -> None:
    """To the letter, so that nothing is lost with the history."""
    texts = ("  a\t", "<think>\nb\n</think>\n\n```", "é\u2028\U0001f600", " ")
    told = json.loads(history.export(kept(history, talk(*texts)), "json"))
    assert tuple(each["content"] for each in told["messages"]) == texts
    assert told["settings"]["system_prompt"] == "Be brief." and told["sparkdesk_conversation"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes are Unix's")
def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    SqliteHistory(tmp_path / "kept.db").keep(None, talk("a"), SETTINGS)
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in tmp_path.iterdir())


def test_two_desks_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    desks = [SqliteHistory(path), SqliteHistory(path)]

    def write(desk: SqliteHistory) -> None:
        for number in range(20):
            desk.keep(None, talk(f"text {number}"), SETTINGS)

    threads = [threading.Thread(target=write, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desks[0].newest()) == 40
    assert desks[0]._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_desks_in_one_conversation_lose_nobodys_words(tmp_path: Path) -> None:
    """The second becomes a conversation of its own; without that, messages of one number would overwrite each other."""
    ours, theirs = SqliteHistory(tmp_path / "kept.db"), SqliteHistory(tmp_path / "kept.db")
    key = kept(ours, talk("Hello", "Hi"))
    ours.rename(key, "Greetings")
    our_tree, their_tree = ours.read(key).tree, theirs.read(key).tree
    our_tree.add(Message("user", "from here"), our_tree.last)
    their_tree.add(Message("user", "from there"), their_tree.last)
    assert ours.keep(key, our_tree, SETTINGS) == key
    their_key = theirs.keep(key, their_tree, SETTINGS)
    assert their_key is not None and their_key != key
    assert theirs.keep(their_key, their_tree, SETTINGS) == their_key and ours.keep(key, our_tree, SETTINGS) == key
    said = [[message.content for message in ours.read(each).tree.messages] for each in (key, their_key)]
    assert said == [["Hello", "Hi", "from here"], ["Hello", "Hi", "from there"]]
    assert titles(ours) == ["Greetings", "Greetings"]


def test_what_another_desk_only_set_is_no_reason_to_part(tmp_path: Path) -> None:
    ours, theirs = SqliteHistory(tmp_path / "kept.db"), SqliteHistory(tmp_path / "kept.db")
    tree = talk("Hello", "Hi")
    key = kept(ours, tree)
    theirs.keep(key, theirs.read(key).tree, ChatSettings())
    tree.add(Message("user", "more"), tree.last)
    assert ours.keep(key, tree, SETTINGS) == key and len(ours.read(key).tree.messages) == 3


def test_a_conversation_that_is_talked_in_is_not_deleted(tmp_path: Path) -> None:
    """Another desk deletes it and ends, which deletes for good; what is said here afterwards stays."""
    ours, theirs = SqliteHistory(tmp_path / "kept.db"), SqliteHistory(tmp_path / "kept.db")
    tree = talk("Hello", "Hi")
    key = kept(ours, tree)
    theirs.delete(key)
    tree.add(Message("user", "more"), tree.last)
    assert ours.keep(key, tree, SETTINGS) == key
    theirs.close()
    assert titles(ours) == ["Hello"]
    theirs = SqliteHistory(tmp_path / "kept.db")
    theirs.delete(key)
    theirs.close()
    again = ours.keep(key, tree, SETTINGS)
    assert again is not None and len(ours.read(again).tree.messages) == 3


def test_nothing_said_is_nothing_kept(history: AnyHistory) -> None:
    tree = talk("Hello")
    key = kept(history, tree)
    tree.remove(0)
    assert history.keep(key, tree, SETTINGS) is None and not history.newest()
    assert history.keep(None, tree, SETTINGS) is None and not history.newest()


def test_a_full_disk_is_told_and_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "kept.db")
    tree = talk("Hello", "Hi")
    key = kept(history, tree)
    (pages,) = history._connection.execute("PRAGMA page_count").fetchone()
    history._connection.execute(f"PRAGMA max_page_count = {pages}")
    tree.add(Message("user", "x" * 100_000), tree.last)
    with pytest.raises(HistoryError, match="full") as raised:
        history.keep(key, tree, SETTINGS)
    assert "Make room" in raised.value.hint and len(history.read(key).tree.messages) == 2
    history._connection.execute("PRAGMA max_page_count = 1000000")
    assert history.keep(key, tree, SETTINGS) == key and len(history.read(key).tree.messages) == 3


def test_closing_waits_for_what_is_being_written(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "kept.db")
    trouble: list[str] = []

    def write() -> None:
        try:
            while True:
                history.keep(None, talk("text"), SETTINGS)
        except HistoryError as error:
            trouble.append(str(error))

    thread = threading.Thread(target=write)
    thread.start()
    while not history.newest(1):
        pass
    history.close()
    thread.join(10)
    assert not thread.is_alive() and "closed" in trouble[0]


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "kept.db"
    history = SqliteHistory(path)
    history.keep(None, talk("a" * 100_000), SETTINGS)
    history.close()
    path.write_bytes(b"no database at all" * 1000 if damage == "garbage" else path.read_bytes()[:5000])
    again = PendingHistory(path)
    assert not again.not_kept and "damaged" in again.notice and not again.newest()
    again.close()
    assert len(list(tmp_path.glob("kept-damaged-*.db"))) == 1


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    SqliteHistory(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    again = PendingHistory(path)
    assert "newer SparkDesk" in again.not_kept and path.exists()
    again.close()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.db"
    history = SqliteHistory(path)
    history.keep(None, talk("Hello"), SETTINGS)
    history.close()
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    monkeypatch.setattr(schema, "_STEPS", (*schema._STEPS, "ALTER TABLE conversation ADD COLUMN colour TEXT;"))
    history = SqliteHistory(path)
    assert titles(history) == ["Hello"]
    assert history._connection.execute("SELECT colour FROM conversation").fetchall() == [(None,)]
    history.close()
    monkeypatch.undo()
    again = PendingHistory(path)
    assert "newer" in again.not_kept, "what is newer now is left alone"
    again.close()


def test_without_a_place_to_write_the_desk_works_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    again = PendingHistory(tmp_path / "file" / "kept.db")
    assert "cannot be opened" in again.not_kept and "not kept" in again.not_kept
    assert titles(again) == [] and kept(again, talk("Hello")) < 0 and titles(again) == ["Hello"]
    again.close()


def test_a_trace_survives_being_packed() -> None:
    stretches, rounds = unpack(pack(TRACE))
    assert stretches == TRACE.stretches and rounds == TRACE.rounds
    assert unpack(b"nonsense") == ((), ()) and Trace.kept(partial(unpack, b"nonsense")).stretches == ()
    long = Trace((Stretch(200_000, BONUS),))
    assert sum(each.length for each in unpack(pack(long))[0]) == 200_000
