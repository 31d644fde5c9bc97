"""`sparkdesk man`: the manual page, made of what --help says."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkdesk import __version__
from sparkdesk.cli.app import DESCRIPTION

if TYPE_CHECKING:
    from sparkdesk.cli.command_tree import Command, Option


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Read it: sparkdesk man | man -l -. Keep it: sparkdesk man > ~/.local/share/man/man1/sparkdesk.1"


def run(options: Namespace) -> int:
    print("\n".join(page()))
    return 0


def page() -> Iterator[str]:
    """In roff, with the macros of man(7)."""
    from sparkdesk.cli.command_tree import commands

    root, *others = commands()
    yield f'.TH SPARKDESK 1 "" "SparkDesk {__version__}" "User Commands"'
    yield from (".SH NAME", "sparkdesk \\- " + _text(DESCRIPTION.rstrip(".")), ".SH SYNOPSIS", _text(root.usage))
    yield from (".SH OPTIONS", *_options(root))
    yield ".SH COMMANDS"
    for each in others:
        yield from (f".SS sparkdesk {' '.join(each.path)}", _text(each.summary) + ".", ".PP", _text(each.usage))
        yield from _options(each)
    yield from (".SH EXIT STATUS", _text(_EXIT_STATUS), ".SH ENVIRONMENT", _text(_ENVIRONMENT))


_EXIT_STATUS = (
    "0 success; 1 doctor found a problem, or the history failed; 2 wrong usage or settings; 3 conversion; 4 model or "
    "engine; 5 download; 70 a bug in SparkDesk; 130 interrupted by Ctrl+C."
)
_ENVIRONMENT = "SPARKDESK_HOME moves all files of SparkDesk to one folder. NO_COLOR turns colours off."


def _options(command: "Command") -> Iterator[str]:
    for each in (*command.arguments, *command.options):
        yield from (".TP", _head(each), _text(each.help))


def _head(option: "Option") -> str:
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
    return f"{names} \\fI{_text(option.metavar)}\\fR".strip() if option.metavar else names


def _text(text: str) -> str:
    """Nothing in it is a request or an escape of roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
