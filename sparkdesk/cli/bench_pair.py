"""The pair a benchmark runs on, and the prompts it is asked."""

import shlex
from argparse import ArgumentParser, Namespace, _MutuallyExclusiveGroup
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.cli import generation_args, values
from sparkdesk.cli.console import follow, say, show_progress
from sparkdesk.config.checks import ALL_LAYERS
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.errors import PairMismatch, UsageError
from sparkdesk.loading.choice import ChosenPair, PairFiles, chosen_pair, own_pair

if TYPE_CHECKING:
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.runner.client import EngineClient


def add_pair(parser: ArgumentParser, *, name: str = "name", has_threads: bool = True) -> None:
    """`name` is the argument that takes a pair's name: "--pair" where another stands without an option."""
    kind: dict[str, Any] = {} if name.startswith("-") else {"nargs": "?"}
    parser.add_argument(name, metavar="NAME", help="a pair on this machine, such as qwen3-8b", **kind)
    parser.add_argument("--target", metavar="FILE", help="target model (GGUF); without one, Spark Tiny is measured")
    generation_args.add_draft(parser)
    generation_args.add_loading(parser, has_threads=has_threads)


def add_prompts(parser: ArgumentParser, *, max_tokens: int) -> _MutuallyExclusiveGroup:
    """Returns the group of what to ask, to which a command may add a way of its own."""
    group = parser.add_argument_group("prompts")
    asked = group.add_mutually_exclusive_group()
    asked.add_argument(
        "--suite",
        metavar="NAME|FILE|FOLDER",
        help='"default", "tiny" (what Spark Tiny can do), a .jsonl file, or a folder of them such as DeepSpec\'s; '
        "of several turns only the first is used",
    )
    asked.add_argument(
        "--prompt-tokens",
        type=values.token_ids,
        action="append",
        metavar="1,2,3",
        help="continue these token IDs, past every end of turn; repeatable",
    )
    group.add_argument("--domains", type=_names, default=(), metavar="A,B", help="only these domains of the suite")
    group.add_argument("--limit", type=values.whole_number(least=1), metavar="N", help="max prompts per domain")
    group.add_argument(
        "--max-tokens",
        type=values.whole_number(least=2),
        default=max_tokens,
        metavar="N",
        help=f"max tokens per reply; default {max_tokens}",
    )
    return asked


def prompts_of(options: Namespace) -> "tuple[Prompt, ...]":
    """What to ask, domains in turn. Raises UsageError."""
    from sparkdesk.bench import suite

    if options.prompt_tokens:
        return suite.token_prompts(options.prompt_tokens)
    chosen = suite.choose(suite.read_suite(suite_of(options)), domains=options.domains, per_domain=options.limit)
    cut = sum(prompt.later_turns > 0 for prompt in chosen)
    if cut:
        say(f"Of prompts with several turns only the first is used ({cut} of {len(chosen)}).")
    return suite.interleaved(chosen)


def suite_of(options: Namespace) -> str:
    """Its name or path; Spark Tiny knows too little for the default one."""
    from sparkdesk.bench.suite import DEFAULT, TINY

    is_given = options.target is not None or name_of(options) is not None
    return options.suite or (DEFAULT if is_given else TINY)


@contextmanager
def opened(
    options: Namespace, speculation: SpeculationSettings, *, needs_draft: bool = True
) -> "Iterator[tuple[EngineClient, PairFiles]]":
    """The engine with the pair loaded. Raises UsageError, PairMismatch and EngineError."""
    from sparkdesk.config.paths import user_paths
    from sparkdesk.loading.loading import open_pair
    from sparkdesk.runner.client import EngineClient

    pair = chosen(options) if needs_draft else _chosen(options)
    how = generation_args.loading(options, generation_args.settings_file())
    how = replace(how, saved_states_bytes=0)  # a prompt that comes back from memory would be read in no time
    files = prepared(pair)
    with EngineClient(machine_file=user_paths().machine_file) as engine:
        ready = own_pair(files.target, files.draft, drafter=files.drafter, most_threads=pair.most_threads)
        show_progress(open_pair(engine, ready, how=how, speculation=speculation))
        assert engine.model is not None
        if engine.model.draft_problem:
            raise PairMismatch(engine.model.draft_problem, "Without a matching draft there is nothing to compare.")
        yield engine, files


def chosen(options: Namespace) -> ChosenPair:
    """Raises UsageError without a draft, and ModelLoadError where a file is missing."""
    if options.target is not None and options.draft is None and options.drafter is None:
        raise UsageError("Without a draft there is nothing to compare.", "Name it: --draft FILE, or --drafter mtp.")
    return _chosen(options)


def _chosen(options: Namespace) -> ChosenPair:
    return chosen_pair(options.target, options.draft, name_of(options), options.drafter)


def name_of(options: Namespace) -> str | None:
    """The pair's name, where one was given."""
    name: str | None = getattr(options, "name", None) or getattr(options, "pair", None)
    return name


def prepared(pair: ChosenPair) -> PairFiles:
    return follow(pair.prepare())


def shown_command(part: str, options: Namespace) -> str:
    """The command line again, for a report others read: files by their names alone, prompts of the user not at all."""
    words = ["sparkdesk", "bench", part]
    words += [name] if (name := name_of(options)) is not None else []
    for name in ("target", "draft", "suite"):
        given = getattr(options, name, None)
        words += [f"--{name}", Path(given).name] if given else []
    for name in ("drafter", "domains", "limit", "max_tokens", "temperature", "repeat", "draft_length", *_LOADING):
        given = getattr(options, name, None)
        if given is not None and given != () and given is not ...:
            words += [f"--{name.replace('_', '-')}", _shown(given)]
    words += ["--prompt-tokens", "..."] if getattr(options, "prompt_tokens", None) else []
    return shlex.join(words)


_LOADING = ("threads", "ctx", "gpu_layers", "cpu_experts", "cache_type")


def _shown(given: object) -> str:
    if given == ALL_LAYERS:
        return values.AUTO
    if isinstance(given, tuple):
        return ",".join(map(str, given))
    return f"{given:g}" if isinstance(given, float) else str(given)


def _names(given: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip())
