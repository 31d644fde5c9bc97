"""`sparkdesk bench busy`: what is left of a model's speed while other programs compute."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from sparkdesk.cli import bench_pair, values
from sparkdesk.cli.console import ProgressLine
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.events import Progress
from sparkdesk.loading import bench_adapters

if TYPE_CHECKING:
    from sparkdesk.bench.busy import BusyReply
    from sparkdesk.engine.model_info import ModelInfo

KIND, FORMAT = "sparkdesk bench busy", 1
_MAX_TOKENS, _REPETITIONS, _LOOPS = 64, 3, 2
_WAYS = ("plain", "speculative")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "A target alone can be measured, too. Quiet is as quiet as the machine is: close other programs."
    bench_pair.add_pair(parser)
    bench_pair.add_prompts(parser, max_tokens=_MAX_TOKENS)
    parser.add_argument(
        "--loops",
        type=values.whole_number(least=1, most=256),
        default=_LOOPS,
        metavar="N",
        help="processes that compute beside it; default %(default)s",
    )
    parser.add_argument(
        "--repeat", type=values.whole_number(least=1), default=_REPETITIONS, metavar="N", help="default %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(limit=1)


def run(options: Namespace) -> int:
    from sparkdesk.bench.busy import BusyReply, busy_replies

    prompts = bench_pair.prompts_of(options)
    load_before = _load_average()
    found: list[BusyReply] = []
    with bench_pair.opened(options, SpeculationSettings(), needs_draft=False) as (engine, _):
        render = bench_adapters.renderer(engine, SamplingSettings(temperature=0.0))
        line = ProgressLine(sys.stderr)
        asked = [prompt.tokens or render(prompt.text) for prompt in prompts]
        for event in busy_replies(
            engine, asked, max_tokens=options.max_tokens, loops=options.loops, repetitions=options.repeat
        ):
            if isinstance(event, Progress):
                line.show(event)
            else:
                found.append(event)
        line.clear()
        model = engine.model
    assert model is not None
    shown = as_json(found, model, options, load_before=load_before)
    print(json.dumps(shown, indent=1) if options.json else report(shown))
    return 0


def as_json(
    found: "list[BusyReply]", model: "ModelInfo", options: Namespace, *, load_before: float | None
) -> dict[str, Any]:
    from sparkdesk.bench.busy import speed
    from sparkdesk.bench.run_report import build_facts, machine_facts, rounded

    speeds = {
        way: {
            state: speed(found, is_busy=state == "busy", is_speculative=way == "speculative")
            for state in ("quiet", "busy")
        }
        for way in _WAYS
    }
    return {
        "kind": KIND,
        "format": FORMAT,
        "command": bench_pair.shown_command("busy", options),
        "machine": machine_facts(),
        "build": build_facts(model),
        "model": {"target": model.name, "draft": model.draft_name},
        "loops": options.loops,
        "load_average_before": load_before,
        "tokens_per_second": rounded(speeds),
        "busy_share": rounded({way: _ratio(each["busy"], each["quiet"]) for way, each in speeds.items()}),
        "gain": rounded(
            {state: _ratio(speeds["speculative"][state], speeds["plain"][state]) for state in speeds["plain"]}
        ),
    }


def report(shown: dict[str, Any]) -> str:
    """At most 80 columns."""
    lines = [
        f"{shown['model']['target']}, {shown['build']['threads']} threads, {shown['loops']} busy loops beside it",
        f"{'':14}{'quiet':>12}{'busy':>12}{'busy / quiet':>15}",
    ]
    for way in _WAYS:
        each = shown["tokens_per_second"][way]
        if each["quiet"]:
            share = shown["busy_share"][way]
            lines.append(f"{way:14}{each['quiet']:>6.1f} tok/s{each['busy']:>6.1f} tok/s{share:>15.2f}")
    if shown["gain"]["quiet"]:
        lines.append(f"{'gain':14}{shown['gain']['quiet']:>11.2f}x{shown['gain']['busy']:>11.2f}x")
    if shown["load_average_before"] is not None:
        lines.append(f"load of the machine before it began: {shown['load_average_before']:.1f}")
    return "\n".join(lines)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _load_average() -> float | None:
    """Over the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
