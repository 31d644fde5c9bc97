"""`sparkdesk search`: models of the hub that SparkDesk can run, and pairs of the catalogue."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sparkdesk.cli import generation_args
from sparkdesk.cli.console import follow, say, show
from sparkdesk.cli.estimating import fit_as_json
from sparkdesk.config.paths import user_paths
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Progress
from sparkdesk.sizes import size_in_words

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.catalog import Catalog, PairEntry
    from sparkdesk.events import Report
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.search import Hit

    Forecasts = dict[str, Forecast | None]

_MOST_LOOKED_AT = 10


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="part of a name, such as qwen3-8b; empty finds everything")
    parser.add_argument(
        "--fit", action="store_true", help="also fetch sizes, and show what fits into this machine's memory"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Finds GGUF files of Qwen3 and Gemma 4, DSpark and DFlash drafts, and pairs of the catalogue."


def run(options: Namespace) -> int:
    from sparkdesk.catalog import read_catalog
    from sparkdesk.catalog.reading import did_you_mean
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.search import search

    words = options.text.lower().split()
    catalog = read_catalog(user_paths().catalog_file)
    pairs = [pair for pair in catalog.pairs if all(word in f"{pair.name} {pair.title}".lower() for word in words)]
    hub = Hub()
    hits = follow(search(hub, options.text))
    forecasts = follow(_looked(hub, catalog, pairs, hits)) if options.fit else {}
    if options.json:
        found = {
            "pairs": [_pair_as_json(pair) | _fit(forecasts, pair.name) for pair in pairs],
            "models": [_as_json(hit) | _fit(forecasts, hit.model.name) for hit in hits],
        }
        print(json.dumps(found))
    else:
        show(_in_words(pairs, hits, forecasts), end="")
    if not hits and not pairs:
        hint = did_you_mean(options.text, catalog.names)
        say(f"No matches for {options.text!r} among what SparkDesk can run. {hint}".rstrip())
    return 0


def _looked(
    hub: "Hub", catalog: "Catalog", pairs: "list[PairEntry]", hits: "list[Hit]"
) -> "Generator[Report, None, Forecasts]":
    """By name. What the hub refuses is left out: a search is no place to stop for one of its finds."""
    from sparkdesk.builder.planning import preview_model, preview_pair
    from sparkdesk.doctor.free_memory import free_memory
    from sparkdesk.hub.search import TARGET

    settings = generation_args.settings_file()
    room, models = free_memory(), user_paths().models
    looks = {pair.name: partial(preview_pair, hub, catalog, pair, models=models, room=room) for pair in pairs} | {
        hit.model.name: partial(preview_model, hub, hit.model, room=room)
        for hit in [hit for hit in hits if hit.role == TARGET and hit.is_gguf][:_MOST_LOOKED_AT]
    }
    found = {}
    for number, (name, look) in enumerate(looks.items()):
        yield Progress("Asking what fits", number, len(looks), "")
        with suppress(SparkDeskError):
            found[name] = yield from look(context_tokens=settings.context_tokens)
    return found


def _fit(forecasts: "Forecasts", name: str) -> dict[str, object]:
    return {"fit": fit_as_json(forecasts[name])} if name in forecasts else {}


def _fit_in_words(forecasts: "Forecasts", name: str) -> str:
    """ "Q4_K_M fits (5.0 GB)", or why not."""
    forecast = forecasts.get(name)
    if forecast is None:
        return ""
    chosen = forecast.chosen
    if forecast.fits and not chosen.plan.advice:
        return f"{chosen.quantization} fits ({size_in_words(chosen.size_bytes)})"
    if forecast.best:
        return f"{forecast.best} fits better than {chosen.quantization}" if forecast.fits else f"{forecast.best} fits"
    return f"too large: {size_in_words(chosen.plan.need.total_bytes)}"


def _in_words(pairs: "list[PairEntry]", hits: "list[Hit]", forecasts: "Forecasts") -> str:
    rows = [("pair", pair.name, pair.title, f"{pair.kind}  {_fit_in_words(forecasts, pair.name)}") for pair in pairs]
    for hit in hits:
        gated = "gated" if hit.model.is_gated else ""
        form = f"{_form(hit, gated)}  {_fit_in_words(forecasts, hit.model.name)}"
        rows.append((hit.role, hit.model.name, f"{hit.model.downloads:,} downloads", form))
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
