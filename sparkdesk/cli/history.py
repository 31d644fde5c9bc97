"""`sparkdesk history`: the conversations that are kept: list, search, show, export and remove them."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.cli.console import say, show
from sparkdesk.cli.parser import Parser
from sparkdesk.config.paths import user_paths
from sparkdesk.errors import HistoryError, UsageError
from sparkdesk.sizes import day_in_words

if TYPE_CHECKING:
    from sparkdesk.chat.history.sqlite import SqliteHistory
    from sparkdesk.chat.summary import Found, Summary

_ALL = 1_000_000
_YES = ("y", "yes")
_FORMS = {".md": "markdown", ".json": "json"}


def add_arguments(parser: ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", metavar="SUBCOMMAND", required=True, parser_class=Parser)
    listed = parts.add_parser("list", help="all, newest first", description="All, newest first.")
    search = parts.add_parser(
        "search", help="conversations that contain all words", description="Conversations that contain all words."
    )
    show = parts.add_parser("show", help="print one", description="Print one, as Markdown or as JSON.")
    export = parts.add_parser("export", help="write one to a file", description="Write one to a file.")
    remove = parts.add_parser("remove", help="delete permanently", description="Delete permanently.")
    parts.add_parser(
        "repair",
        help="save what can be read of a damaged history",
        description="Save what can be read of a damaged history into a new one. The old file is kept beside it.",
    )
    search.add_argument("words", nargs="+", metavar="WORD", help="the last word may be a prefix")
    for part in (show, export):
        part.add_argument("number", type=int, metavar="NUMBER", help="from `sparkdesk history list`")
    export.add_argument("out", type=Path, metavar="OUT", help="a .md or .json file")
    export.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    remove.add_argument("number", type=int, nargs="*", metavar="NUMBER", help="from `sparkdesk history list`")
    remove.add_argument("--all", action="store_true", help="every conversation")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    for part in (listed, search, show):
        part.add_argument("--json", action="store_true", help="print JSON")


def run(options: Namespace) -> int:
    if options.part == "repair":
        return _repair()
    with _history() as history:
        match options.part:
            case "list":
                _print_list(history.newest(_ALL), is_json=options.json)
                _say_damaged(history)
            case "search":
                _print_found(history.search(" ".join(options.words), _ALL), is_json=options.json)
            case "show":
                _check_is_there(history, options.number)
                sys.stdout.write(history.export(options.number, "json" if options.json else "markdown"))
            case "export":
                _export(history, options)
            case "remove":
                return _remove(history, options)
    return 0


@contextmanager
def _history() -> "Generator[SqliteHistory, None, None]":
    from sparkdesk.chat.history.sqlite import SqliteHistory

    history = SqliteHistory(user_paths().history_file)
    if history.not_kept:
        say(f"sparkdesk: {history.not_kept} It is only read.")
    try:
        yield history
    finally:
        history.close()


def _say_damaged(history: "SqliteHistory") -> None:
    if history.damaged:
        what = "1 conversation is" if history.damaged == 1 else f"{history.damaged} conversations are"
        say(f"{what} damaged and left out. Save what can be read: sparkdesk history repair.")


def _repair() -> int:
    from sparkdesk.chat.history.repair import repair

    found = repair(user_paths().history_file)
    if found is None:
        say("Nothing to repair: the history can be read, and none was set aside.")
        return 0
    say(f"Saved {found.conversations} conversations with {found.messages} messages.")
    if found.incomplete:
        say(f"Of these, {found.incomplete} lack messages or their order.")
    if found.lost:
        say(f"Lost: {found.lost} conversations, of which nothing could be read.")
    for path in found.aside:
        say(f"The old file is {path}.")
    return 0


def _print_list(summaries: "Sequence[Summary]", *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"conversations": [_as_json(each) for each in summaries]}, ensure_ascii=False, indent=2))
    elif not summaries:
        say("There are no conversations yet. Start one: sparkdesk demo.")
    for summary in () if is_json else summaries:
        show(_line(summary))


def _print_found(found: "Sequence[Found]", *, is_json: bool) -> None:
    if is_json:
        told = [{**_as_json(each.summary), "place": each.before + each.match + each.after} for each in found]
        print(json.dumps({"conversations": told}, ensure_ascii=False, indent=2))
    elif not found:
        say("Nothing found.")
    for each in () if is_json else found:
        show(_line(each.summary))
        show(f"      {each.before}{each.match}{each.after}".rstrip())


def _line(summary: "Summary") -> str:
    when = day_in_words(summary.changed_at.timestamp(), time.time())
    messages = "1 message" if summary.message_count == 1 else f"{summary.message_count} messages"
    return f"{summary.key:>4}  {summary.title}  ({when}, {messages})"


def _as_json(summary: "Summary") -> dict[str, object]:
    return {
        "number": summary.key,
        "title": summary.title,
        "changed_at": summary.changed_at.isoformat(timespec="seconds"),
        "messages": summary.message_count,
        "model": summary.model,
    }


def _export(history: "SqliteHistory", options: Namespace) -> None:
    from sparkdesk.atomic_file import write_whole

    out: Path = options.out
    form = _FORMS.get(out.suffix.lower())
    if form is None:
        raise UsageError(f"Unknown format: {out}.", "Use a name that ends in .md or .json.")
    if out.exists() and not options.overwrite:
        raise UsageError(f"{out} exists already.", "Choose another name, or give --overwrite.")
    _check_is_there(history, options.number)
    text = history.export(options.number, form)
    try:
        write_whole(out, text)
    except OSError as error:
        raise HistoryError(f"{out} cannot be written: {error.strerror or error}.", "Choose another place.") from error
    print(out)


def _remove(history: "SqliteHistory", options: Namespace) -> int:
    if bool(options.number) == options.all:
        raise UsageError("Name the conversations to remove, or give --all.", "See: sparkdesk history list.")
    there = {each.key: each for each in history.newest(_ALL)}
    for number in options.number:
        _check_is_there(history, number)
    wanted = list(there) if options.all else options.number
    if wanted and not options.yes and not _asked([there[number] for number in wanted]):
        return 1
    for number in wanted:
        history.delete(number)
    say("Nothing to remove." if not wanted else f"Removed {len(wanted)}.")
    return 0


def _check_is_there(history: "SqliteHistory", number: int) -> None:
    if all(each.key != number for each in history.newest(_ALL)):
        raise UsageError(f"There is no conversation {number}.", "See: sparkdesk history list.")


def _asked(summaries: "Sequence[Summary]") -> bool:
    for summary in summaries:
        say(_line(summary))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("Nothing was removed: this is not a terminal.", "Use --yes to remove it without asking.")
    print("Remove? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in _YES
