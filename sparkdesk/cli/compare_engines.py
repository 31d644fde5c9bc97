"""The engines of a comparison: loaded together where they fit into memory, else one after another."""

import sys
from argparse import Namespace
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.cli import generation_args
from sparkdesk.cli.bench_run import INTERRUPTED
from sparkdesk.cli.console import ProgressLine, say, show_progress
from sparkdesk.engine.settings import MTP, LoadSettings, SpeculationSettings
from sparkdesk.errors import EngineError, PairMismatch
from sparkdesk.events import Notice, Progress
from sparkdesk.loading.choice import PairFiles, own_pair

if TYPE_CHECKING:
    from sparkdesk.bench.compare import Answer, CompareSettings
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.runner.client import EngineClient


@dataclass(frozen=True, slots=True)
class Named:
    """A drafter as the command line names it."""

    name: str
    draft: Path | None
    """None for MTP."""


@dataclass
class Outcome:
    answers: "list[Answer]" = field(default_factory=list)
    exit_code: int = 0
    error: EngineError | None = None
    models: "dict[str, ModelInfo]" = field(default_factory=dict)
    """By the drafter's name."""
    is_together: bool = True
    threads: int = 0
    """Of all of them, once the first has chosen."""


def measured(
    options: Namespace, drafters: Sequence[Named], settings: "CompareSettings", prompts: "tuple[Prompt, ...]"
) -> Outcome:
    how = replace(generation_args.loading(options, generation_args.settings_file()), saved_states_bytes=0)
    files = {each.name: files_of(options, each) for each in drafters}
    outcome = Outcome(is_together=_fit_together([PairFiles(Path(options.target), None), *files.values()], how))
    groups = [tuple(drafters)] if outcome.is_together else [(each,) for each in drafters]
    if not outcome.is_together:
        say("Not all of them fit into memory at once: one is measured after the other, each beside plain decoding.")
    line = ProgressLine(sys.stderr)
    try:
        for group in groups:
            with ExitStack() as stack:
                own = {each.name: files[each.name] for each in group}
                events = stack.enter_context(closing(_group(stack, own, how, settings, prompts, outcome)))
                for event in events:
                    line.show(event)
    except KeyboardInterrupt:
        outcome.exit_code = INTERRUPTED
    except EngineError as error:
        if not outcome.answers:
            raise
        outcome.exit_code, outcome.error = error.exit_code, error
    finally:
        line.clear()
    return outcome


def _group(
    stack: ExitStack,
    files: Mapping[str, PairFiles],
    how: LoadSettings,
    settings: "CompareSettings",
    prompts: "tuple[Prompt, ...]",
    outcome: Outcome,
) -> Generator[Progress | Notice, None, None]:
    """Measure these drafters in turns; where all are together, plain decoding has an engine of its own."""
    from sparkdesk.bench.compare import Answer, Arm, compare
    from sparkdesk.loading import bench_adapters

    arms = []
    for name, pair in files.items():
        # The same number of threads for all: what is fastest for one alone is measured anew at every load.
        engine = _opened(stack, pair, replace(how, threads=outcome.threads or how.threads))
        assert engine.model is not None
        outcome.threads = engine.model.threads
        outcome.models[name] = engine.model
        arms.append(Arm(name, engine, bench_adapters.judge(engine)))
    beside = "" if outcome.is_together else arms[0].name
    target = next(iter(files.values())).target
    how = replace(how, threads=outcome.threads)
    plain = _opened(stack, PairFiles(target, None), how) if outcome.is_together else arms[0].engine
    render = bench_adapters.renderer(engine, settings.sampling)
    for event in compare(plain, arms, prompts, settings, render=render, beside=beside):
        if isinstance(event, Answer):
            outcome.answers.append(event)
        else:
            yield event


def _opened(stack: ExitStack, files: PairFiles, how: LoadSettings) -> "EngineClient":
    from sparkdesk.config.paths import user_paths
    from sparkdesk.loading.loading import open_pair
    from sparkdesk.runner.client import EngineClient

    engine = stack.enter_context(EngineClient(machine_file=user_paths().machine_file))
    pair = own_pair(files.target, files.draft, drafter=files.drafter)
    show_progress(open_pair(engine, pair, how=how, speculation=SpeculationSettings()))
    assert engine.model is not None
    if engine.model.draft_problem:
        raise PairMismatch(engine.model.draft_problem, "Leave out this drafter.")
    return engine


def files_of(options: Namespace, drafter: Named) -> PairFiles:
    return PairFiles(Path(options.target), drafter.draft, "" if drafter.draft is not None else MTP)


def _fit_together(files: Sequence[PairFiles], how: LoadSettings) -> bool:
    from sparkdesk.doctor.free_memory import free_memory
    from sparkdesk.loading.placement import fit_together

    return fit_together(files, how, ask_free_memory=free_memory)
