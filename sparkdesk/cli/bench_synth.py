"""`sparkdesk bench synth`: a pair of any shape, without trained weights, to measure speed with."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkdesk.bench.synthetic.arguments import add_shape, shape_of
from sparkdesk.cli.console import show_progress
from sparkdesk.events import Progress

if TYPE_CHECKING:
    from sparkdesk.bench.synthetic.pair import SyntheticPair


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Every step costs what it costs with a real model of that shape; the text means nothing. Measure with: "
        "sparkdesk bench run --target ... --draft ... --prompt-tokens ..."
    )
    add_shape(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object: the pairs' files and prompt tokens")


def run(options: Namespace) -> int:
    from sparkdesk.bench.synthetic.pair import SyntheticPair, make_pairs

    made: list[SyntheticPair] = []

    def progress() -> Iterator[Progress]:
        for event in make_pairs(options.out, shape_of(options), f16_only=options.f16_only):
            if isinstance(event, SyntheticPair):
                made.append(event)
            else:
                yield event

    show_progress(progress())
    print(json.dumps(_as_json(made), indent=2) if options.json else "\n".join(_in_words(made)))
    return 0


def _in_words(pairs: "list[SyntheticPair]") -> Iterator[str]:
    for pair in pairs:
        yield str(pair.target)
        yield str(pair.draft)
    yield f"--prompt-tokens {_listed(pairs[0].prompt_tokens)}"


def _as_json(pairs: "list[SyntheticPair]") -> dict[str, object]:
    return {
        "pairs": [{"target": str(pair.target), "draft": str(pair.draft)} for pair in pairs],
        "prompt_tokens": list(pairs[0].prompt_tokens),
    }


def _listed(tokens: tuple[int, ...]) -> str:
    return ",".join(map(str, tokens))
