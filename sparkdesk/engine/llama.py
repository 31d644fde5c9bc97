"""The only gate to llama.cpp: owns every pointer, and speaks numpy and Python numbers to the rest of the engine.

Bound to llama-cpp-python 0.3.36. The functions that let a draft listen to its target are exported by the library but not
bound by the package; they are bound here under their C++ names and checked once (`missing_symbols`).
"""

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as C
from llama_cpp import llama_cpp_ext as extension

from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.parts import BATCH_ROWS
from sparkdesk.errors import ContextFull, EngineError, ModelLoadError, OutOfMemory

TESTED_VERSION = "0.3.36"
_DECODE = C.LLAMA_PROCESS_TYPE_DECODE
_EVERYTHING = 999
_NO_TOKEN = -1
_FLOATS = ctypes.POINTER(ctypes.c_float)

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
        _FLOATS,
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


_bound = {key: _bind(*signature) for key, signature in _UNBOUND.items()}


def missing_symbols() -> tuple[str, ...]:
    """Functions that speculation needs and this build of llama.cpp does not export."""
    return tuple(_UNBOUND[key][0][0] for key, function in _bound.items() if function is None)


class _LogTail:
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


_log = _LogTail()
_start_lock = threading.Lock()
_is_started = False


def start() -> None:
    """Start the backend once a process; called by whatever touches a model."""
    global _is_started
    with _start_lock:
        if not _is_started:
            C.llama_log_set(_log.callback, ctypes.c_void_p(0))
            C.llama_backend_init()
            _is_started = True


def supports_gpu() -> bool:
    return bool(C.llama_supports_gpu_offload())


def system_info() -> str:
    """llama.cpp's own line about the instruction sets and backends it was built with."""
    return C.llama_print_system_info().decode("utf-8", "replace")


