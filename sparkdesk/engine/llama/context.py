"""A KV cache over a model: batches in, logits, layer inputs and confidences out, as numpy arrays."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as C
from llama_cpp import llama_cpp_ext as extension
from numpy.typing import NDArray

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import BATCH_ROWS
from sparkdesk.engine.llama.graph_norm import GraphNorm
from sparkdesk.engine.llama.library import bound, complaints
from sparkdesk.engine.llama.model import Model
from sparkdesk.engine.llama.row_batch import RowBatch
from sparkdesk.engine.rollback import FreeRollback, Rollback, StateRollback
from sparkdesk.engine.settings import CONTEXT_STEP_TOKENS
from sparkdesk.errors import ContextFull, EngineError, ModelLoadError, OutOfMemory

_DECODE, _ENCODE = C.LLAMA_PROCESS_TYPE_DECODE, C.LLAMA_PROCESS_TYPE_ENCODE
_PARTIAL = C.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
_BYTES: Any = ctypes.POINTER(ctypes.c_uint8)
F16 = "f16"
CACHE_TYPES = {F16: C.GGML_TYPE_F16, "q8_0": C.GGML_TYPE_Q8_0, "q4_0": C.GGML_TYPE_Q4_0}
"""What a KV cache may hold keys and values in."""
_FEW_ROWS = 32
"""More than any verify pass has; fewer than any step of a prompt but its last."""


class Context:
    """A KV cache over a model, and the batches that feed it. One sequence, positions counted by the caller."""

    def __init__(
        self,
        model: Model,
        *,
        context_tokens: int,
        threads: int,
        batch_threads: int = 0,
        outputs_max: int,
        batch_rows: int = BATCH_ROWS,
        other: "Context | None" = None,
        keeps_whole_window: bool = True,
        rollback_states: int | None = None,
        cache_type: str = F16,
        is_mtp: bool = False,
        graph_norm: GraphNorm | None = None,
    ) -> None:
        """`other` is the target's context, from which a draft borrows embeddings and output head.

        Passes of a few rows, such as a verify pass, run on `threads`; a prompt on `batch_threads`, 0 for as many.

        It holds `context_tokens`, rounded up to a whole step of CONTEXT_STEP_TOKENS. A pass has at most `batch_rows`
        rows, and logits of at most `outputs_max` of them.

        Without `keeps_whole_window`, sliding-window layers keep little more than their window: less memory, and a
        conversation cannot be cut back by more than that.

        `rollback_states`: earlier states to keep of recurrent layers, so that the last rows can be cut off again; None
        for a model without such layers. llama.cpp may grant fewer.

        `cache_type`: of keys and values, one of CACHE_TYPES.

        `is_mtp`: runs only the layer that predicts further tokens, not the model.

        `graph_norm`: norms that its graph lacks.

        Raises OutOfMemory when the cache or the compute buffers find no room, ModelLoadError where the model cannot
        have a cache of that type.
        """
        params = C.llama_context_default_params()
        _set_size(params, context_tokens, batch_rows=batch_rows, outputs_max=outputs_max)
        _set_cache(params, cache_type, keeps_whole_window=keeps_whole_window, rollback_states=rollback_states)
        self._graph_norm = graph_norm
        if graph_norm is not None:
            params.cb_eval = graph_norm.callback
        if is_mtp:
            params.ctx_type = C.LLAMA_CONTEXT_TYPE_MTP
        self._threads = self._used_threads = threads
        self._batch_threads = batch_threads or threads
        params.n_threads = params.n_threads_batch = threads
        if other is not None:
            params.ctx_other = other.pointer
        self.pointer: Any = _opened(model, params, context_tokens=context_tokens, cache_type=cache_type)
        self.model = model
        self._outputs_max = outputs_max
        self._batch_rows = int(C.llama_n_batch(self.pointer))
        self.vocabulary_size, self.width = model.vocabulary_size, model.width
        self.hidden_width = model.hidden_width
        self._memory: Any = C.llama_get_memory(self.pointer)
        self._window = model.window_tokens
        self._rollback: Rollback = FreeRollback()
        if rollback_states is not None:
            self._rollback = StateRollback(int(C.llama_n_rs_seq(self.pointer)))
        self._suppressed = np.array(model.suppressed_tokens, np.intp)
        self._batch = _TokenBatch(batch_rows)
        self._rows = RowBatch(self.pointer)

    def close(self) -> None:
        if self.pointer:
            self._rows.close()
            self._batch.close()
            C.llama_free(self.pointer)
            self.pointer = None

    @property
    def context_tokens(self) -> int:
        return int(C.llama_n_ctx(self.pointer))

    def use_threads(self, threads: int) -> None:
        """For passes of a few rows, from now on."""
        C.llama_set_n_threads(self.pointer, threads, threads)
        self._threads = self._used_threads = threads

    def _prepare_pass(self, rows: int) -> None:
        """Threads for so many rows. Raises ValueError where llama.cpp would end the process."""
        if not 0 < rows <= self._batch_rows:
            raise ValueError(f"a pass of {rows} rows; this context takes 1 to {self._batch_rows}")
        self._set_threads(rows)

    def _set_threads(self, rows: int) -> None:
        """To llama.cpp every pass of more than one row is a batch; to us, what verifies or drafts is not."""
        wanted = self._threads if rows <= _FEW_ROWS else self._batch_threads
        if wanted != self._used_threads:
            C.llama_set_n_threads(self.pointer, self._threads, wanted)
            self._used_threads = wanted

    def decode(self, tokens: Sequence[int], start: int, *, all_rows: bool) -> None:
        """Run `tokens` at positions start, start + 1, ...; logits for every row, or for the last one only."""
        if all_rows and len(tokens) > self._outputs_max:  # llama.cpp would end the process
            raise ValueError(f"logits of {len(tokens)} rows; there is room for {self._outputs_max}")
        self._prepare_pass(len(tokens))
        self._batch.fill(tokens, start, all_rows=all_rows)
        self._rollback.failed()  # until it is known better
        _check(C.llama_decode(self.pointer, self._batch.struct))
        self._rollback.passed(len(tokens))

    def process_features(self, features: FloatArray, start: int) -> None:
        """Feed (n, layers * target width) feature rows to a draft, which writes its KV cache from them."""
        self._process(_DECODE, None, features, start, wants_logits=False)

    def process_tokens(self, tokens: Sequence[int], start: int) -> None:
        """Run a draft's noise block; logits for every row."""
        self._process(_DECODE, tokens, None, start, wants_logits=True)

    def process_pairs(self, tokens: Sequence[int], rows: FloatArray, start: int, *, wants_logits: bool) -> None:
        """Run tokens, each together with a hidden state (n, width); logits and hidden states for every row, or none.

        The graphs of sequential drafts do not gather rows: to ask for the last one alone gives the first.
        """
        self._process(_DECODE, tokens, rows, start, wants_logits=wants_logits)

    def encode(self, rows: FloatArray) -> FloatArray:
        """(n, width) of what a draft's encoder makes of (n, features) rows: a copy."""
        # Positions that mean nothing must continue the cache all the same (`llama-batch.cpp`).
        self._process(_ENCODE, None, rows, self._end, wants_logits=True)
        return self.hidden_rows(len(rows))

    def _process(
        self, kind: int, tokens: Sequence[int] | None, rows: FloatArray | None, start: int, *, wants_logits: bool
    ) -> None:
        self._prepare_pass(len(tokens) if tokens is not None else len(rows) if rows is not None else 0)
        self._rows.fill(tokens, rows, start, wants_logits=wants_logits)
        _check(C.llama_process(self.pointer, kind, self._rows.pointer))

    def logits(self, count: int) -> FloatArray:
        """(count, vocabulary) of the last pass: a view, overwritten by the next pass of this context.

        Tokens the model must never say are impossible in it.
        """
        rows = _view(C.llama_get_logits(self.pointer), count, self.vocabulary_size)
        if len(self._suppressed):
            rows[:, self._suppressed] = -np.inf
        return rows

    def layer_inputs(self, layers: Sequence[int], count: int) -> FloatArray:
        """(count, layers * width) inputs of `layers` for the first `count` rows of the last pass: a copy."""
        width = self.width
        out = np.empty((count, len(layers) * width), np.float32)
        for i, layer in enumerate(layers):
            out[:, i * width : (i + 1) * width] = _view(bound["get_layer_input"](self.pointer, layer), count, width)
        return out

    def confidences(self, count: int) -> FloatArray:
        """(count,) confidence of each row of the last noise block: a copy."""
        rows = _view(extension.llama_get_embeddings_nextn(self.pointer), count, self.width)
        return rows[:, 0].copy()

    def hidden_rows(self, count: int) -> FloatArray:
        """(count, width) hidden states of the first `count` rows of the last pass: a copy."""
        return _view(extension.llama_get_embeddings_nextn(self.pointer), count, self.hidden_width).copy()

    def give_hidden_rows(self, *, of_all_rows: bool) -> None:
        """From the next pass on: of every row, or of those whose logits are asked for."""
        extension.llama_set_embeddings_nextn(self.pointer, True, not of_all_rows)

    def keep_layer_inputs(self, layers: Sequence[int]) -> None:
        for layer in layers:
            bound["set_layer_input"](self.pointer, layer, True)

    def become_draft(self) -> None:
        """Give out confidences, and let the rows of a block see one another."""
        self.give_hidden_rows(of_all_rows=False)
        C.llama_set_causal_attn(self.pointer, False)

    def remove_from(self, position: int) -> bool:
        """Drop everything at `position` and after it; False when this cache cannot.

        A sliding-window cache says it can, and then lacks rows the window of the next token reaches back to. A cache of
        recurrent states says it can, and then holds the state of another position: see rollback.py.
        """
        if self._window and not self.holds_window_before(position, self.first_position):
            return False
        if not self._rollback.cut(self._end - position):
            return False
        return bool(C.llama_memory_seq_rm(self._memory, 0, position, -1))

    @property
    def _end(self) -> int:
        return int(C.llama_memory_seq_pos_max(self._memory, 0)) + 1

    @property
    def rollback_rows(self) -> int:
        """Rows that may be cut off after any pass that had more of them."""
        return self._rollback.most_rows

    @property
    def needs_checkpoints(self) -> bool:
        """Whether it can be cut back further only to a checkpoint."""
        return isinstance(self._rollback, StateRollback)

    def checkpoint(self) -> NDArray[np.uint8]:
        """A copy of the recurrent states alone; what attention layers hold stays where it is."""
        size = int(C.llama_state_seq_get_size_ext(self.pointer, 0, _PARTIAL))
        data = np.empty(size, np.uint8)
        C.llama_state_seq_get_data_ext(self.pointer, data.ctypes.data_as(_BYTES), size, 0, _PARTIAL)
        return data

    def rewind(self, checkpoint: NDArray[np.uint8], length: int) -> bool:
        """Go back to a checkpoint that was taken at `length` positions, all of which are still there; False, and
        nothing at all, where llama.cpp cannot."""
        data = checkpoint.ctypes.data_as(_BYTES)
        is_back = C.llama_state_seq_set_data_ext(self.pointer, data, len(checkpoint), 0, _PARTIAL)
        if is_back and C.llama_memory_seq_rm(self._memory, 0, length, -1):
            self._rollback.reset()
            return True
        self.clear()
        return False

    @property
    def first_position(self) -> int:
        """Of the oldest token that all layers still hold; -1 where there is none."""
        return int(C.llama_memory_seq_pos_min(self._memory, 0))

    def holds_window_before(self, position: int, first_position: int) -> bool:
        """Whether a cache whose oldest token is `first_position` has all that the token at `position` looks back to."""
        return not self._window or 0 <= first_position <= max(0, position - self._window)

    @property
    def state_bytes(self) -> int:
        return int(C.llama_state_seq_get_size(self.pointer, 0))

    def save(self) -> NDArray[np.uint8]:
        """A copy of all that the cache holds."""
        size = self.state_bytes
        data = np.empty(size, np.uint8)
        C.llama_state_seq_get_data(self.pointer, data.ctypes.data_as(_BYTES), size, 0)
        return data

    def restore(self, data: NDArray[np.uint8]) -> bool:
        """Hold what was saved and nothing else; False, and nothing at all, where llama.cpp cannot."""
        self.clear()
        if C.llama_state_seq_set_data(self.pointer, data.ctypes.data_as(_BYTES), len(data), 0):
            self._rollback.reset()
            return True
        self.clear()
        return False

    def clear(self) -> None:
        C.llama_memory_clear(self._memory, True)
        self._rollback.reset()


