"""Norms of queries and keys that a graph of llama.cpp's lacks, applied while it is computed.

DeepSpec's EAGLE-3 drafts normalize each head before it is rotated; llama.cpp's eagle3 graph does not. Its scheduler
asks a callback about every node and hands over those it wants, once they are computed: there the host divides each head
by its root mean square, multiplies with the norm's weights, and writes it back. Source: `ggml-backend.h`.
"""

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as C

from sparkdesk.engine.block import FloatArray
from sparkdesk.errors import EngineError

QUERIES, KEYS = "Qcur-0", "Kcur-0"
"""Nodes of the first layer, before their rotation."""
_LIBRARIES = ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll", "libggml-base.dll")


class GraphNorm:
    """Give `callback` to a context, and keep this as long as that lives."""

    def __init__(self, weights: Mapping[str, FloatArray], *, epsilon: float) -> None:
        """`weights` (head_dim,) by node, in the order of the file's rows. Raises EngineError without the library."""
        self._library = _ggml_base()
        self._weights = {name.encode(): np.asarray(found, np.float32) for name, found in weights.items()}
        self._epsilon = epsilon
        self.callback: Any = C.ggml_backend_sched_eval_callback(self._at_node)

    def _at_node(self, tensor: Any, asks: bool, _: Any) -> bool:
        """Whether the node is wanted; once it is computed, that all may go on."""
        weights = self._weights.get(self._library.ggml_get_name(tensor))
        if asks or weights is None:
            return weights is not None or not asks
        heads = np.empty((self._library.ggml_nelements(tensor) // len(weights), len(weights)), np.float32)
        self._library.ggml_backend_tensor_get(tensor, heads.ctypes.data, 0, heads.nbytes)
        heads *= weights / np.sqrt((heads * heads).mean(axis=1, keepdims=True) + self._epsilon)
        self._library.ggml_backend_tensor_set(tensor, heads.ctypes.data, 0, heads.nbytes)
        return True


def _ggml_base() -> Any:
    folder = Path(C.__file__).parent / "lib"
    path = next((folder / name for name in _LIBRARIES if (folder / name).exists()), None)
    if path is None:
        raise EngineError(f"This draft needs libggml-base, and {folder} has none.", "Install llama-cpp-python again.")
    library = ctypes.CDLL(str(path))
    library.ggml_get_name.argtypes, library.ggml_get_name.restype = [ctypes.c_void_p], ctypes.c_char_p
    library.ggml_nelements.argtypes, library.ggml_nelements.restype = [ctypes.c_void_p], ctypes.c_int64
    for name in ("ggml_backend_tensor_get", "ggml_backend_tensor_set"):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        function.restype = None
    return library
