"""`sparkdesk bench run`: every prompt answered plainly and with speculation, and a report of what that gained."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.cli import bench_pair, console, generation_args, values
from sparkdesk.cli.console import ProgressLine, say, say_error
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.loading import bench_adapters

if TYPE_CHECKING:
    from sparkdesk.bench.comparison import ComparisonSettings
    from sparkdesk.bench.results import Comparison
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.chat.engine import Engine

_MAX_TOKENS = 256
INTERRUPTED = 130


@dataclass
class Outcome:
    """What was measured, and how it ended: there is something to report after an interruption too."""

    comparisons: "list[Comparison]" = field(default_factory=list)
    exit_code: int = 0
    error: EngineError | None = None


def add_arguments(parser: ArgumentParser) -> None:
    bench_pair.add_pair(parser)
    add_measuring(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts and for bench card")


def add_measuring(parser: ArgumentParser) -> None:
    bench_pair.add_prompts(parser, max_tokens=_MAX_TOKENS)
    parser.add_argument(
        "--temperature",
        type=values.real_number(),
        default=0.0,
        metavar="X",
        help="default 0: greedy, and the texts are compared; above it, a fixed seed for every prompt",
    )
    parser.add_argument(
        "--draft-length", type=values.draft_length, default=..., metavar="auto|K", help="tokens to draft per round"
    )
    parser.add_argument(
        "--repeat", type=values.whole_number(least=1), default=1, metavar="N", help="times the whole suite is asked"
    )


def run(options: Namespace) -> int:
    found, outcome = measured(options, "run")
    return show(found, outcome, is_json=options.json)


def show(found: dict[str, Any], outcome: Outcome, *, is_json: bool) -> int:
    """Print what there is; returns the exit code."""
    if outcome.comparisons:
        if is_json:
            print(json.dumps(found, ensure_ascii=False, indent=1))
        else:
            console.show(_in_words(found))
    if outcome.error is not None:
        say_error(outcome.error)
    return outcome.exit_code


def measured(options: Namespace, part: str) -> "tuple[dict[str, Any], Outcome]":
    """The whole run as its JSON object, complete or not. Raises UsageError and EngineError before it begins."""
    prompts = bench_pair.prompts_of(options)
    settings = _settings(options)
    with bench_pair.opened(options, settings.speculation) as (engine, files):
        outcome = collect(engine, prompts, settings)
        found = _recorded(outcome, options, settings, engine, files=files.by_role, part=part)
    return found, outcome


def collect(engine: "Engine", prompts: "tuple[Prompt, ...]", settings: "ComparisonSettings") -> Outcome:
    """Run to the end, to Ctrl+C, or to the engine's."""
    from sparkdesk.bench.comparison import compare_replies

    assert engine.model is not None
    if not engine.model.chat_template and any(prompt.text for prompt in prompts):
        say("This model brings no chat template: it continues the prompts as they stand.")
    render, judge = bench_adapters.renderer(engine, settings.sampling), bench_adapters.judge(engine)
    return gather(compare_replies(engine, prompts, settings, render=render, judge=judge))


def gather(events: "Iterable[Progress | Notice | Comparison]") -> Outcome:
    outcome, line = Outcome(), ProgressLine(sys.stderr)
    try:
        for event in events:
            if isinstance(event, Progress | Notice):
                line.show(event)
            else:
                outcome.comparisons.append(event)
    except KeyboardInterrupt:
        outcome.exit_code = INTERRUPTED
    except EngineError as error:
        outcome.exit_code, outcome.error = error.exit_code, error
    finally:
        line.clear()
    return outcome


def _settings(options: Namespace) -> "ComparisonSettings":
    from sparkdesk.bench.comparison import ComparisonSettings

    usual = generation_args.settings_file()
    length = usual.draft_length if options.draft_length is ... else options.draft_length
    return ComparisonSettings(
        max_tokens=options.max_tokens,
        sampling=SamplingSettings(temperature=options.temperature),
        speculation=SpeculationSettings(is_enabled=True, draft_length=length),
        repetitions=options.repeat,
    )


def _recorded(
    outcome: Outcome,
    options: Namespace,
    settings: "ComparisonSettings",
    engine: "Engine",
    *,
    files: Mapping[str, Path],
    part: str,
) -> dict[str, Any]:
    from sparkdesk.bench.run_report import RunSettings, record
    from sparkdesk.bench.suite import TOKENS_DOMAIN

    assert engine.model is not None
    chosen = RunSettings(
        command=bench_pair.shown_command(part, options),
        suite=TOKENS_DOMAIN if options.prompt_tokens else Path(bench_pair.suite_of(options)).name,
        temperature=options.temperature,
        max_tokens=settings.max_tokens,
        draft_length=settings.speculation.draft_length,
        repetitions=settings.repetitions,
    )
    is_complete = outcome.exit_code == 0
    return record(outcome.comparisons, settings=chosen, model=engine.model, files=files, is_complete=is_complete)


def _in_words(found: dict[str, Any]) -> str:
    from sparkdesk.cli.bench_report import report
    from sparkdesk.cli.color import paint_for

    return "\n".join(report(found, paint_for(sys.stdout)))
