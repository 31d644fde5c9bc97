"""`sparkdesk search`: models of the hub that SparkDesk can run, and pairs of the catalogue."""

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli.talk import follow, say
from sparkdesk.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.catalog import PairEntry
    from sparkdesk.hub.search import Hit


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="part of a name, such as qwen3-8b; empty finds everything")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Finds GGUF files of Qwen3 and Gemma 4, DSpark and DFlash drafts, and pairs of the catalogue."


def run(options: Namespace) -> int:
    from sparkdesk.catalog import read_catalog
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.search import search

    words = options.text.lower().split()
    catalog = read_catalog(user_paths().catalog_file)
    pairs = [pair for pair in catalog.pairs if all(word in f"{pair.name} {pair.title}".lower() for word in words)]
    hits = follow(search(Hub(), options.text))
    if options.json:
        print(json.dumps({"pairs": [_pair_as_json(pair) for pair in pairs], "models": [_as_json(hit) for hit in hits]}))
    else:
        print(_in_words(pairs, hits), end="")
    if not hits and not pairs:
        say(f"The hub has nothing called {options.text!r} that SparkDesk can run.")
    return 0


def _in_words(pairs: "list[PairEntry]", hits: "list[Hit]") -> str:
    rows = [("pair", pair.name, pair.title, pair.kind) for pair in pairs]
    for hit in hits:
        gated = "gated" if hit.model.is_gated else ""
        rows.append((hit.role, hit.model.name, f"{hit.model.downloads:,} downloads", _form(hit, gated)))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = (
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])) for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _form(hit: "Hit", gated: str) -> str:
    return " ".join(filter(None, ("GGUF" if hit.is_gguf else "checkpoint", gated)))


def _pair_as_json(pair: "PairEntry") -> dict[str, object]:
    return {"name": pair.name, "title": pair.title, "kind": pair.kind, "notes": pair.notes}


def _as_json(hit: "Hit") -> dict[str, object]:
    return {
        "role": hit.role,
        "repository": hit.model.name,
        "is_gguf": hit.is_gguf,
        "is_gated": hit.model.is_gated,
        "downloads": hit.model.downloads,
        "architectures": hit.model.architectures,
    }
