"""`sparkdesk bench`: what speculation gains here, what passes cost, pairs to measure with, and a card to share."""

from argparse import ArgumentParser, Namespace
from importlib import import_module

from sparkdesk.cli.parser import Parser

PARTS = {
    "run": "plain decoding against speculation over a suite of prompts",
    "race": "one prompt plainly and with speculation: who is faster, and whether the texts are the same",
    "curve": "what passes cost inside the loop, and the draft length that makes the best",
    "busy": "what is left of the speed while other programs compute",
    "synth": "write a pair of any shape whose text means nothing and whose speed is real",
    "card": "a report card to share: figures, files, machine and build",
}


def add_arguments(parser: ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", metavar="SUBCOMMAND", required=True, parser_class=Parser)
    for name, summary in PARTS.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        part = parts.add_parser(name, help=summary, description=description, allow_abbrev=False)
        import_module(f"sparkdesk.cli.bench_{name}").add_arguments(part)


def run(options: Namespace) -> int:
    code: int = import_module(f"sparkdesk.cli.bench_{options.part}").run(options)
    return code
