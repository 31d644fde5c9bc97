"""How much of a round is ours: the share of time outside llama.cpp's calls.

python -m sparkdesk.bench.lab.overhead --target T.gguf --draft D.gguf --prompt-tokens 300,301,302
"""

from argparse import ArgumentParser, Namespace
from statistics import median

from sparkdesk.bench.lab.measure import add_pair_arguments, load_pair, measure, prompts_of
from sparkdesk.runner.client import EngineClient


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.overhead", description=__doc__.splitlines()[0])
    add_pair_arguments(parser)
    parser.add_argument("--draft-length", type=int, default=3)
    options = parser.parse_args()
    with EngineClient() as engine:
        load_pair(engine, options)
        for prompt in prompts_of(engine, options):
            for length in (0, options.draft_length):
                print(_report(engine, prompt, length=length, options=options), flush=True)


def _report(engine: EngineClient, prompt: tuple[int, ...], *, length: int, options: Namespace) -> str:
    runs = [
        measure(engine, prompt, draft_length=length, token_count=options.tokens).stats for _ in range(options.repeat)
    ]
    share = median(stats.other_ms / stats.decode_ms for stats in runs)
    each_ms = median(stats.other_ms / stats.rounds for stats in runs)
    speed = median(stats.tokens_per_second for stats in runs)
    return (
        f"draft length {length}: {speed:.1f} tok/s, ours {share:.2%} of a round ({each_ms:.3f} ms); "
        f"median of {options.repeat} runs of {options.tokens} tokens"
    )


if __name__ == "__main__":
    main()
