"""`sparkdesk bench compare`: several drafters of one target, on the same prompts and under the same conditions."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.cli import bench_pair, generation_args, values
from sparkdesk.cli.compare_engines import Named, Outcome, files_of, measured
from sparkdesk.cli.console import say, say_error
from sparkdesk.engine.settings import LOOKUP, MTP, SamplingSettings
from sparkdesk.errors import PairMismatch, UsageError
from sparkdesk.loading.choice import own_pair
from sparkdesk.local_path import expanded

if TYPE_CHECKING:
    from sparkdesk.bench.compare import CompareSettings
    from sparkdesk.bench.suite import Prompt

_MAX_TOKENS = 256
_LABELS = {"dspark": ("dspark", "dflash"), "dflash": ("dflash",), "eagle3": ("eagle3",), "small": ("small",)}
_LABELS |= {"assistant": ("assistant",)}
"""Labels that say what kind their file is, which is checked."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Where all of them fit into memory at once they take turns; else one is measured after the other, each beside "
        "plain decoding. Texts are compared greedily, also where replies are sampled."
    )
    parser.add_argument("--target", metavar="FILE", required=True, help="target model (GGUF)")
    parser.add_argument(
        "--drafter",
        action="append",
        type=_named,
        required=True,
        metavar="KIND=FILE|mtp",
        help="dspark=FILE, dflash=FILE, eagle3=FILE, small=FILE, assistant=FILE, ANY-NAME=FILE, or mtp; repeatable",
    )
    asked = bench_pair.add_prompts(parser, max_tokens=_MAX_TOKENS)
    asked.add_argument(
        "--deepspec",
        metavar="FOLDER",
        help="DeepSpec's protocol: its nine benchmark files in FOLDER, temperature 1, 2,048 tokens; the paper's "
        "accepted lengths are printed beside",
    )
    parser.set_defaults(max_tokens=None)
    parser.add_argument(
        "--temperature", type=values.real_number(), metavar="X", help="default 0: greedy; above it, real sampling"
    )
    parser.add_argument(
        "--from",
        dest="kept",
        type=Path,
        metavar="RUN.json",
        help="what --json printed for these files; nothing is measured",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="a report card here, its figures as JSON beside it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    generation_args.add_loading(parser)


def run(options: Namespace) -> int:
    from sparkdesk.bench import card

    if options.out is not None:
        card.check_out(options.out)
    drafters = _checked(Path(options.target), options.drafter)
    if options.kept is not None:
        _show(_kept(options.kept, _paths(options, drafters)), options, drafters)
        return 0
    settings, prompts = _asked(options)
    outcome = measured(options, drafters, settings, prompts)
    if outcome.answers:
        found = _found(outcome, options, drafters, settings)
        _show(found, options, drafters)
    if outcome.error is not None:
        say_error(outcome.error)
    return outcome.exit_code


def _named(given: str) -> Named:
    if given == MTP:
        return Named(MTP, None)
    if given == LOOKUP:
        raise ArgumentTypeError("prompt lookup is beside every drafter already, and has no block of its own")
    name, equals, path = given.partition("=")
    if not (equals and name and path):
        raise ArgumentTypeError(f"{given!r} is neither KIND=FILE, such as dspark=FILE, nor {MTP}")
    return Named(name, expanded(path))


def _checked(target: Path, drafters: Sequence[Named]) -> Sequence[Named]:
    """What is wrong is said before anything is loaded. Raises UsageError, ModelLoadError and PairMismatch."""
    from sparkdesk.gguf.header import read_gguf
    from sparkdesk.gguf.pairing import draft_kind, problem

    names = [each.name for each in drafters]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"Two drafters are called {twice}.", "Give each a name of its own: --drafter NAME=FILE.")
    own_pair(target, None)
    header = read_gguf(target)
    for each in drafters:
        if each.draft is None:
            continue
        own_pair(target, each.draft)
        draft = read_gguf(each.draft)
        kind = draft_kind(draft).value
        if kind not in _LABELS.get(each.name, (kind,)):
            raise UsageError(
                f"{each.draft.name} is a draft of the kind {kind}, not {each.name}.", f"Name it {kind}=FILE."
            )
        if unfit := problem(header, draft):
            raise PairMismatch(unfit, f"Leave out --drafter {each.name}.")
    return drafters


