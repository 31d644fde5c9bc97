"""The processors this build of llama.cpp can compute on."""

import ctypes
from dataclasses import dataclass
from typing import Any

from llama_cpp import llama_cpp as C

from sparkdesk.engine.llama.library import start


@dataclass(frozen=True, slots=True)
class Device:
    """A processor ggml can compute on."""

    name: str
    """ggml's short name: "CPU", "CUDA0"."""
    description: str
    kind: str
    """"cpu", "gpu", "integrated gpu", "accelerator" or "meta"."""
    free_bytes: int
    total_bytes: int


_DEVICE_KINDS = ("cpu", "gpu", "integrated gpu", "accelerator", "meta")


def devices() -> tuple[Device, ...]:
    """What this build of llama.cpp finds in the machine. Unified memory is told by ggml, not by the driver's tools."""
    start()
    library = C._lib  # its handle also resolves the ggml libraries it was linked with
    get = _typed(library.ggml_backend_dev_get, [ctypes.c_size_t], ctypes.c_void_p)
    count = _typed(library.ggml_backend_dev_count, [], ctypes.c_size_t)()
    return tuple(_describe(library, get(i)) for i in range(count))


def graphics_cards() -> tuple[Device, ...]:
    """Those that layers may lie on, in llama.cpp's order."""
    return tuple(device for device in devices() if "gpu" in device.kind)


def _describe(library: Any, handle: int) -> Device:
    name = _typed(library.ggml_backend_dev_name, [ctypes.c_void_p], ctypes.c_char_p)
    description = _typed(library.ggml_backend_dev_description, [ctypes.c_void_p], ctypes.c_char_p)
    kind = _typed(library.ggml_backend_dev_type, [ctypes.c_void_p], ctypes.c_int)
    memory = _typed(library.ggml_backend_dev_memory, [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2], None)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory(handle, ctypes.byref(free), ctypes.byref(total))
    number = kind(handle)
    return Device(
        name=name(handle).decode("utf-8", "replace"),
        description=description(handle).decode("utf-8", "replace"),
        kind=_DEVICE_KINDS[number] if 0 <= number < len(_DEVICE_KINDS) else "unknown",
        free_bytes=free.value,
        total_bytes=total.value,
    )


def _typed(function: Any, arguments: list[Any], result: Any) -> Any:
    function.argtypes, function.restype = arguments, result
    return function
