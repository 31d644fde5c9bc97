"""How fast and in how much memory a checkpoint is converted, against `cp` of the same files, turn by turn.

    python -m sparkdesk.bench.lab.checkpoint --out /tmp/8b --shape 8b --shards 4         # 16 GB
    python -m sparkdesk.bench.lab.conversion --checkpoint /tmp/8b --work /tmp --types BF16,F16,Q8_0

Before each run the checkpoint is pushed out of the page cache (cold) or read into it (warm). A conversion ends with
its file safe on the disk; `cp` does not wait for that, so its line comes twice, without and with an fsync.
"""

import os
import subprocess
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sparkdesk.bench.lab.process_cost import ProcessCost, run_measured
from sparkdesk.machine.child_processes import python_command, safe_environment

_READ_BYTES = 1 << 24
_COPY, _COPY_AND_SYNC = "cp", "cp and fsync"


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    files = sorted(options.checkpoint.glob("*.safetensors"))
    source_bytes = sum(file.stat().st_size for file in files)
    print(f"{options.checkpoint}: {source_bytes / 1e9:.1f} GB in {len(files)} files, {os.cpu_count()} processors")
    costs: dict[str, list[ProcessCost]] = {}
    for turn in range(1, options.turns + 1):
        for name, cost in _turn(files, options):
            costs.setdefault(name, []).append(cost)
            print(f"turn {turn}: {_line(name, cost, source_bytes)}", flush=True)
    if options.turns > 1:
        for name, found in costs.items():
            print(f"median: {_line(name, _median(found), source_bytes)}")
    copy_s = median(cost.wall_s for cost in costs[_COPY])
    for name in options.types:
        print(f"{name}: {copy_s / median(cost.wall_s for cost in costs[name]):.2f} times the speed of cp")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.conversion", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="where copies go, on the same disk")
    parser.add_argument("--types", type=lambda given: given.split(","), default=["BF16", "F16", "Q8_0"])
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--cache", choices=("cold", "warm"), default="cold", help="of the checkpoint, before each run")
    return parser


def _turn(files: Sequence[Path], options: Namespace) -> Iterator[tuple[str, ProcessCost]]:
    prepare = _drop_from_cache if options.cache == "cold" else _read_into_cache
    prepare(files)
    yield from _copied(files, options.work)
    for type_name in options.types:
        prepare(files)
        with TemporaryDirectory(dir=options.work) as folder:
            out = f"{folder}/out.gguf"
            convert = ("convert", "target", str(options.checkpoint), out, "--type", type_name)
            yield type_name, run_measured(python_command("sparkdesk", *convert))


def _copied(files: Sequence[Path], work: Path) -> Iterator[tuple[str, ProcessCost]]:
    with TemporaryDirectory(dir=work) as folder:
        cost = run_measured(("cp", *map(str, files), folder))
        yield _COPY, cost
        sync_s = _elapsed_s(lambda: _each(sorted(Path(folder).iterdir()), os.fsync))
        yield _COPY_AND_SYNC, replace(cost, wall_s=cost.wall_s + sync_s)


def _drop_from_cache(files: Sequence[Path]) -> None:
    subprocess.run(("sync",), check=True, env=safe_environment())  # only what is safe on the disk can be dropped
    _each(files, lambda descriptor: os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED))


def _read_into_cache(files: Sequence[Path]) -> None:
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.read(_READ_BYTES):
                pass


def _each(files: Sequence[Path], act: Callable[[int], None]) -> None:
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            act(descriptor)
        finally:
            os.close(descriptor)


def _elapsed_s(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _median(costs: Sequence[ProcessCost]) -> ProcessCost:
    return ProcessCost(
        median(cost.wall_s for cost in costs),
        median(cost.user_s for cost in costs),
        median(cost.system_s for cost in costs),
        max(cost.peak_own_bytes for cost in costs),
    )


def _line(name: str, cost: ProcessCost, source_bytes: int) -> str:
    return (
        f"{name:12}  {cost.wall_s:6.1f} s  {source_bytes / 1e6 / cost.wall_s:5.0f} MB/s  "
        f"user {cost.user_s:5.1f} s  system {cost.system_s:5.1f} s  "
        f"{(cost.user_s + cost.system_s) / cost.wall_s:.2f} processors  own memory {cost.peak_own_bytes / 1e6:4.0f} MB"
    )


if __name__ == "__main__":
    main()
