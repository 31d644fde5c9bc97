"""`sparkdesk build`: from a name to a pair that was seen to work, each step done once."""

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli import speaking
from sparkdesk.cli.talk import follow, say
from sparkdesk.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.assembly.build import Built


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a pair of the catalogue, or a name for --target and --draft")
    parser.add_argument("--target", metavar="SRC", help="Owner/Repository[:QUANT], a GGUF file or a checkpoint folder")
    parser.add_argument("--draft", metavar="SRC", help="the same for its draft")
    parser.add_argument("--quant", default="", metavar="QUANT", help="quantization of the target; default: Q4_K_M")
    parser.add_argument("--draft-quant", default="", metavar="QUANT", help="of the draft; default: Q8_0")
    parser.add_argument("--no-test", action="store_true", help="do not load the pair and let it answer")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Finished steps are recognised and not done again; a cut download goes on where it was cut."
    speaking.add_loading(parser)


def run(options: Namespace) -> int:
    try:
        built = _build(options)
        if not options.no_test and not built.is_tested:
            _test(built, options)
    except KeyboardInterrupt:
        say("Stopped. What was finished is kept: the same command goes on from there.")
        raise
    from sparkdesk.assembly.build import keep

    keep(built)
    print(json.dumps(_as_json(built), indent=2) if options.json else f"{built.target}\n{built.draft}")
    say(f"Chat with it: sparkdesk chat {built.plan.name}")
    return 0


def _build(options: Namespace) -> "Built":
    from sparkdesk.assembly.build import build
    from sparkdesk.assembly.plan import Wish, plan_pair
    from sparkdesk.catalog import read_catalog
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.look_up import LookUp

    paths, hub = user_paths(), Hub()
    wish = Wish(options.name, options.target or "", options.draft or "", options.quant, options.draft_quant)
    plan = follow(plan_pair(LookUp(hub), read_catalog(paths.catalog_file), wish))
    for note in plan.notes:
        say(note)
    return follow(build(hub, plan, paths.models))


def _test(built: "Built", options: Namespace) -> None:
    """Raises EngineError where speculation changes the text; a draft that is never right is only warned of."""
    from sparkdesk.assembly.build import note_tested
    from sparkdesk.cli.convert_verify import refuse_divergence, verify
    from sparkdesk.cli.pairs import own_pair

    found = verify(own_pair(built.target, built.draft), options)
    refuse_divergence(found)
    note_tested(built)
    say(found.warning or f"Tested: {found.verdict}, accepted length {found.accepted_length:.2f}.")


def _as_json(built: "Built") -> dict[str, object]:
    plan = built.plan
    return {
        "name": plan.name,
        "folder": str(built.folder),
        "target": str(built.target),
        "draft": str(built.draft),
        "quantization": plan.target_type,
        "is_tested": built.is_tested,
        "notes": plan.notes,
    }
