"""How long threads should spin at a barrier: decoding by GOMP_SPINCOUNT, alone and beside busy loops, in turns.

python -m sparkdesk.bench.lab.waiting --target MODEL.gguf --repeat 3     # the curves of docs/performance.md
"""

import os
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from sparkdesk.bench.busy import busy_loops
from sparkdesk.bench.engine import Returning, fresh_rounds
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.machine.cores import read_cores
from sparkdesk.runner.client import EngineClient

SPINS = ("", "0", "300", "1000", "5000", "20000", "100000")
"""The empty one is libgomp's own default: about 10 ms at each barrier."""
_DEFAULT = "300000"
"""That default by its number (libgomp's manual, GOMP_SPINCOUNT): to set nothing would mean ours."""
_PROMPT = "Tell me how a river becomes wide on its way to the sea."
_PLAIN = GenerationSettings(
    sampling=SamplingSettings(temperature=0.0), speculation=SpeculationSettings(is_enabled=False)
)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--spins", default=",".join(SPINS))
    options = parser.parse_args()
    spins = tuple(options.spins.split(","))
    speeds: dict[tuple[str, bool], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        engines = {spin: stack.enter_context(_engine(spin, options.target)) for spin in spins}
        for turn in range(options.repeat):
            for spin in spins if turn % 2 else spins[::-1]:
                for is_busy in (False, True):
                    with busy_loops(options.loops if is_busy else 0):
                        speeds[spin, is_busy].append(_speed(engines[spin], options.max_tokens))
    print(f"load of the machine over the last minute: {os.getloadavg()[0]:.1f}")
    print(f"{'GOMP_SPINCOUNT':>16}{'quiet tok/s':>14}{'busy tok/s':>14}")
    for spin in spins:
        quiet, busy = (median(speeds[spin, is_busy]) for is_busy in (False, True))
        print(f"{spin or 'as it is':>16}{quiet:>14.1f}{busy:>14.1f}")


def _engine(spin: str, target: str) -> EngineClient:
    """Loaded with a number of threads that does not depend on how busy the machine is."""
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        os.environ.pop(name, None)
    os.environ["GOMP_SPINCOUNT"] = spin or _DEFAULT
    engine = EngineClient()
    settings = LoadSettings(target, context_tokens=1024, threads=read_cores().usable)
    for _ in engine.load(settings):
        pass
    return engine


def _speed(engine: EngineClient, max_tokens: int) -> float:
    tokens = engine.tokenize(_PROMPT)
    steps = Returning(fresh_rounds(engine, tokens, replace(_PLAIN, max_tokens=max_tokens), ignore_end=True))
    for _ in steps:
        pass
    return steps.result.stats.tokens_per_second


if __name__ == "__main__":
    main()
