"""llama.cpp's quantizer, run in a process of its own: `python -m converters.quantize IN OUT TYPE`.

llama.cpp aborts the whole process on a failed assertion and knows no cancel, so the parent
reads its log for progress and ends the process to cancel. This is the only module that loads llama_cpp.
"""

import ctypes
import errno
import mmap
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import dropwhile
from pathlib import Path
from typing import IO

from converters.errors import QuantizeFailed, UnsupportedModel
from converters.gguf_header import entries, parse_header
from converters.gguf_types import GgufHeader
from converters.output_types import OutputType, output_type_named
from converters.progress import ConversionProgress

_PROGRESS = re.compile(r"\[\s*(\d+)/\s*(\d+)\]\s+(\S+)")
_NOTHING_FREE_BYTES = 1024 * 1024
_HEARTBEAT_S = 0.25  # how long a cancel may wait while one large tensor is quantized
# A draft's Markov tensors are small, decide every token, and are read row by row outside llama.cpp too.
_MARKOV_PATTERN = rb"^markov_w[12]\.weight$"
_GGML_TYPE_Q8_0 = 8
_SECRET = re.compile(r"(^|_)(TOKEN|API_?KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)", re.IGNORECASE)
_OF_THE_FILE = ("general.file_type", "general.quantization_version")  # entries that the quantizer writes anew


def quantize(source: Path, out: Path, type_: OutputType) -> Iterator[ConversionProgress]:
    """Quantize `source` into `out`; closing the iterator ends the work at once and leaves `out` unfinished.

    Raises OSError where the disk is full.
    """
    log: list[str] = []
    latest = ConversionProgress("quantize", 0, 1, "tensors", "")
    with _child(source, out, type_) as process:
        for line in _lines(process):
            if line is not None:
                log.append(line)
                latest = _progress(line) or latest
            yield latest
    if process.returncode != 0:
        if shutil.disk_usage(out.parent).free < _NOTHING_FREE_BYTES:  # llama.cpp speaks of an iostream error then
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise _explained(log, type_)
    _check(source, out, type_)
    yield ConversionProgress("quantize", latest.total, latest.total, "tensors", latest.detail)


@contextmanager
def _child(source: Path, out: Path, type_: OutputType) -> Iterator["subprocess.Popen[str]"]:
    # -P: what lies in the folder where the user happens to be must not be taken for this package, or for numpy.
    command = [sys.executable, "-P", "-m", "converters.quantize", str(source), str(out), type_.name]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # closes when the parent dies, and the child with it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            yield process
            process.wait()
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    """Ours without secrets; the child finds this package, installed or not, and nothing in the working folder."""
    here = str(Path(__file__).resolve().parent.parent)
    inherited = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(each)]
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    # Without the last, a failed assertion in llama.cpp first starts a debugger to print a backtrace.
    ours = {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "GGML_NO_BACKTRACE": "1"}
    return kept | ours | {"PYTHONPATH": os.pathsep.join([here, *inherited])}


def _lines(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """The child's lines as they come, and None while it works on in silence."""
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    while True:
        try:
            line = lines.get(timeout=_HEARTBEAT_S)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _read(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    with suppress(ValueError):  # whoever cancels closes the stream
        for line in stream:
            lines.put(line)
    lines.put(None)


def _progress(line: str) -> ConversionProgress | None:
    found = _PROGRESS.search(line)
    if not found:
        return None
    # llama.cpp announces a tensor before it works on it.
    return ConversionProgress("quantize", int(found[1]) - 1, int(found[2]), "tensors", found[3])


def _explained(log: list[str], type_: OutputType) -> QuantizeFailed | UnsupportedModel:
    text = "".join(log)
    if "importance matrix" in text or "imatrix" in text:
        return UnsupportedModel(
            f"{type_.name} needs an importance matrix for this model, which this converter does not compute.",
            hint="Choose a larger type, such as Q4_K_M.",
        )
    reason = next((line.strip() for line in reversed(log) if "fail" in line or "error" in line.lower()), "")
    return QuantizeFailed(f"llama.cpp could not quantize to {type_.name}: {reason or 'it gave no reason'}.")


def _check(source: Path, out: Path, type_: OutputType) -> None:
    """Raise QuantizeFailed unless `out` is whole: what `source` says of itself, and every tensor of it.

    A process that ends with 0 has not proven that it did its work: a full pipe, another program of that name, a bug.
    """
    try:
        with _mapped(source) as given, _mapped(out) as made:
            wanted, found = parse_header(given), parse_header(made)
            kept = {entry.key: entry.value for entry in entries(given, wanted) if entry.key not in _OF_THE_FILE}
            told = {entry.key: entry.value for entry in entries(made, found)}
    except (OSError, ValueError) as error:
        raise _broken(type_, f"its header cannot be read ({error or type(error).__name__})") from error
    unknown = next((place.name for place in found.tensors.values() if not place.size_bytes), None)
    if unknown is not None:
        raise _broken(type_, f"the tensor {unknown} has a type that nobody knows")
    lost = next((name for name, value in kept.items() if told.get(name) != value), None)
    if lost is not None:
        raise _broken(type_, f"{lost} is missing or has changed")
    if told.get("general.file_type") != type_.file_type:
        raise _broken(type_, f"its file type is {told.get('general.file_type')}, not {type_.file_type}")
    shapes, made_shapes = _shapes(wanted), _shapes(found)
    if shapes != made_shapes:
        odd = min(shapes.items() ^ made_shapes.items())[0]
        raise _broken(type_, f"the tensor {odd} is missing or has another shape")


def _shapes(header: GgufHeader) -> dict[str, tuple[int, ...]]:
    """Without outer dimensions of 1, which llama.cpp leaves out."""
    return {name: tuple(dropwhile(lambda size: size == 1, place.shape[::-1])) for name, place in header.tensors.items()}


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            yield view
        finally:
            view.release()


def _broken(type_: OutputType, what: str) -> QuantizeFailed:
    return QuantizeFailed(f"llama.cpp's quantizer left a {type_.name} file that is not whole: {what}.")


def main(arguments: list[str]) -> int:
    source, out, type_name = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return _quantize_here(source, out, output_type_named(type_name).file_type)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _quantize_here(source: str, out: str, file_type: int) -> int:
    from llama_cpp import llama_cpp as c

    write_log = c.llama_log_callback(_print_log)
    c.llama_log_set(write_log, ctypes.c_void_p(0))
    params = c.llama_model_quantize_default_params()
    params.ftype = file_type
    override = c.llama_model_tensor_override
    params.tt_overrides = (override * 2)(override(_MARKOV_PATTERN, _GGML_TYPE_Q8_0), override(None, 0))
    result: int = c.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params))
    return min(result, 1)


def _print_log(_level: int, text: bytes, _data: object) -> None:
    sys.stdout.write(text.decode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
