"""Which memory parts of a model go to, where that is not left to llama.cpp: experts, and one card of several."""

import ctypes
from dataclasses import dataclass
from typing import Any

from llama_cpp import llama_cpp as C

EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""The expert tensors of a layer, as llama.cpp's --cpu-moe finds them (common/common.h)."""


class _Override(ctypes.Structure):
    """llama_model_tensor_buft_override, which the package does not bind."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def expert_overrides(layers: int) -> Any:
    """For llama_model_params.tensor_buft_overrides: the experts of the first `layers` layers stay with the processor.

    None where there is nothing to override. The array must live until the model is loaded.
    """
    count = min(layers, int(C.llama_max_tensor_buft_overrides()) - 1)
    if count <= 0:
        return None
    find = C._lib.ggml_backend_cpu_buffer_type
    find.argtypes, find.restype = [], ctypes.c_void_p
    processor = find()
    array = (_Override * (count + 1))()  # a zero one ends it
    for layer in range(count):
        array[layer] = _Override(f"blk\\.{layer}{EXPERTS}".encode(), processor)
    return array


@dataclass(frozen=True, slots=True)
class Cards:
    """Which of several graphics cards a model lies on."""

    split: tuple[float, ...] = ()
    """Shares by card; empty: by their free memory."""
    only: int = -1
    """The one card it lies on; -1: as many as the split says."""

    def of_draft(self, count: int) -> "Cards":
        """The card, of `count`, that the target's last layers are on: a draft is too small to be spread.

        llama.cpp hands out layers in the order of the cards, so it is the last one with a share; without a split every
        card has one.
        """
        if self.only >= 0 or count <= 1:
            return self
        with_share = [i for i, share in enumerate(self.split[:count]) if share > 0]
        return Cards(only=with_share[-1] if with_share else count - 1)

    def apply(self, params: Any) -> Any:
        """Sets llama_model_params; what is returned must live until the model is loaded."""
        if self.only >= 0:
            params.split_mode, params.main_gpu = C.LLAMA_SPLIT_MODE_NONE, self.only
            return None
        if not self.split:
            return None
        shares = (ctypes.c_float * int(C.llama_max_devices()))(*self.split)
        params.split_mode, params.tensor_split = C.LLAMA_SPLIT_MODE_LAYER, shares
        return shares


ALL_CARDS = Cards()
