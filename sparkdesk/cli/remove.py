"""`sparkdesk remove`: a pair, a model or incomplete downloads, after saying what else needs them."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkdesk.cli.console import say
from sparkdesk.errors import UsageError
from sparkdesk.sizes import size_in_words

if TYPE_CHECKING:
    from sparkdesk.library.removal import Removal

_YES = ("y", "yes")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME|FILE", help="a pair or model as `sparkdesk list` shows it")
    parser.add_argument(
        "--incomplete", "--unfinished", action="store_true", help="all interrupted downloads and conversions"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print one JSON object; needs --yes")


def run(options: Namespace) -> int:
    from sparkdesk.config.paths import user_paths
    from sparkdesk.config.settings import read_settings
    from sparkdesk.library import read_library
    from sparkdesk.library.removal import plan_removal, plan_sweep, remove

    if bool(options.name) == options.incomplete:
        raise UsageError("Name what to remove, or give --incomplete.", "See: sparkdesk list.")
    paths = user_paths()
    library = read_library(paths, read_settings(paths.settings_file))
    removal = plan_sweep(library) if options.incomplete else plan_removal(library, options.name)
    is_empty = not (removal.files or removal.folders)
    is_wanted = is_empty or options.yes or _asked(removal, is_json=options.json)
    if is_wanted:
        remove(removal)
    _report(removal, is_json=options.json, is_empty=is_empty, is_done=is_wanted)
    return int(not is_wanted)


def in_words(removal: "Removal") -> Iterator[str]:
    """What would go, one fact a line."""
    yield f"Removing {removal.what} frees {size_in_words(removal.freed_bytes)}:"
    for path in (*removal.folders, *removal.files):
        yield f"  {path}"
    for owner in removal.outside:
        yield f"This is in {owner}."
    if removal.losers:
        yield f"Without it these pairs no longer work: {', '.join(removal.losers)}."
    for path in removal.kept:
        yield f"{path} is kept; remove it by its path if nothing else needs it."


def _asked(removal: "Removal", *, is_json: bool) -> bool:
    for line in in_words(removal):
        say(line)
    if is_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("Nothing was removed: not a terminal, so it cannot ask.", "Use --yes.")
    print("Remove? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in _YES


def _report(removal: "Removal", *, is_json: bool, is_empty: bool, is_done: bool) -> None:
    if is_json:
        print(
            json.dumps(
                {
                    "removed": [str(path) for path in (*removal.folders, *removal.files)],
                    "freed_bytes": removal.freed_bytes,
                    "broken_pairs": list(removal.losers),
                },
                indent=2,
            )
        )
    elif is_empty:
        say("Nothing to remove.")
    elif is_done:
        lost = f" These pairs no longer work: {', '.join(removal.losers)}." if removal.losers else ""
        say(f"Removed {removal.what}: {size_in_words(removal.freed_bytes)} freed.{lost}")
    else:
        say("Nothing was removed.")