class Model:
    """The weights of one GGUF file in memory."""

    def __init__(
        self,
        path: Path,
        *,
        gpu_layers: int,
        use_extra_buffers: bool,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        """Raises ModelLoadError or OutOfMemory with llama.cpp's own words."""
        start()
        params = C.llama_model_default_params()
        params.n_gpu_layers = _EVERYTHING if gpu_layers < 0 else gpu_layers
        params.use_extra_bufts = use_extra_buffers
        report = C.llama_progress_callback(_progress_of(on_progress))
        params.progress_callback = report
        _log.take()
        self.path = path
        self.pointer = C.llama_model_load_from_file(str(path).encode(), params)
        if not self.pointer:
            raise _load_failure(path, _log.take())
        self._vocabulary: Any = C.llama_model_get_vocab(self.pointer)

    def close(self) -> None:
        if self.pointer:
            C.llama_model_free(self.pointer)
            self.pointer = None

    @property
    def vocabulary_size(self) -> int:
        return int(C.llama_vocab_n_tokens(self._vocabulary))

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(C.llama_model_n_embd(self.pointer))

    @property
    def layer_count(self) -> int:
        return int(C.llama_model_n_layer(self.pointer))

    @property
    def parameter_count(self) -> int:
        return int(C.llama_model_n_params(self.pointer))

    @property
    def size_bytes(self) -> int:
        return int(C.llama_model_size(self.pointer))

    @property
    def trained_context_tokens(self) -> int:
        return int(C.llama_model_n_ctx_train(self.pointer))

    @property
    def target_layers(self) -> tuple[int, ...]:
        """For a draft: the target layers whose inputs it listens to."""
        ids, count = _bound["target_layer_ids"], _bound["target_layer_count"]
        if ids is None or count is None:
            return ()
        found = ids(self.pointer)
        return tuple(int(found[i]) for i in range(count(self.pointer))) if found else ()

    @property
    def mask_token(self) -> int:
        return int(C.llama_vocab_mask(self._vocabulary))

    @property
    def chat_template(self) -> str | None:
        text = C.llama_model_chat_template(self.pointer, None)
        return text.decode("utf-8") if text else None

    def special_piece(self, role: str) -> str:
        """Text of the "bos" or "eos" token; empty when the vocabulary has none."""
        token = C.llama_vocab_bos(self._vocabulary) if role == "bos" else C.llama_vocab_eos(self._vocabulary)
        return self.piece(token, show_control=True).decode("utf-8", "replace") if token != _NO_TOKEN else ""

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Every token that ends a turn."""
        return tuple(token for token in range(self.vocabulary_size) if C.llama_vocab_is_eog(self._vocabulary, token))

    def metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(1024)
        length = C.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else None

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of `text`, with the vocabulary's own start token where it asks for one."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        for _ in range(2):
            tokens = (C.llama_token * room)()
            count = C.llama_tokenize(self._vocabulary, data, len(data), tokens, room, True, parse_special)
            if count >= 0:
                return tuple(tokens[:count])
            room = -count
        raise EngineError("llama.cpp could not tokenize the text.")

    def piece(self, token: int, *, show_control: bool = False) -> bytes:
        """The bytes a token stands for; control tokens are empty unless asked for."""
        buffer = ctypes.create_string_buffer(256)
        length = C.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, show_control)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = C.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, show_control)
        return buffer.raw[: max(0, length)]


class Context:
    """A KV cache over a model, and the batches that feed it. One sequence, positions counted by the caller."""

    def __init__(
        self,
        model: Model,
        *,
        context_tokens: int,
        threads: int,
        outputs_max: int,
        other: "Context | None" = None,
    ) -> None:
        """`other` is the target's context, from which a draft borrows embeddings and output head.

        Raises OutOfMemory when the cache or the compute buffers find no room.
        """
        params = C.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = BATCH_ROWS
        params.n_seq_max = 1
        params.n_outputs_max = outputs_max
        params.n_threads = params.n_threads_batch = threads
        if other is not None:
            params.ctx_other = other.pointer
        _log.take()
        self.pointer = C.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise OutOfMemory(
                f"No room for a context of {context_tokens:,} tokens for {model.path.name}: {_log.take() or 'no reason given'}.",
                "Try a shorter context (--ctx) or fewer GPU layers (--gpu-layers).",
            )
        self.model = model
        self.vocabulary_size, self.width = model.vocabulary_size, model.width
        self._memory: Any = C.llama_get_memory(self.pointer)
        self._batch = _TokenBatch(BATCH_ROWS)
        self._rows: Any = C.llama_batch_ext_init(self.pointer)
        self._position = ctypes.c_int32()

    def close(self) -> None:
        if self.pointer:
            C.llama_batch_ext_free(self._rows)
            self._batch.close()
            C.llama_free(self.pointer)
            self.pointer = None

    @property
    def context_tokens(self) -> int:
        return int(C.llama_n_ctx(self.pointer))

    def decode(self, tokens: Sequence[int], start: int, *, all_rows: bool) -> None:
        """Run `tokens` at positions start, start + 1, ...; logits for every row, or for the last one only."""
        self._batch.fill(tokens, start, all_rows=all_rows)
        _check(C.llama_decode(self.pointer, self._batch.struct))

    def process_features(self, features: FloatArray, start: int) -> None:
        """Feed (n, layers * target width) feature rows to a draft, which writes its KV cache from them."""
        rows, add, place = self._rows, C.llama_batch_ext_add_embd, C.llama_batch_ext_set_pos
        C.llama_batch_ext_clear(rows)
        width, first = features.shape[1], features.ctypes.data
        position, where = self._position, ctypes.byref(self._position)
        for i in range(len(features)):
            row = ctypes.cast(first + i * width * 4, _FLOATS)
            index = add(rows, 0, C.llama_embd(row, 1, width))
            position.value = start + i
            place(rows, index, where)
        _check(C.llama_process(self.pointer, _DECODE, rows))

    def process_tokens(self, tokens: Sequence[int], start: int) -> None:
        """Run a draft's noise block; logits for every row."""
        rows = self._rows
        C.llama_batch_ext_clear(rows)
        for i, token in enumerate(tokens):
            index = C.llama_batch_ext_add_token(rows, 0, token)
            self._position.value = start + i
            C.llama_batch_ext_set_pos(rows, index, ctypes.byref(self._position))
            C.llama_batch_ext_set_output_logits(rows, index, True)
        _check(C.llama_process(self.pointer, _DECODE, rows))

    def logits(self, count: int) -> FloatArray:
        """(count, vocabulary) of the last pass: a view, overwritten by the next pass of this context."""
        return _view(C.llama_get_logits(self.pointer), count, self.vocabulary_size)

    def layer_inputs(self, layers: Sequence[int], count: int) -> FloatArray:
        """(count, layers * width) inputs of `layers` for the first `count` rows of the last pass: a copy."""
        width = self.width
        out = np.empty((count, len(layers) * width), np.float32)
        for i, layer in enumerate(layers):
            out[:, i * width : (i + 1) * width] = _view(_bound["get_layer_input"](self.pointer, layer), count, width)
        return out

    def confidences(self, count: int) -> FloatArray:
        """(count,) confidence of each row of the last noise block: a copy."""
        rows = _view(extension.llama_get_embeddings_nextn(self.pointer), count, self.width)
        return rows[:, 0].copy()

    def keep_layer_inputs(self, layers: Sequence[int]) -> None:
        for layer in layers:
            _bound["set_layer_input"](self.pointer, layer, True)

    def become_draft(self) -> None:
        """Give out confidences, and let the rows of a block see one another."""
        extension.llama_set_embeddings_nextn(self.pointer, True, True)
        C.llama_set_causal_attn(self.pointer, False)

    def remove_from(self, position: int) -> bool:
        """Drop everything at `position` and after it; False when this cache cannot."""
        return bool(C.llama_memory_seq_rm(self._memory, 0, position, -1))

    def clear(self) -> None:
        C.llama_memory_clear(self._memory, True)


class _TokenBatch:
    """A reusable llama_batch whose arrays are written through numpy."""

    def __init__(self, rows: int) -> None:
        self.struct = C.llama_batch_init(rows, 0, 1)
        for i in range(rows):
            self.struct.n_seq_id[i] = 1
            self.struct.seq_id[i][0] = 0
        self._token = np.ctypeslib.as_array(self.struct.token, (rows,))
        self._position = np.ctypeslib.as_array(self.struct.pos, (rows,))
        self._wants_logits = np.ctypeslib.as_array(self.struct.logits, (rows,))

    def fill(self, tokens: Sequence[int], start: int, *, all_rows: bool) -> None:
        count = len(tokens)
        self.struct.n_tokens = count
        self._token[:count] = tokens
        self._position[:count] = range(start, start + count)
        self._wants_logits[:count] = all_rows
        self._wants_logits[count - 1] = True

    def close(self) -> None:
        C.llama_batch_free(self.struct)


def _view(pointer: Any, rows: int, columns: int) -> FloatArray:
    """A (rows, columns) array over memory that llama.cpp owns."""
    if not pointer:
        raise EngineError("llama.cpp returned no output for the last pass.", "Reload the model; report it if it stays.")
    size = rows * columns
    memory = (ctypes.c_float * size).from_address(ctypes.addressof(pointer.contents))
    return np.frombuffer(memory, np.float32, size).reshape(rows, columns)


def _check(status: int) -> None:
    if status == 0:
        return
    if status == 1:
        raise ContextFull("The context is full.", "Start a new conversation or choose a longer context.")
    raise EngineError(f"llama.cpp failed in a pass (status {status}): {_log.take() or 'no reason given'}.")


def _progress_of(on_progress: Callable[[float], None] | None) -> Callable[[float, Any], bool]:
    def report(fraction: float, _: Any) -> bool:
        if on_progress is not None:
            on_progress(fraction)
        return True

    return report


def _load_failure(path: Path, said: str) -> EngineError:
    if "alloc" in said or "memory" in said:
        return OutOfMemory(f"No room to load {path.name}: {said}.", "Try a smaller quantization or fewer GPU layers.")
    return ModelLoadError(
        f"llama.cpp cannot load {path}: {said or 'no reason given'}.", "Is it a model for this build?"
    )


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
