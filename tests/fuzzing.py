"""Runs trials of a border by seed for some minutes, in limited memory, and prints each kind of failure once.

`python -m tests.<room>.fuzz_... --minutes N`; what a seed breaks depends on nothing else, so a seed is a test case.
"""

import resource
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable

_MEMORY_BYTES = 6 << 30
_PATIENCE_S = 10.0
"""Of processor time for one trial: a hundred times what it takes."""


def run(what: str, trial: Callable[[int], object]) -> int:
    """`trial` raises whatever the border should not have raised. Returns the exit code."""
    parser = ArgumentParser(description=f"Fuzz {what}.")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    until_s, seed, kinds = time.monotonic() + 60 * options.minutes, options.first_seed, set()
    while time.monotonic() < until_s:
        try:
            timed(trial, seed)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error).__name__, where.filename, where.lineno)
            if kind not in kinds:
                kinds.add(kind)
                print(f"seed {seed}: {error!a}\n{traceback.format_exc()!a}".replace("\\n", "\n"), flush=True)
        seed += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{what}: {seed - options.first_seed:,} trials, {len(kinds)} kinds of failure, {used.ru_maxrss / 1024:.0f} MiB"
    )
    return int(bool(kinds))


def timed(trial: Callable[[int], object], seed: int) -> None:
    """Raises AssertionError where it takes too long."""
    began_s = time.process_time()
    trial(seed)
    assert time.process_time() - began_s < _PATIENCE_S, "too slow"
