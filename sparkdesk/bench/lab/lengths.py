"""Plain decoding against fixed draft lengths, interleaved so that a machine that slows down slows all of them.

python -m sparkdesk.bench.lab.lengths --target T.gguf --draft D.gguf --prompt "Count from 1 to 40."
"""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from sparkdesk.bench.lab.measure import Measured, add_pair_arguments, load_pair, measure, prompts_of, spread
from sparkdesk.runner.client import EngineClient

PLAIN = 0


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.lengths", description=__doc__.splitlines()[0])
    add_pair_arguments(parser)
    parser.add_argument("--lengths", default="1,2,3,4,5,6,7", help="draft lengths to try")
    options = parser.parse_args()
    lengths = (PLAIN, *map(int, options.lengths.split(",")))
    with EngineClient() as engine:
        load_pair(engine, options)
        for prompt in prompts_of(engine, options):
            for line in _report(_run(engine, prompt, lengths=lengths, options=options)):
                print(line, flush=True)


def _run(
    engine: EngineClient, prompt: tuple[int, ...], *, lengths: Sequence[int], options: Namespace
) -> dict[int, list[Measured]]:
    runs: dict[int, list[Measured]] = defaultdict(list)
    for _ in range(options.repeat):
        for length in lengths:
            runs[length].append(measure(engine, prompt, draft_length=length, token_count=options.tokens))
    return runs


def _report(runs: Mapping[int, Sequence[Measured]]) -> Iterator[str]:
    plain = runs[PLAIN]
    yield f"plain: {median(run.stats.tokens_per_second for run in plain):.1f} tok/s"
    for length, found in runs.items():
        if length == PLAIN:
            continue
        # Each run against the plain one of its own turn: drift of the machine cancels out.
        ratios = (
            run.stats.tokens_per_second / base.stats.tokens_per_second for run, base in zip(found, plain, strict=True)
        )
        middle, least, most = spread(ratios)
        same = sum(run.tokens == plain[0].tokens for run in found)
        yield (
            f"length {length}: {median(run.stats.tokens_per_second for run in found):.1f} tok/s, "
            f"{middle:.2f}x ({least:.2f}..{most:.2f}), "
            f"accepted length {median(run.stats.accepted_length for run in found):.2f}, "
            f"same text {same} of {len(found)}"
        )


if __name__ == "__main__":
    main()
