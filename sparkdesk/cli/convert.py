"""`sparkdesk convert`: one checkpoint folder into one GGUF file, and whether two such files belong together."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from converters import OUTPUT_TYPES
from sparkdesk.cli import convert_verify
from sparkdesk.cli.console import show_progress
from sparkdesk.cli.parser import Parser
from sparkdesk.errors import UsageError

_TYPES = f"Types: {', '.join(OUTPUT_TYPES)}."


def add_arguments(parser: ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", metavar="SUBCOMMAND", required=True, parser_class=Parser)
    target = parts.add_parser("target", help="a target model", description="Convert a target's checkpoint.")
    draft = parts.add_parser("draft", help="a draft", description="Convert a DSpark, DFlash or EAGLE-3 checkpoint.")
    verify = parts.add_parser("verify", help="a converted pair", description="Try whether two files make a pair.")
    convert_verify.add_arguments(verify)
    for part in (target, draft):
        part.epilog = _TYPES
        part.add_argument("source", metavar="SRC", type=Path, help="checkpoint folder, as downloaded")
        part.add_argument("out", metavar="OUT", type=Path, help="GGUF file to write, or a folder for it")
        part.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    target.add_argument("--type", required=True, type=_output_type, metavar="TYPE", help="such as Q4_K_M or F16")
    draft.add_argument("--type", default="Q8_0", type=_output_type, metavar="TYPE", help="default: Q8_0")
    draft.add_argument(
        "--target",
        dest="target_model",
        required=True,
        type=Path,
        metavar="TARGET",
        help="the target it belongs to: GGUF file or checkpoint folder",
    )


def run(options: Namespace) -> int:
    if options.part == "verify":
        return convert_verify.run(options)
    from sparkdesk import convert

    target = options.target_model if options.part == "draft" else None
    out = convert.output_file(options.source, options.out, target=target, output_type=options.type)
    if target is None:
        events = convert.convert_target(options.source, out, output_type=options.type, overwrite=options.overwrite)
    else:
        events = convert.convert_draft(
            options.source,
            out,
            target=target,
            output_type=options.type,
            overwrite=options.overwrite,
        )
    show_progress(events)
    print(out)
    return 0


def _output_type(given: str) -> str:
    if given.upper() not in OUTPUT_TYPES:
        raise UsageError(f"{given} is not a type that can be written.", _TYPES)
    return given.upper()
