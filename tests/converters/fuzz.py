"""Breaks one file of a sound checkpoint or GGUF by a seed, and sees that every reader reads it or refuses it.

python -m tests.converters.fuzz --minutes 60          # any seeds, in limited memory; prints those that fail
"""

import random
import resource
import tempfile
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from converters import ConversionError, convert_draft, convert_target
from converters.gguf_header import parse_header
from converters.gguf_target import GgufTarget
from sparkdesk.errors import SparkDeskError
from sparkdesk.gguf.header import read_gguf
from tests.converters.checkpoints import make_draft, make_target, split_into_shards
from tests.converters.mutations import mutate_bytes, mutate_json

_PATIENCE_S = 5.0  # of processor time: a hundred times what it takes
_MEMORY_BYTES = 6 << 30

Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True, slots=True)
class Subject:
    file: Path
    """Put back as it was after each trial."""
    mutate: Mutate
    read: Callable[[], object]


def subjects(folder: Path) -> Mapping[str, Subject]:
    """Every kind of file there is to break, by name."""
    target = make_target(folder / "target", tied=False, dtype="BF16")
    sharded = make_target(folder / "sharded", tied=False)
    split_into_shards(sharded, 2)
    draft = make_draft(folder / "draft", target, dtype="BF16")
    gguf = folder / "target.gguf"
    list(convert_target(target.folder, gguf, output_type="Q8_0"))

    def converts(source: Path) -> Callable[[], object]:
        return lambda: _first_step(convert_target(source, folder / "t.gguf", output_type="F16"))

    def converts_draft() -> None:
        _first_step(convert_draft(draft.folder, folder / "d.gguf", target=gguf, output_type="F16"))

    return {
        "safetensors": Subject(target.folder / "model.safetensors", mutate_bytes, converts(target.folder)),
        "config": Subject(target.folder / "config.json", mutate_json, converts(target.folder)),
        "tokenizer": Subject(target.folder / "tokenizer.json", mutate_json, converts(target.folder)),
        "tokenizer_config": Subject(target.folder / "tokenizer_config.json", mutate_json, converts(target.folder)),
        "index": Subject(sharded.folder / "model.safetensors.index.json", mutate_json, converts(sharded.folder)),
        "draft_config": Subject(draft.folder / "config.json", mutate_json, converts_draft),
        "gguf_target": Subject(gguf, mutate_bytes, lambda: _read_rows(gguf)),
        "gguf_file": Subject(gguf, mutate_bytes, lambda: read_gguf(gguf)),
    }


def trial(subject: Subject, seed: int) -> None:
    """Raises whatever a reader should not have raised."""
    sound = subject.file.read_bytes()
    subject.file.write_bytes(subject.mutate(sound, random.Random(seed)))
    began_s = time.process_time()
    try:
        subject.read()
    except (ConversionError, SparkDeskError) as error:
        said = error.message
        assert said.isprintable() and len(said) < 1000, ascii(said)
    finally:
        subject.file.write_bytes(sound)
    assert time.process_time() - began_s < _PATIENCE_S, "too slow"


def _first_step(events: Generator[object, None, None]) -> None:
    """The header is written then; weights are not worth the time."""
    try:
        next(events, None)
    finally:
        events.close()


def _read_rows(path: Path) -> None:
    target = GgufTarget(path)
    target.tokenizer_entries()
    target.embedding_rows([0])
    target.head_rows([0])
    parse_header(path.read_bytes())


def _seeds(first: int, minutes: float) -> Iterator[int]:
    until_s, seed = time.monotonic() + 60 * minutes, first
    while time.monotonic() < until_s:
        yield seed
        seed += 1


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.converters.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    failures, count = set(), 0
    with tempfile.TemporaryDirectory() as folder:
        files = subjects(Path(folder))
        for seed in _seeds(options.first_seed, options.minutes):
            for name, subject in files.items():
                count += 1
                try:
                    trial(subject, seed)
                except Exception as error:
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    kind = (name, type(error).__name__, where.filename, where.lineno)
                    if kind not in failures:
                        failures.add(kind)
                        print(f"{name} {seed}: {error!a}", flush=True)
                        print(ascii(traceback.format_exc()).replace("\\n", "\n"), flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = used.ru_utime + used.ru_stime
    print(f"{count:,} trials in {spent_s / 60:.1f} minutes of processor time, {len(failures)} kinds of failure")
    print(f"most memory {used.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
