"""`sparkdesk bench card`: a run's figures as a report card to share, freshly measured or from a kept run."""

from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from sparkdesk.cli import bench_pair, bench_run
from sparkdesk.cli.console import say_error, show_progress
from sparkdesk.events import Progress


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "The card names files, hashes, machine, build and figures; no prompt, no folder and no user. "
        "Measuring takes as long as bench run does, of which --from takes the result instead."
    )
    bench_pair.add_pair(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE.md", help="write it here, and its figures as JSON beside it; else to stdout"
    )
    parser.add_argument(
        "--from", dest="kept", type=Path, metavar="RUN.json", help="what bench run --json printed for these files"
    )
    bench_run.add_measuring(parser)


def run(options: Namespace) -> int:
    from sparkdesk.bench import card
    from sparkdesk.bench.card_markdown import markdown

    if options.out is not None:
        card.check_out(options.out)
    files = bench_pair.prepared(bench_pair.chosen(options)).by_role
    found, code = _figures(options, files)
    if not found["prompts"]:
        return code
    made = card.card_of(found, hashed(files))
    if options.out is None:
        print(markdown(made), end="")
    else:
        print("\n".join(map(str, card.write_card(made, options.out))))
    return code


def _figures(options: Namespace, files: Mapping[str, Path]) -> tuple[dict[str, Any], int]:
    from sparkdesk.bench import card
    from sparkdesk.bench.run_report import read_record

    if options.kept is not None:
        found = read_record(options.kept)
        card.check_files(found, files)
        return found, 0
    found, outcome = bench_run.measured(options, "run")
    if outcome.error is not None:
        say_error(outcome.error)
    return found, outcome.exit_code


def hashed(files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file, by its role, with progress."""
    from sparkdesk.bench.card import hashes

    found: dict[str, str] = {}

    def steps() -> Generator[Progress, None, None]:
        found.update((yield from hashes(files)))

    show_progress(steps())
    return found
