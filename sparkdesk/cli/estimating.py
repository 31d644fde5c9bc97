"""Before a download: what it will take on this machine, as a sentence and as JSON."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli import generation_args
from sparkdesk.cli.console import follow

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Find, Forecast, Selection
    from sparkdesk.fit import Plan as LoadPlan
    from sparkdesk.hub.client import Hub


def add_dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only show what it needs and whether it fits")


def choose_selection(hub: "Hub", find: "Find", options: Namespace) -> "tuple[Selection, Forecast | None]":
    """What is wanted, its forecast said."""
    from sparkdesk.builder.estimate import choose_quantization
    from sparkdesk.doctor.free_memory import free_memory

    context_tokens = generation_args.loading(options, generation_args.settings_file()).context_tokens
    return follow(
        choose_quantization(hub, find, asked=options.quant, room=free_memory(), context_tokens=context_tokens)
    )


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
        "cpu_experts": plan.layout.cpu_experts,
        "gpu_bytes": plan.need.gpu_bytes,
        "host_bytes": plan.need.host_bytes,
    }
