"""`sparkdesk build`: from a name to a pair that was seen to work, each step done once."""

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli import estimating, generation_args
from sparkdesk.cli.console import follow, say
from sparkdesk.cli.estimating import choose_selection, fit_as_json
from sparkdesk.config.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.builder.build import Built
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.builder.plan import Plan
    from sparkdesk.hub.client import Hub


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a pair of the catalogue, or a name for --target and --draft")
    parser.add_argument("--target", metavar="SRC", help="Owner/Repository[:QUANT], a GGUF file or a checkpoint folder")
    parser.add_argument("--draft", metavar="SRC", help="the same for its draft")
    parser.add_argument(
        "--quant",
        default="",
        metavar="QUANT",
        help="quantization of the target; default: Q4_K_M, or the largest that fits",
    )
    parser.add_argument("--draft-quant", default="", metavar="QUANT", help="quantization of the draft; default: Q8_0")
    parser.add_argument("--no-test", action="store_true", help="do not load the pair and test it with a prompt")
    estimating.add_dry_run(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Finished steps are not repeated; an interrupted download resumes."
    generation_args.add_loading(parser)


def run(options: Namespace) -> int:
    try:
        hub, plan, forecast = _planned(options)
        if options.dry_run:
            if options.json:
                print(json.dumps({"name": plan.name, "fit": fit_as_json(forecast)}, indent=2))
            return 0
        built = _built(hub, plan)
        if not options.no_test and not built.is_tested:
            _test(built, options)
    except KeyboardInterrupt:
        say("Stopped. Finished steps are kept; run the same command to resume.")
        raise
    from sparkdesk.builder.build import keep

    keep(built)
    print(json.dumps(_as_json(built, forecast), indent=2) if options.json else f"{built.target}\n{built.draft}")
    say(f"Chat with it: sparkdesk chat {built.plan.name}")
    return 0


def _planned(options: Namespace) -> "tuple[Hub, Plan, Forecast | None]":
    from sparkdesk.builder.plan import BuildRequest
    from sparkdesk.builder.planning import Planning
    from sparkdesk.catalog import read_catalog
    from sparkdesk.hub.client import Hub

    paths, hub = user_paths(), Hub()
    request = BuildRequest(options.name, options.target or "", options.draft or "", options.quant, options.draft_quant)
    planning = Planning(hub, read_catalog(paths.catalog_file), request, paths.models)
    _, forecast = choose_selection(hub, planning.find, options)
    return hub, planning.plan, forecast


def _built(hub: "Hub", plan: "Plan") -> "Built":
    from sparkdesk.builder.build import build

    for note in plan.notes:
        say(note)
    return follow(build(hub, plan, user_paths().models))


def _test(built: "Built", options: Namespace) -> None:
    """Raises EngineError where speculation changes the text; a draft that is never right is only warned of."""
    from sparkdesk.builder.build import note_tested
    from sparkdesk.cli.convert_verify import verify
    from sparkdesk.loading.choice import own_pair
    from sparkdesk.loading.smoke_test import refuse_divergence

    found = verify(own_pair(built.target, built.draft), options)
    refuse_divergence(found)
    note_tested(built)
    say(found.sentence)


def _as_json(built: "Built", forecast: "Forecast | None") -> dict[str, object]:
    plan = built.plan
    return {
        "name": plan.name,
        "folder": str(built.folder),
        "target": str(built.target),
        "draft": str(built.draft),
        "quantization": plan.target_type,
        "is_tested": built.is_tested,
        "notes": plan.notes,
        "fit": fit_as_json(forecast),
    }
