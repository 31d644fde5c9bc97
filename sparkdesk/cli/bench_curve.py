"""`sparkdesk bench curve`: what passes cost inside the loop, and which draft length that makes the best."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sparkdesk.bench.plot import plot
from sparkdesk.cli import bench_pair, values
from sparkdesk.cli.color import Colors, is_unicode, paint_for
from sparkdesk.cli.console import ProgressLine, say_error, show
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.loading import bench_adapters

if TYPE_CHECKING:
    from sparkdesk.bench.curves import Curves
    from sparkdesk.bench.spread import Spread
    from sparkdesk.bench.sweep import Swept
    from sparkdesk.engine.model_info import ModelInfo

KIND, FORMAT = "sparkdesk bench curve", 1
_MAX_TOKENS = 48
_INTERRUPTED = 130
_PLOT_WIDTH, _PLOT_HEIGHT = 72, 12


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Every prompt is answered once at every draft length from 0 to the draft's block size."
    bench_pair.add_pair(parser, has_threads=False)
    parser.add_argument(
        "--threads",
        dest="thread_counts",
        type=values.thread_counts,
        metavar="N,N",
        help="measure with each of these numbers of threads; default: the number that is chosen here",
    )
    bench_pair.add_prompts(parser, max_tokens=_MAX_TOKENS)
    parser.add_argument(
        "--repeat", type=values.whole_number(least=1), default=1, metavar="N", help="times the prompts are asked"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(limit=1)


def run(options: Namespace) -> int:
    from sparkdesk.bench.curves import Curves, curves_of
    from sparkdesk.bench.sweep import sweep

    prompts = bench_pair.prompts_of(options)
    by_threads: dict[int, Curves] = {}
    objects: list[dict[str, Any]] = []
    for threads in options.thread_counts or (None,):
        options.threads = threads
        with bench_pair.opened(options, SpeculationSettings()) as (engine, _):
            render = bench_adapters.renderer(engine, SamplingSettings(temperature=0.0))
            events = sweep(engine, prompts, max_tokens=options.max_tokens, render=render, repetitions=options.repeat)
            swept, code = gather(events)
            model = engine.model
        assert model is not None
        curves = curves_of(each.reply.rounds for each in swept)
        if curves.verify:
            by_threads[model.threads] = curves
            objects.append(_shown(curves, model, options, is_complete=code == 0))
        if code or not curves.verify:
            break
    if options.json and objects:
        several = {"kind": KIND, "format": FORMAT, "by_threads": objects}
        print(json.dumps(several if len(objects) > 1 else objects[0], indent=1))
    elif len(by_threads) > 1:
        show("\n".join(("", *comparison(by_threads, paint_for(sys.stdout)))))
    return code


def _shown(curves: "Curves", model: "ModelInfo", options: Namespace, *, is_complete: bool) -> dict[str, Any]:
    """Prints the report, where no JSON is asked for; returns the JSON object."""
    if not options.json:
        colors = paint_for(sys.stdout)
        lines = report(curves, model, colors=colors, has_unicode=is_unicode(sys.stdout), is_complete=is_complete)
        show("\n".join(lines))
    command = bench_pair.shown_command("curve", options)
    return as_json(curves, model, command=command, is_complete=is_complete)


def comparison(by_threads: "dict[int, Curves]", colors: Colors) -> Iterator[str]:
    """The whole round by draft length and number of threads, the fastest of each length painted."""
    from sparkdesk.bench.curves import round_ms

    yield colors.dim("a whole round in ms, by drafted tokens and threads")
    yield "drafted" + "".join(f"{f'{threads} threads':>14}" for threads in by_threads)
    for length in range(max(max(curves.verify) for curves in by_threads.values())):
        found = [round_ms(curves, length) for curves in by_threads.values()]
        least = min((ms for ms in found if ms), default=0.0)
        cells = ((f"{ms:.2f}" if ms else "-").rjust(14) for ms in found)
        yield f"{length:>7}" + "".join(
            colors.good(cell) if ms and ms == least else cell for cell, ms in zip(cells, found, strict=True)
        )


def gather(events: "Iterable[Progress | Notice | Swept]") -> "tuple[list[Swept], int]":
    """What was measured, to the end or to where it broke off, and the exit code."""
    found: list[Swept] = []
    line, code = ProgressLine(sys.stderr), 0
    try:
        for event in events:
            if isinstance(event, Progress | Notice):
                line.show(event)
            else:
                found.append(event)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except EngineError as error:
        line.clear()
        say_error(error)
        code = error.exit_code
    finally:
        line.clear()
    return found, code


def as_json(curves: "Curves", model: "ModelInfo", *, command: str, is_complete: bool) -> dict[str, Any]:
    from sparkdesk.bench.curves import choices
    from sparkdesk.bench.run_report import build_facts, machine_facts, rounded

    return {
        "kind": KIND,
        "format": FORMAT,
        "is_complete": is_complete,
        "command": command,
        "machine": machine_facts(),
        "build": build_facts(model),
        "model": {"target": model.name, "draft": model.draft_name, "block_size": model.block_size},
        "curves_ms": rounded(asdict(curves)),
        "choices": [rounded(asdict(choice)) for choice in choices(curves)],
    }


def report(
    curves: "Curves", model: "ModelInfo", *, colors: Colors, has_unicode: bool, is_complete: bool
) -> Iterator[str]:
    """At most 100 columns; plain ASCII where the stream shows no more."""
    cache = f", KV cache {model.cache_type}" if model.cache_type != "f16" else ""
    place = f"{', '.join(model.devices)}, threads {model.threads}{cache}"
    yield colors.bold(f"{model.name} with {model.draft_name}, {place}")
    if not is_complete:
        yield colors.odd("Not complete: these are the figures up to where it ended.")
    yield ""
    yield from _table(curves, colors)
    yield ""
    yield from _plot(curves, has_unicode)
    yield from _choices(curves, colors)


def _table(curves: "Curves", colors: Colors) -> Iterator[str]:
    from sparkdesk.bench.curves import round_ms

    yield colors.dim("medians in ms (IQR), measured in the rounds of replies")
    yield colors.dim(
        f"{'drafted':>7}{'T: verify drafted + 1 rows':>32}{'D: draft':>26}{'whole round':>14}{'x plain':>10}"
    )
    plain_ms = round_ms(curves, 0)
    for length in range(max(curves.verify)):
        verify, draft, whole = curves.verify.get(length + 1), curves.draft.get(length), round_ms(curves, length)
        yield (
            f"{length:>7}{_in_words(verify):>32}{_in_words(draft):>26}"
            f"{f'{whole:.2f}' if whole else '-':>14}{f'{whole / plain_ms:.2f}' if whole and plain_ms else '-':>10}"
        )
    yield f"absorb {_in_words(curves.absorb)}, of a prompt {_in_words(curves.prompt_absorb)}"
    yield f"ours   {_in_words(curves.other)}, in a plain round {_in_words(curves.plain_other)}"


def _plot(curves: "Curves", has_unicode: bool) -> Iterator[str]:
    lines = {
        "T verify": [(rows - 1.0, spread.median) for rows, spread in curves.verify.items()],
        "D draft": [(float(length), spread.median) for length, spread in curves.draft.items()],
    }
    yield "ms by drafted tokens"
    yield from plot(lines, width=_PLOT_WIDTH, height=_PLOT_HEIGHT, is_unicode=has_unicode)


def _choices(curves: "Curves", colors: Colors) -> Iterator[str]:
    from sparkdesk.bench.curves import choices

    found = choices(curves)
    if not found:
        return
    yield ""
    yield colors.dim("what these costs ask for, where every drafted token is accepted with the same probability")
    yield "acceptance " + "".join(f"{choice.acceptance:>8.2f}" for choice in found)
    yield "draft      " + "".join(f"{choice.length or 'plain':>8}" for choice in found)
    gains = (f"{choice.gain:.2f}x".rjust(8) for choice in found)
    painted = (colors.good(gain) if choice.length else gain for gain, choice in zip(gains, found, strict=True))
    yield "speed      " + "".join(painted)


def _in_words(spread: "Spread | None") -> str:
    if spread is None or not spread.count:
        return "-"
    return f"{spread.median:.2f} ({spread.lower:.2f}..{spread.upper:.2f})"
