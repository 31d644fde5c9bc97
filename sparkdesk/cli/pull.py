"""`sparkdesk pull`: a pair of the catalogue, or one model, from the hub onto this disk."""

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli.talk import follow, say
from sparkdesk.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.hub.pull import Pulled


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME|REPO", help="a pair such as qwen3-8b, Owner/Repository[:QUANT], or a path"
    )
    parser.add_argument("--quant", default="", metavar="QUANT", help="quantization of the target; default: Q4_K_M")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = (
        "Files go to the cache that hf uses too (HF_HOME, HF_HUB_CACHE). A download that was cut goes on when the same "
        "command is given again; hf auth login or HF_TOKEN opens gated models."
    )


def run(options: Namespace) -> int:
    from sparkdesk.catalog import read_catalog
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.model import CHECKPOINT
    from sparkdesk.hub.pull import MODEL, pull

    catalog = read_catalog(user_paths().catalog_file)
    try:
        pulled = follow(pull(Hub(), catalog, options.name, quantization=options.quant))
    except KeyboardInterrupt:
        say("Stopped. What was downloaded is kept: the same command goes on from there.")
        raise
    if any(each.source.kind == CHECKPOINT and each.role != MODEL for each in pulled):
        say(f"Convert and try it: sparkdesk build {options.name}")
    print(json.dumps({"models": [as_json(each) for each in pulled]}, indent=2) if options.json else _in_words(pulled))
    return 0


def as_json(pulled: "Pulled") -> dict[str, object]:
    source = pulled.source
    return {
        "role": pulled.role,
        "kind": source.kind,
        "path": str(pulled.path),
        "repository": source.wanted.repository.name if source.wanted is not None else None,
        "revision": source.revision or None,
        "quantization": source.quantization or None,
        "size_bytes": source.size_bytes,
    }


def _in_words(pulled: "tuple[Pulled, ...]") -> str:
    return "\n".join(str(each.path) for each in pulled)
