"""llama.cpp's quantizer, run in a process of its own: `python -m converters.quantize IN OUT TYPE`.

llama.cpp aborts the whole process on a failed assertion and knows no cancel, so the parent
reads its log for progress and ends the process to cancel. This is the only module that loads llama_cpp.
"""

import ctypes
import errno
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from converters.errors import QuantizeFailed, UnsupportedModel
from converters.output_types import OutputType, output_type_named
from converters.progress import ConversionProgress

_PROGRESS = re.compile(r"\[\s*(\d+)/\s*(\d+)\]\s+(\S+)")
_NOTHING_FREE_BYTES = 1024 * 1024
_HEARTBEAT_S = 0.25  # how long a cancel may wait while one large tensor is quantized
# A draft's Markov tensors are small, decide every token, and are read row by row outside llama.cpp too.
_MARKOV_PATTERN = rb"^markov_w[12]\.weight$"
_GGML_TYPE_Q8_0 = 8


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
    yield ConversionProgress("quantize", latest.total, latest.total, "tensors", latest.detail)


@contextmanager
def _child(source: Path, out: Path, type_: OutputType) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "converters.quantize", str(source), str(out), type_.name]
    # Without the last, a failed assertion in llama.cpp first starts a debugger to print a backtrace.
    environment = os.environ | {"PYTHONPATH": _search_path(), "PYTHONUNBUFFERED": "1", "GGML_NO_BACKTRACE": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # closes when the parent dies, and the child with it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            yield process
            process.wait()
        finally:
            process.kill()


def _search_path() -> str:
    """Where the child finds this package, installed or not."""
    here = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([here, inherited] if inherited else [here])


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
    result: int = c.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(params))
    return min(result, 1)


def _print_log(_level: int, text: bytes, _data: object) -> None:
    sys.stdout.write(text.decode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
