"""All commands with their options, read off the parsers, so that what is made of them is true."""

from argparse import SUPPRESS, Action, _SubParsersAction
from collections.abc import Iterator
from dataclasses import dataclass

from sparkdesk.cli.app import COMMANDS, parser_for
from sparkdesk.cli.parser import Parser


@dataclass(frozen=True, slots=True)
class Option:
    names: tuple[str, ...]
    metavar: str
    """Of its value; empty for a switch."""
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    path: tuple[str, ...]
    """("bench", "run"); empty for `sparkdesk` itself."""
    summary: str
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]
    """Without a name of their own: only metavar and help."""
    subcommands: tuple[str, ...]


def commands() -> Iterator[Command]:
    """`sparkdesk` first, then each command followed by its subcommands."""
    yield _command((), "", parser_for(None))
    for name, summary in COMMANDS.items():
        parser = _subparsers(parser_for(name))[name]
        yield _command((name,), summary, parser)
        for subcommand, inner in _subparsers(parser).items():
            yield _command((name, subcommand), (inner.description or "").rstrip("."), inner)


def _command(path: tuple[str, ...], summary: str, parser: Parser) -> Command:
    own = [each for each in parser._actions if not isinstance(each, _SubParsersAction) and each.help != SUPPRESS]
    usage = " ".join(parser.format_usage().removeprefix("usage:").split())
    return Command(
        path,
        summary,
        usage,
        tuple(_option(parser, each) for each in own if each.option_strings),
        tuple(_option(parser, each) for each in own if not each.option_strings),
        tuple(_subparsers(parser)),
    )


def _option(parser: Parser, action: Action) -> Option:
    metavar = action.metavar if isinstance(action.metavar, str) else (action.dest if action.nargs != 0 else "")
    said = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return Option(tuple(action.option_strings), "" if action.nargs == 0 else metavar, said)


def _subparsers(parser: Parser) -> dict[str, Parser]:
    found: dict[str, Parser] = {}
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            found |= action.choices
    return found
