"""The loaded llama.cpp library: what is bound beyond the package's own bindings, its start, and its complaints.

Bound to llama-cpp-python 0.3.36. The functions that let a draft listen to its target are exported by the library but
not bound by the package; they are bound here under their C++ names and checked once (`missing_symbols`).
"""

import ctypes
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from llama_cpp import llama_cpp as C

TESTED_VERSION = "0.3.36"
FLOATS = ctypes.POINTER(ctypes.c_float)

# Plain C name, Itanium C++ name, MSVC C++ name; arguments; result.
_UNBOUND: dict[str, tuple[tuple[str, ...], list[Any], Any]] = {
    "set_layer_input": (
        (
            "llama_set_embeddings_layer_inp",
            "_Z30llama_set_embeddings_layer_inpP13llama_contextjb",
            "?llama_set_embeddings_layer_inp@@YAXPEAUllama_context@@I_N@Z",
        ),
        [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_bool],
        None,
    ),
    "get_layer_input": (
        (
            "llama_get_embeddings_layer_inp",
            "_Z30llama_get_embeddings_layer_inpP13llama_contextj",
            "?llama_get_embeddings_layer_inp@@YAPEAMPEAUllama_context@@I@Z",
        ),
        [ctypes.c_void_p, ctypes.c_uint32],
        FLOATS,
    ),
    "target_layer_ids": (
        (
            "llama_model_target_layer_ids",
            "_Z28llama_model_target_layer_idsPK11llama_model",
            "?llama_model_target_layer_ids@@YAPEBHPEBUllama_model@@@Z",
        ),
        [ctypes.c_void_p],
        ctypes.POINTER(ctypes.c_int32),
    ),
    "target_layer_count": (
        (
            "llama_model_target_layer_ids_n",
            "_Z30llama_model_target_layer_ids_nPK11llama_model",
            "?llama_model_target_layer_ids_n@@YAIPEBUllama_model@@@Z",
        ),
        [ctypes.c_void_p],
        ctypes.c_uint32,
    ),
}


def _bind(names: Sequence[str], arguments: list[Any], result: Any) -> Any:
    for name in names:
        try:
            function = getattr(C._lib, name)
        except AttributeError:
            continue
        function.argtypes, function.restype = arguments, result
        return function
    return None


bound = {key: _bind(*signature) for key, signature in _UNBOUND.items()}


def missing_symbols() -> tuple[str, ...]:
    """Functions that speculation needs and this build of llama.cpp does not export."""
    return tuple(_UNBOUND[key][0][0] for key, function in bound.items() if function is None)


class LogTail:
    """Keeps the last complaints of llama.cpp, which would otherwise be printed over the screen."""

    _ERROR_LEVEL = 4
    _CONTINUED = 5

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=8)
        self._keeps_continuation = False
        self.callback = C.llama_log_callback(self._receive)

    def _receive(self, level: int, text: bytes, _: Any) -> None:
        self._keeps_continuation = level == self._ERROR_LEVEL or (level == self._CONTINUED and self._keeps_continuation)
        if self._keeps_continuation and text.strip():
            self.lines.append(text.decode("utf-8", "replace").strip())

    def take(self) -> str:
        """The first complaint since the last call: later ones only repeat it from further out."""
        said = self.lines[0] if self.lines else ""
        self.lines.clear()
        return said.split(": ", 1)[-1]


complaints = LogTail()
_start_lock = threading.Lock()
_is_started = False


def start() -> None:
    """Start the backend once a process; called by whatever touches a model."""
    global _is_started
    with _start_lock:
        if not _is_started:
            C.llama_log_set(complaints.callback, ctypes.c_void_p(0))
            C.llama_backend_init()
            _is_started = True


def supports_gpu() -> bool:
    return bool(C.llama_supports_gpu_offload())


def system_info() -> str:
    """llama.cpp's own line about the instruction sets and backends it was built with."""
    text: bytes = C.llama_print_system_info()
    return text.decode("utf-8", "replace")
