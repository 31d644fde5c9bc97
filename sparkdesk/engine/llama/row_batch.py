"""llama.cpp's extended batch: rows of tokens, of hidden states, or of both."""

import ctypes
from collections.abc import Sequence
from typing import Any

from llama_cpp import llama_cpp as C

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.llama.library import FLOATS


class RowBatch:
    """Reusable; belongs to one context."""

    def __init__(self, context: Any) -> None:
        self.pointer: Any = C.llama_batch_ext_init(context)
        self._position = ctypes.c_int32()

    def close(self) -> None:
        C.llama_batch_ext_free(self.pointer)

    def fill(
        self, tokens: Sequence[int] | None, rows: FloatArray | None, start: int, *, wants_logits: bool, step: int = 1
    ) -> None:
        """`tokens` (n,) and `rows` (n, width), one of them or both, at positions start, start + step, ...

        The rows must stay where they are until the pass is done.
        """
        batch, where = self.pointer, ctypes.byref(self._position)
        place, wants = C.llama_batch_ext_set_pos, C.llama_batch_ext_set_output_logits
        C.llama_batch_ext_clear(batch)
        count = len(tokens) if tokens is not None else len(rows) if rows is not None else 0
        width, first = (rows.shape[1], rows.ctypes.data) if rows is not None else (0, 0)
        for i in range(count):
            row = C.llama_embd(ctypes.cast(first + i * width * 4, FLOATS), 1, width) if width else None
            if tokens is None:
                index = C.llama_batch_ext_add_embd(batch, 0, row)
            else:
                index = C.llama_batch_ext_add_token(batch, 0, tokens[i])
                if width:
                    C.llama_batch_ext_set_embd_token(batch, index, row)
            self._position.value = start + i * step
            place(batch, index, where)
            if wants_logits:
                wants(batch, index, True)
