"""From checkpoint folders to GGUF files, as the desk asks for it: one file, or a whole pair kept in the library.

Speaks to converters/ and translates its errors and its progress.
"""

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import converters
from converters import OUTPUT_TYPES, ConversionError, ConversionProgress
from converters.file_lock import is_locked, locked_folder
from converters.file_names import draft_file_name, target_file_name
from converters.output_types import output_type_named
from sparkdesk import __version__
from sparkdesk.atomic_file import make_private_folder
from sparkdesk.errors import ConvertError
from sparkdesk.events import Notice, Progress

__all__ = [
    "OUTPUT_TYPES",
    "KeptPair",
    "PairSource",
    "bytes_of_weights",
    "convert_draft",
    "convert_target",
    "keep_pair",
    "kept_pair",
    "needed_bytes",
    "output_file",
]

_CONVERTED_BY = f"SparkDesk {__version__}"
_STAGES = {"convert": "Converting", "quantize": "Quantizing"}
_LEAST_SECONDS_FOR_A_RATE = 0.2
_STALE_SECONDS = 3600.0  # an unfinished folder this old belongs to a process that died


@dataclass(frozen=True, slots=True)
class PairSource:
    """Checkpoint folders of a pair that is converted on first use."""

    name: str
    """Start of the folder's name: "spark-tiny"."""
    target: Path
    draft: Path
    output_type: str


@dataclass(frozen=True, slots=True)
class KeptPair:
    folder: Path

    @property
    def target(self) -> Path:
        return self.folder / "target.gguf"

    @property
    def draft(self) -> Path:
        return self.folder / "draft.gguf"

    @property
    def is_complete(self) -> bool:
        return self.target.is_file() and self.draft.is_file()


def output_file(source: Path, out: Path, *, output_type: str, target: Path | None = None) -> Path:
    """`out`, or where that is a folder, a file in it named after the model: of a draft, where `target` is given."""
    if not out.is_dir():
        return out
    with _in_our_words():
        if target is None:
            return out / target_file_name(source, output_type)
        return out / draft_file_name(source, target, output_type)


def needed_bytes(source_bytes: int, output_type: str) -> int:
    """Room for converting that much of a checkpoint of 16-bit weights; more is checked when its tensors are known."""
    with _in_our_words():
        type_ = output_type_named(output_type)
    file_bytes = int(source_bytes / 2 * type_.bits_per_weight / 8)
    return file_bytes if type_.is_direct else source_bytes + file_bytes


def bytes_of_weights(count: int, output_type: str) -> int:
    """About what a file of that type takes for so many weights."""
    with _in_our_words():
        return int(count * output_type_named(output_type).bits_per_weight / 8)


def convert_target(
    source: Path, out: Path, *, output_type: str, overwrite: bool = False
) -> Generator[Progress | Notice, None, None]:
    """Convert a target's checkpoint; closing the iterator cancels and leaves nothing behind. Raises ConvertError."""
    events = converters.convert_target(
        source, out, output_type=output_type, overwrite=overwrite, converted_by=_CONVERTED_BY
    )
    yield from _told(events, "the target")


def convert_draft(
    source: Path, out: Path, *, target: Path, output_type: str, overwrite: bool = False
) -> Generator[Progress | Notice, None, None]:
    """Convert a draft's checkpoint; `target` is the GGUF file or checkpoint folder it belongs to."""
    events = converters.convert_draft(
        source, out, target=target, output_type=output_type, overwrite=overwrite, converted_by=_CONVERTED_BY
    )
    yield from _told(events, "the draft")


def kept_pair(source: PairSource, library: Path) -> KeptPair:
    """Where the pair is, or will be. The name carries what it was made from: a change of either makes a new one."""
    return KeptPair(library / f"{source.name}-{_fingerprint(source)}")


def keep_pair(source: PairSource, library: Path) -> Generator[Progress, None, None]:
    """Convert the pair unless that was done before, and remove older versions. It appears whole or not at all."""
    kept = kept_pair(source, library)
    if kept.is_complete:
        return
    with _unfinished_folder(kept.folder) as folder:
        part = KeptPair(folder)
        yield from _silent(convert_target(source.target, part.target, output_type=source.output_type))
        yield from _silent(
            convert_draft(source.draft, part.draft, target=source.target, output_type=source.output_type)
        )
        _publish(part, kept)
    _remove_others(source.name, kept.folder)


def _silent(events: Generator[Progress | Notice, None, None]) -> Iterator[Progress]:
    with closing(events):
        yield from (event for event in events if isinstance(event, Progress))


def _told(events: Iterator[ConversionProgress], what: str) -> Iterator[Progress | Notice]:
    began_s, stage = time.monotonic(), ""
    try:
        for event in events:
            if event.notice:
                yield Notice(event.notice)
            if event.stage != stage:
                began_s, stage = time.monotonic(), event.stage
            elapsed_s = time.monotonic() - began_s
            rate = event.done / elapsed_s if elapsed_s >= _LEAST_SECONDS_FOR_A_RATE else 0.0
            yield Progress(f"{_STAGES.get(stage, stage)} {what}", event.done, event.total, event.unit, rate)
    except ConversionError as error:
        raise ConvertError(error.message, error.hint) from error
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except ConversionError as error:
        raise ConvertError(error.message, error.hint) from error


def _fingerprint(source: PairSource) -> str:
    """Of the checkpoints and of the code that converts them."""
    digest = sha256(source.output_type.encode())
    code = sorted(Path(converters.__file__).parent.glob("*.py"))
    for path in (*code, *sorted(source.target.iterdir()), *sorted(source.draft.iterdir())):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + str(path.stat().st_size).encode() + b"\0")
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()[:12]


@contextmanager
def _unfinished_folder(final: Path) -> Iterator[Path]:
    part = final.parent / f".{final.name}.{uuid4().hex[:8]}.part"
    try:
        make_private_folder(final.parent)
        part.mkdir()
    except OSError as error:
        raise ConvertError(f"{final.parent} cannot be written to: {error.strerror or error}.", _FOLDER_HINT) from error
    try:
        with locked_folder(part):  # a later start removes it where this process dies
            yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


_FOLDER_HINT = "Set SPARKDESK_HOME to a folder that can be."


def _publish(part: KeptPair, kept: KeptPair) -> None:
    try:
        part.folder.rename(kept.folder)
    except OSError as error:
        # Another process may have been faster: then there is a whole pair, and ours goes.
        if not kept.is_complete:
            raise ConvertError(
                f"{kept.folder} could not be written: {error.strerror or error}.", _FOLDER_HINT
            ) from error


def _remove_others(name: str, kept: Path) -> None:
    """Older versions, and what a process that died left unfinished. One that cannot be removed only takes space."""
    for folder in kept.parent.glob(f"{name}-*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in kept.parent.glob(f".{name}-*.part"):
        if not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
