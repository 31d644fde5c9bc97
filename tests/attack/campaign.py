"""Every border attacked in turn, each in a process of its own, and one table of what came of it.

python -m tests.attack.campaign --minutes 12 --seed 1
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.attack import borders

SHARES = {
    "GGUF headers": (0.05, borders.headers),
    "checkpoints": (0.1, borders.checkpoints),
    "templates": (0.1, borders.templates),
    "settings, catalogs": (0.03, borders.settings),
    "histories": (0.08, borders.histories),
    "hub": (0.2, borders.hub),
    "servers": (0.05, borders.servers),
    "homes": (0.17, borders.homes),
    "requests": (0.22, borders.requests),
}
_MOST_SECONDS, _MOST_BYTES, _MOST_WAIT_S = 20.0, 1_500_000_000, 2.0
_CANARY = "nothing changes this"


@dataclass
class Tally:
    trials: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest_seed: int = 0
    largest_bytes: int = 0
    outside: int = 0
    waits_s: list[float] = field(default_factory=list)


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.attack.campaign", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=0, help="the first one of each border")
    parser.add_argument("--border", choices=tuple(SHARES), help="only this one, all the time")
    parser.add_argument("--as-worker", action="store_true", help="print figures for the table")
    options = parser.parse_args()
    if options.as_worker:
        print(json.dumps(asdict(_attack(options.border, options.seed, 60 * options.minutes))))
        return 0
    tallies = {}
    for name in (options.border,) if options.border else SHARES:
        minutes = options.minutes if options.border else options.minutes * SHARES[name][0]
        tallies[name] = _in_process(name, options.seed, minutes)
        print(_row(name, tallies[name]), flush=True)
    print()
    _print_table(tallies)
    return int(any(tally.failures or tally.outside for tally in tallies.values()))


def _in_process(name: str, seed: int, minutes: float) -> Tally:
    command = [sys.executable, "-m", "tests.attack.campaign", "--as-worker", "--border", name]
    command += ["--seed", str(seed), "--minutes", str(minutes)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60 * minutes + 120)
    try:
        return Tally(**json.loads(done.stdout.splitlines()[-1]))
    except (ValueError, IndexError):
        kind = f"the worker ended with {done.returncode}"
        return Tally(failures={kind: 1}, examples={kind: ascii(done.stderr[-3000:])})


def _attack(name: str, seed: int, seconds: float) -> Tally:
    tally, kinds = Tally(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, contextlib.chdir(_outside(Path(folder))):
        room = Path(folder) / "room"
        os.environ["TMPDIR"] = str(room)
        with SHARES[name][1](room) as border:
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s:
                began_s = time.monotonic()
                for kind in _failures(border.trial, seed + tally.trials):
                    kinds[kind[:60]] += 1
                    tally.examples.setdefault(kind[:60], f"seed {seed + tally.trials}: {kind}")
                took_s = time.monotonic() - began_s
                if took_s > tally.slowest_s:
                    tally.slowest_s, tally.slowest_seed = took_s, seed + tally.trials
                kinds["took more than 20 s"] += took_s > _MOST_SECONDS
                tally.trials += 1
            for kind in border.at_the_end():
                kinds[kind[:60]] += 1
                tally.examples.setdefault(kind[:60], kind)
            tally.largest_bytes, tally.waits_s = max(border.largest_bytes(), _largest_bytes()), border.waits_s()
        tally.outside = _strangers(Path(folder))
    kinds["a process above 1.5 GB"] += tally.largest_bytes > _MOST_BYTES
    kinds["another request waited more than 2 s"] += sum(wait_s > _MOST_WAIT_S for wait_s in tally.waits_s)
    tally.failures = {kind: count for kind, count in kinds.items() if count}
    return tally


def _failures(trial: Callable[[int], Iterator[str]], seed: int) -> Iterator[str]:
    try:
        yield from trial(seed)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        yield f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno} {ascii(error)[:200]}"


def _outside(folder: Path) -> Path:
    """The working folder, in which nothing is to be written."""
    for name in ("room", "outside"):
        (folder / name).mkdir()
    (folder / "outside" / "canary").write_text(_CANARY)
    return folder / "outside"


def _strangers(folder: Path) -> int:
    names = {path.relative_to(folder).as_posix() for path in (*folder.glob("*"), *folder.glob("outside/**/*"))}
    is_spoilt = (folder / "outside" / "canary").read_text() != _CANARY
    return len(names - {"room", "outside", "outside/canary"}) + is_spoilt + len([*Path("/tmp").glob("owned*")])


def _largest_bytes() -> int:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * max(resource.getrusage(kind).ru_maxrss for kind in kinds)


def _row(name: str, tally: Tally) -> str:
    waits = f"  other requests at most {max(tally.waits_s):.1f} s" if tally.waits_s else ""
    return (
        f"{name:<20}{tally.trials:>8,} trials{sum(tally.failures.values()):>6} failures"
        f"{tally.slowest_s:>7.1f} s slowest (seed {tally.slowest_seed})"
        f"{tally.largest_bytes / 1e6:>7.0f} MB largest{tally.outside:>4} outside{waits}"
    )


def _print_table(tallies: dict[str, Tally]) -> None:
    for name, tally in tallies.items():
        print(_row(name, tally))
    for name, tally in tallies.items():
        for kind, count in tally.failures.items():
            print(ascii(f"{name}: {count} times {kind}"))
        for example in tally.examples.values():
            print(ascii(f"  {example[:600]}"))


if __name__ == "__main__":
    sys.exit(main())
