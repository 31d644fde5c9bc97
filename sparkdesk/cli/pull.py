"""`sparkdesk pull`: a pair of the catalogue, or one model, from the hub onto this disk."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from typing import TYPE_CHECKING

from sparkdesk.cli import estimating
from sparkdesk.cli.console import follow, say
from sparkdesk.cli.estimating import choose_selection, fit_as_json
from sparkdesk.config.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast, Selection
    from sparkdesk.catalog import PairEntry
    from sparkdesk.events import Report
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.model import ModelSource
    from sparkdesk.hub.pull import Pulled


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME|REPO", help="a pair such as qwen3-8b, Owner/Repository[:QUANT], or a path"
    )
    parser.add_argument(
        "--quant",
        default="",
        metavar="QUANT",
        help="quantization of the target; default: Q4_K_M, or the largest that fits",
    )
    estimating.add_dry_run(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = (
        "Files go to the cache that hf uses too (HF_HOME, HF_HUB_CACHE). An interrupted download resumes when the same "
        "command is given again; hf auth login or HF_TOKEN opens gated models."
    )


def run(options: Namespace) -> int:
    from sparkdesk.catalog import read_catalog
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.model import CHECKPOINT
    from sparkdesk.hub.pull import MODEL, named_pair

    entry, hub = named_pair(read_catalog(user_paths().catalog_file), options.name), Hub()
    try:
        models, forecast = _found(hub, entry, options)
        pulled = () if options.dry_run else _fetched(hub, entry, models)
    except KeyboardInterrupt:
        say("Stopped. What was downloaded is kept; run the same command to resume.")
        raise
    if any(each.source.kind == CHECKPOINT and each.role != MODEL for each in pulled):
        say(f"Convert and try it: sparkdesk build {options.name}")
    if options.json:
        print(json.dumps({"models": [as_json(each) for each in pulled], "fit": fit_as_json(forecast)}, indent=2))
    elif pulled:
        print(_in_words(pulled))
    return 0


def _found(
    hub: "Hub", entry: "PairEntry | None", options: Namespace
) -> "tuple[dict[str, ModelSource], Forecast | None]":
    from sparkdesk.builder.planning import find_selection
    from sparkdesk.hub.lookup import Lookup

    lookup, models = Lookup(hub), {}

    def find(quantization: str) -> "Generator[Report, None, Selection]":
        wanted, found = yield from find_selection(lookup, entry, options.name, quantization)
        models.update(found)
        return wanted

    _, forecast = choose_selection(hub, find, options)
    return models, forecast


def _fetched(hub: "Hub", entry: "PairEntry | None", models: "dict[str, ModelSource]") -> "tuple[Pulled, ...]":
    from sparkdesk.hub.pull import fetch_models

    for note in entry.notes if entry is not None else ():
        say(note)
    return follow(fetch_models(hub, models))


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
