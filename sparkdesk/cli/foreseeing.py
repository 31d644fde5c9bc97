"""Before a download: what it will take on this machine, as a sentence and as JSON."""

from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from typing import TYPE_CHECKING

from sparkdesk.cli import speaking
from sparkdesk.cli.talk import follow

if TYPE_CHECKING:
    from sparkdesk.assembly.forecast import Forecast, Told, Wanted
    from sparkdesk.assembly.settle import Find
    from sparkdesk.catalog import PairEntry
    from sparkdesk.fit import Plan as LoadPlan
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.look_up import LookUp
    from sparkdesk.hub.model import ModelSource


def add_dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what it takes and whether it fits, and end")


def settled(hub: "Hub", find: "Find", options: Namespace) -> "tuple[Wanted, Forecast | None]":
    """What is wanted, its forecast said; see assembly/settle.py."""
    from sparkdesk.assembly.settle import settle
    from sparkdesk.doctor.room import free_room

    context_tokens = speaking.loading(options, speaking.settings_file()).context_tokens
    return follow(settle(hub, find, asked=options.quant, room=free_room(), context_tokens=context_tokens))


def find_models_wanted(
    look_up: "LookUp", entry: "PairEntry | None", given: str, quantization: str
) -> "Generator[Told, None, tuple[Wanted, dict[str, ModelSource]]]":
    """For a download alone: a checkpoint counts as what it is usually converted to."""
    from sparkdesk.assembly.forecast import Wanted
    from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
    from sparkdesk.hub.model import GGUF
    from sparkdesk.hub.pull import DRAFT, MODEL, TARGET, find_models

    models = yield from find_models(look_up, entry, given, quantization=quantization)
    target = models[TARGET] if entry is not None else models[MODEL]
    type_ = target.quantization if target.kind == GGUF else (quantization or DEFAULT_QUANTIZATION).upper()
    return Wanted(target, models.get(DRAFT), type_), models


def fit_as_json(forecast: "Forecast | None") -> dict[str, object] | None:
    """None where nothing could be said."""
    if forecast is None:
        return None
    return {
        **_plan_as_json(forecast.chosen.plan),
        "why": forecast.in_words(),
        "download_bytes": forecast.download_bytes,
        "best_quantization": forecast.best or None,
        "quantizations": [
            {
                "quantization": each.quantization,
                "size_bytes": each.size_bytes,
                **_plan_as_json(each.plan),
            }
            for each in forecast.options
        ],
    }


def _plan_as_json(plan: "LoadPlan") -> dict[str, object]:
    return {
        "fits": plan.fits,
        "context_tokens": plan.context_tokens,
        "gpu_layers": plan.gpu_layers,
        "gpu_bytes": plan.need.gpu_bytes,
        "host_bytes": plan.need.host_bytes,
    }
