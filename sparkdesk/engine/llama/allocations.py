"""What llama.cpp says it allocates, read off its log: model, KV cache, compute and output buffers."""

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llama_cpp import llama_cpp as C

from sparkdesk.engine.llama.library import complaints, start

_LINE = re.compile(r"(?P<buffer>\S+)\s+(?P<kind>model|KV|compute|output|RS) buffer size =\s*(?P<mebibytes>[\d.]+) MiB")


@dataclass(frozen=True, slots=True)
class Allocation:
    kind: str
    """ "model", "KV", "compute", "output" or "RS"."""
    buffer: str
    """ggml's name for where it lies: "CPU", "CPU_Mapped", "CUDA0"."""
    size_bytes: int


@contextmanager
def recorded_allocations() -> Iterator[list[Allocation]]:
    """The list that fills while the block runs; complaints are kept as usual."""
    start()
    found: list[Allocation] = []

    def receive(level: int, text: bytes, user_data: Any) -> None:
        complaints.callback(level, text, user_data)
        line = _LINE.search(text.decode("utf-8", "replace"))
        if line is not None:
            found.append(Allocation(line["kind"], line["buffer"], round(float(line["mebibytes"]) * 1024 * 1024)))

    callback = C.llama_log_callback(receive)
    C.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield found
    finally:
        C.llama_log_set(complaints.callback, ctypes.c_void_p(0))
