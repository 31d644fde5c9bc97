"""llama.cpp's grammar over a vocabulary: which tokens may come next, and what follows from one that came."""

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as C
from numpy.typing import NDArray

from sparkdesk.engine.llama.library import complaints
from sparkdesk.engine.llama.model import Model
from sparkdesk.engine.sampling import Ids
from sparkdesk.errors import GrammarError

_ROOT = "root"
_USUAL_STEP_S, _MOST_SLOWNESS_S = 0.2, 1.5
"""A whole vocabulary takes a tenth of a second. An ambiguous grammar that takes longer soon takes for ever: what all
steps of a reply take beyond the usual is bounded."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_SAID_BYTES = 4096


class Grammar:
    """One state of a grammar; `copy` makes another that goes its own way. Close each."""

    def __init__(self, model: Model, gbnf: str) -> None:
        """Raises GrammarError with llama.cpp's own words where it cannot use the grammar."""
        self._slowness = _Slowness()
        complaints.take()
        vocabulary = C.llama_model_get_vocab(model.pointer)
        with _stderr_apart() as said:
            text = gbnf.encode("utf-8", "replace")
            self._pointer: Any = C.llama_sampler_init_grammar(vocabulary, text, _ROOT.encode())
        if not self._pointer:
            raise GrammarError(
                f"The grammar cannot be used: {_reason(said) or complaints.take() or 'no reason given'}.",
                "It must be GBNF as llama.cpp reads it, without left recursion, and begin with a rule named root.",
            )

    def close(self) -> None:
        if self._pointer:
            C.llama_sampler_free(self._pointer)
            self._pointer = None

    def allowed(self, ids: Ids) -> NDArray[np.bool_]:
        """(len(ids),) which of these tokens may come next; end tokens where the grammar may end."""
        began = perf_counter()
        candidates = np.zeros(len(ids), _CANDIDATE)
        candidates["id"] = ids
        data = ctypes.cast(candidates.ctypes.data, C.llama_token_data_p)
        array = C.llama_token_data_array(data=data, size=len(ids), selected=-1, sorted=False)
        C.llama_sampler_apply(self._pointer, ctypes.byref(array))
        self._slowness.add(perf_counter() - began)
        may: NDArray[np.bool_] = candidates["logit"] == 0
        return may

    def accept(self, token: int) -> None:
        """Go on after `token`, which must be allowed: llama.cpp ends the process over one that is not."""
        began = perf_counter()
        C.llama_sampler_accept(self._pointer, token)
        self._slowness.add(perf_counter() - began)

    def copy(self) -> "Grammar":
        other = Grammar.__new__(Grammar)
        began = perf_counter()
        other._pointer, other._slowness = C.llama_sampler_clone(self._pointer), self._slowness
        self._slowness.add(perf_counter() - began)
        return other


@dataclass(slots=True)
class _Slowness:
    """Of a grammar and all its copies."""

    total_s: float = 0.0

    def add(self, step_s: float) -> None:
        """Raises GrammarError where it has become too much."""
        self.total_s += max(0.0, step_s - _USUAL_STEP_S)
        if self.total_s > _MOST_SLOWNESS_S:
            raise GrammarError(
                f"The grammar is too ambiguous: one step of it took {step_s:.1f} seconds.",
                "Write it so that few of its rules can match the same text.",
            )


@contextlib.contextmanager
def _stderr_apart() -> Iterator[list[bytes]]:
    """What is written to the process's stderr meanwhile: llama.cpp prints a grammar it cannot read, and a grammar is
    the user's text, which does not belong into a bug report."""
    said: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read(_SAID_BYTES))


def _reason(said: list[bytes]) -> str:
    """Of "parse: error parsing grammar: expecting ')' at ...", followed by the whole of it."""
    first = said[0].decode("utf-8", "replace").split("\n\n")[0].strip() if said else ""
    reason = first.split("error parsing grammar: ", 1)[-1]
    return " ".join(reason.split())[:160]