def _set_size(params: Any, context_tokens: int, *, batch_rows: int, outputs_max: int) -> None:
    # llama.cpp rounds a context up to whole steps, but not the size of a pass: asked for 40 tokens, it holds 256
    # and ends the process at a prompt of 65.
    params.n_ctx = max(1, -(-context_tokens // CONTEXT_STEP_TOKENS)) * CONTEXT_STEP_TOKENS
    params.n_batch = params.n_ubatch = batch_rows
    params.n_seq_max = 1
    params.n_outputs_max = outputs_max


def _set_cache(params: Any, cache_type: str, *, keeps_whole_window: bool, rollback_states: int | None) -> None:
    params.swa_full = keeps_whole_window
    params.n_rs_seq = rollback_states or 0
    params.type_k = params.type_v = CACHE_TYPES[cache_type]
    if cache_type != F16:  # quantized values cannot be read by anything else
        params.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_ENABLED


def _opened(model: Model, params: Any, *, context_tokens: int, cache_type: str) -> Any:
    """Raises ModelLoadError for a type the model's cache cannot have, OutOfMemory."""
    complaints.take()
    pointer = C.llama_init_from_model(model.pointer, params)
    if pointer:
        return pointer
    said = complaints.take() or "no reason given"
    if "cache type" in said or "flash_attn" in said:
        raise ModelLoadError(
            f"{model.path.name} cannot have a KV cache of type {cache_type}: {said}.", "Use --cache-type f16."
        )
    raise OutOfMemory(
        f"No room for a context of {context_tokens:,} tokens for {model.path.name}: {said}.",
        "Try a shorter context (--ctx) or fewer GPU layers (--gpu-layers).",
    )


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
    memory: Any = (ctypes.c_float * size).from_address(ctypes.addressof(pointer.contents))
    flat: FloatArray = np.frombuffer(memory, np.float32, size)
    return flat.reshape(rows, columns)


def _check(status: int) -> None:
    if status == 0:
        return
    if status == 1:
        raise ContextFull("The context is full.", "Start a new conversation or choose a longer context.")
    raise EngineError(f"llama.cpp failed in a pass (status {status}): {complaints.take() or 'no reason given'}.")