def _asked(options: Namespace) -> "tuple[CompareSettings, tuple[Prompt, ...]]":
    from sparkdesk.bench import compare_figures
    from sparkdesk.bench.compare import CompareSettings

    usual = (compare_figures.TEMPERATURE, compare_figures.MAX_TOKENS) if options.deepspec else (0.0, _MAX_TOKENS)
    options.temperature = usual[0] if options.temperature is None else options.temperature
    options.max_tokens = usual[1] if options.max_tokens is None else options.max_tokens
    if options.deepspec:
        options.suite = options.deepspec
    prompts = bench_pair.prompts_of(options)
    domains = len({prompt.domain for prompt in prompts})
    if options.deepspec and not options.domains and domains != compare_figures.BENCHMARK_COUNT:
        say(f"DeepSpec's protocol has {compare_figures.BENCHMARK_COUNT} benchmarks; {options.deepspec} has {domains}.")
    # The paper samples from the whole distribution; so do we, whatever the usual filters are.
    sampling = SamplingSettings(temperature=options.temperature, top_k=0, top_p=1.0, seed=0)
    return CompareSettings(max_tokens=options.max_tokens, sampling=sampling), prompts


def _found(
    outcome: Outcome, options: Namespace, drafters: Sequence[Named], settings: "CompareSettings"
) -> dict[str, Any]:
    from sparkdesk.bench.compare_figures import Drafter
    from sparkdesk.bench.compare_report import CompareConditions, record
    from sparkdesk.bench.suite import TOKENS_DOMAIN
    from sparkdesk.fit.draft_reads import bytes_per_block
    from sparkdesk.gguf.header import read_gguf
    from sparkdesk.loading.placement import draft_memory_bytes

    target = read_gguf(Path(options.target))
    known = []
    for each in drafters:
        model = outcome.models.get(each.name)
        if model is not None:
            draft = read_gguf(each.draft) if each.draft is not None else None
            reads = bytes_per_block(target, draft, model.drafter_kind, model.block_size)
            memory = draft_memory_bytes(files_of(options, each), model.context_tokens)
            known.append(Drafter(each.name, model, reads, memory))
    conditions = CompareConditions(
        command=_shown_command(options, drafters),
        suite=TOKENS_DOMAIN if options.prompt_tokens else Path(bench_pair.suite_of(options)).name,
        temperature=options.temperature,
        max_tokens=settings.max_tokens,
        is_together=outcome.is_together,
    )
    files = _paths(options, drafters)
    return record(outcome.answers, known, conditions, files=files, is_complete=outcome.exit_code == 0)


def _paths(options: Namespace, drafters: Sequence[Named]) -> dict[str, Path]:
    """By their role: "target", and each drafter's name."""
    return {"target": Path(options.target)} | {each.name: each.draft for each in drafters if each.draft is not None}


def _kept(path: Path, files: dict[str, Path]) -> dict[str, Any]:
    """A comparison that was kept, of these very files. Raises UsageError."""
    from sparkdesk.bench.card import check_files
    from sparkdesk.bench.compare_report import read_comparison

    found = read_comparison(path)
    check_files(found, files)
    return found


def _shown_command(options: Namespace, drafters: Sequence[Named]) -> str:
    shown = [f"{each.name}={each.draft.name}" if each.draft is not None else each.name for each in drafters]
    alone = Namespace(**{**vars(options), "drafter": None})
    return " ".join([bench_pair.shown_command("compare", alone), *(f"--drafter {each}" for each in shown)])


def _show(found: dict[str, Any], options: Namespace, drafters: Sequence[Named]) -> None:
    from sparkdesk.cli.color import paint_for
    from sparkdesk.cli.compare_output import report

    if options.out is not None:
        from sparkdesk.bench.card import write_card
        from sparkdesk.bench.compare_report import markdown
        from sparkdesk.cli.bench_card import hashed

        files = _paths(options, drafters)
        made = {
            **found,
            "files": {role: {**found["files"][role], "sha256": digest} for role, digest in hashed(files).items()},
        }
        say("\n".join(map(str, write_card(made, options.out, words=markdown))))
    print(
        json.dumps(found, ensure_ascii=False, indent=1)
        if options.json
        else "\n".join(report(found, paint_for(sys.stdout)))
    )
