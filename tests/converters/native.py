"""The least of llama.cpp that parity needs: target logits and features, draft logits and confidences."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as c
from llama_cpp import llama_cpp_ext as ext
from numpy.typing import NDArray

_FLOATS = ctypes.POINTER(ctypes.c_float)
_SILENT = c.llama_log_callback(lambda *_: None)


def _bind(name: str, arguments: list[Any], result: Any) -> Any:
    function = getattr(c._lib, name)
    function.argtypes, function.restype = arguments, result
    return function


_set_layer = _bind(
    "_Z30llama_set_embeddings_layer_inpP13llama_contextjb", [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_bool], None
)
_get_layer = _bind("_Z30llama_get_embeddings_layer_inpP13llama_contextj", [ctypes.c_void_p, ctypes.c_uint32], _FLOATS)
_layer_ids = _bind("_Z28llama_model_target_layer_idsPK11llama_model", [ctypes.c_void_p], ctypes.POINTER(ctypes.c_int32))
_layer_count = _bind("_Z30llama_model_target_layer_ids_nPK11llama_model", [ctypes.c_void_p], ctypes.c_uint32)
_mask_token = _bind("llama_vocab_mask", [ctypes.c_void_p], ctypes.c_int32)


@contextmanager
def loaded(path: Path, *, vocabulary_only: bool = False) -> Iterator[Any]:
    c.llama_log_set(_SILENT, ctypes.c_void_p(0))
    params = c.llama_model_default_params()
    params.n_gpu_layers = 0
    params.vocab_only = vocabulary_only
    params.use_extra_bufts = False  # AMX kernels built by GCC 12 crash on quantized weights
    model = c.llama_model_load_from_file(str(path).encode(), params)
    assert model, f"llama.cpp cannot load {path}"
    try:
        yield model
    finally:
        c.llama_model_free(model)


@contextmanager
def _context(model: Any, other: Any = None) -> Iterator[Any]:
    params = c.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 256, 256, 256, 1
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = 0  # F32: only the weights may differ from the reference
    params.flash_attn_type = 0
    params.ctx_other = other
    context = c.llama_init_from_model(model, params)
    assert context
    try:
        yield context
    finally:
        c.llama_free(context)


@dataclass(frozen=True, slots=True)
class TargetRun:
    logits: NDArray[np.float32]  # (rows, vocab)
    features: NDArray[np.float32]  # (rows, layers * hidden)


class NativeTarget:
    def __init__(self, model: Any, context: Any) -> None:
        self.model, self.context = model, context
        self.vocab = c.llama_vocab_n_tokens(c.llama_model_get_vocab(model))
        self.width = c.llama_model_n_embd(model)

    def run(self, tokens: Sequence[int], layers: Sequence[int] = ()) -> TargetRun:
        for layer in layers:
            _set_layer(self.context, layer, True)
        batch = c.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, True
            batch.seq_id[i][0] = 0
        assert c.llama_decode(self.context, batch) == 0
        c.llama_batch_free(batch)
        rows = len(tokens)
        logits = np.ctypeslib.as_array(c.llama_get_logits(self.context), shape=(rows, self.vocab)).copy()
        read = [np.ctypeslib.as_array(_get_layer(self.context, i), shape=(rows, self.width)) for i in layers]
        return TargetRun(logits, np.concatenate(read, axis=1) if read else np.empty((rows, 0), np.float32))


class NativeDraft:
    def __init__(self, model: Any, context: Any, vocab: int) -> None:
        self.context, self.vocab = context, vocab
        self.width = c.llama_model_n_embd(model)
        self.layers = [_layer_ids(model)[i] for i in range(_layer_count(model))]
        self.mask = _mask_token(c.llama_model_get_vocab(model))
        ext.llama_set_embeddings_nextn(context, True, True)
        c.llama_set_causal_attn(context, False)

    def absorb(self, features: NDArray[np.float32]) -> None:
        features = np.ascontiguousarray(features, np.float32)
        batch = c.llama_batch_ext_init(self.context)
        for position, row in enumerate(features):
            i = c.llama_batch_ext_add_embd(batch, 0, c.llama_embd(row.ctypes.data_as(_FLOATS), 1, len(row)))
            c.llama_batch_ext_set_pos(batch, i, ctypes.byref(ctypes.c_int32(position)))
        assert c.llama_process(self.context, 1, batch) == 0

    def propose(self, anchor: int, start: int, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (length, vocab) and confidences (length,)."""
        batch = c.llama_batch_ext_init(self.context)
        for offset in range(length):
            i = c.llama_batch_ext_add_token(batch, 0, self.mask if offset else anchor)
            c.llama_batch_ext_set_pos(batch, i, ctypes.byref(ctypes.c_int32(start + offset)))
            c.llama_batch_ext_set_output_logits(batch, i, True)
        assert c.llama_process(self.context, 1, batch) == 0
        logits = np.ctypeslib.as_array(c.llama_get_logits(self.context), shape=(length, self.vocab)).copy()
        nextn = np.ctypeslib.as_array(ext.llama_get_embeddings_nextn(self.context), shape=(length, self.width))
        c.llama_memory_seq_rm(c.llama_get_memory(self.context), 0, start, -1)
        return logits, nextn[:, 0].copy()


@contextmanager
def running_target(path: Path) -> Iterator[NativeTarget]:
    with loaded(path) as model, _context(model) as context:
        yield NativeTarget(model, context)


@contextmanager
def running_pair(target_path: Path, draft_path: Path) -> Iterator[tuple[NativeTarget, NativeDraft]]:
    with running_target(target_path) as target, loaded(draft_path) as model:
        with _context(model, other=target.context) as context:
            yield target, NativeDraft(model, context, target.vocab)


def tokenize(path: Path, text: str, *, parse_special: bool) -> list[int]:
    with loaded(path, vocabulary_only=True) as model:
        vocab = c.llama_model_get_vocab(model)
        raw = text.encode()
        out = (ctypes.c_int32 * (len(raw) + 8))()
        count = c.llama_tokenize(vocab, raw, len(raw), out, len(out), False, parse_special)
        return list(out[:count])


def end_tokens(path: Path) -> list[int]:
    with loaded(path, vocabulary_only=True) as model:
        vocab = c.llama_model_get_vocab(model)
        return [token for token in range(c.llama_vocab_n_tokens(vocab)) if c.llama_vocab_is_eog(vocab, token)]
