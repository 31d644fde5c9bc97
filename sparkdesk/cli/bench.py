"""`sparkdesk bench`: what speculation gains here, what passes cost, pairs to measure with, and a card to share."""

from argparse import ArgumentParser, Namespace
from importlib import import_module

from sparkdesk.cli.parser import Parser

PARTS = {
    "run": "plain decoding against speculation over a suite of prompts",
    "race": "one prompt, plain and with speculation: which is faster, and whether the texts match",
    "compare": "several drafters of one target: accepted length, speed, cost, memory, text",
    "curve": "what each pass costs inside the loop, and the best draft length",
    "busy": "how much speed is left while other programs compute",
    "synth": "write a synthetic pair of any shape: meaningless text, real speed",
    "card": "a report card to share: results, files, machine and build",
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
