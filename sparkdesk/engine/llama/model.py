"""The weights of one GGUF file, and its vocabulary."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as C

from sparkdesk.engine.llama.library import bound, complaints, start
from sparkdesk.engine.llama.placing import ALL_CARDS, Cards, expert_overrides
from sparkdesk.errors import EngineError, ModelLoadError, OutOfMemory

_EVERYTHING = 999
_NO_TOKEN = -1


class Model:
    """The weights of one GGUF file in memory."""

    def __init__(
        self,
        path: Path,
        *,
        gpu_layers: int,
        use_extra_buffers: bool,
        on_progress: Callable[[float], None] | None = None,
        cpu_experts: int = 0,
        cards: Cards = ALL_CARDS,
        loads_mtp: bool = False,
    ) -> None:
        """`cpu_experts`: so many of the first layers leave the weights of their experts with the processor.

        `loads_mtp`: with the layers that predict further tokens, where the file has some.

        Raises ModelLoadError or OutOfMemory with llama.cpp's own words."""
        start()
        params = C.llama_model_default_params()
        params.n_gpu_layers = _EVERYTHING if gpu_layers < 0 else gpu_layers
        params.use_extra_bufts = use_extra_buffers
        params.load_mtp = loads_mtp
        overrides = expert_overrides(cpu_experts)  # kept alive until the model is loaded, as is the split
        if overrides is not None:
            params.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        split = cards.apply(params)
        report = C.llama_progress_callback(_progress_of(on_progress))
        params.progress_callback = report
        complaints.take()
        self.path = path
        self.pointer: Any = C.llama_model_load_from_file(os.fsencode(path), params)
        del overrides, split
        if not self.pointer:
            raise _load_failure(path, complaints.take())
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
    def hidden_width(self) -> int:
        """Size of the hidden states it gives out, which a draft may project to its target's."""
        return int(C.llama_model_n_embd_out(self.pointer))

    @property
    def mtp_layer_count(self) -> int:
        """Layers that predict further tokens."""
        return int(C.llama_model_n_layer_nextn(self.pointer))

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
        ids, count = bound["target_layer_ids"], bound["target_layer_count"]
        if ids is None or count is None:
            return ()
        found = ids(self.pointer)
        return tuple(int(found[i]) for i in range(count(self.pointer))) if found else ()

    @property
    def mask_token(self) -> int:
        return int(C.llama_vocab_mask(self._vocabulary))

    def text(self, token: int) -> str:
        """How the file spells a token."""
        found: bytes | None = C.llama_vocab_get_text(self._vocabulary, token)
        return (found or b"").decode("utf-8", "replace")

    def first_difference(self, other: "Model") -> int | None:
        """The first token that both vocabularies have and spell differently; unused ones of either do not count."""
        text, attributes = C.llama_vocab_get_text, C.llama_vocab_get_attr
        unused = C.LLAMA_TOKEN_ATTR_UNUSED | C.LLAMA_TOKEN_ATTR_UNKNOWN
        ours, theirs = self._vocabulary, other._vocabulary
        for token in range(min(self.vocabulary_size, other.vocabulary_size)):
            if text(ours, token) != text(theirs, token) and not (
                attributes(ours, token) & unused or attributes(theirs, token) & unused
            ):
                return token
        return None

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
        """Every token that llama.cpp takes for the end of a turn, some by their names alone."""
        return tuple(token for token in range(self.vocabulary_size) if C.llama_vocab_is_eog(self._vocabulary, token))

    @property
    def suppressed_tokens(self) -> tuple[int, ...]:
        """Tokens the model must never say (GGUF key tokenizer.ggml.suppress_tokens)."""
        count = ctypes.c_int32()
        found = C.llama_vocab_get_suppress_tokens(self._vocabulary, ctypes.byref(count))
        return tuple(int(found[i]) for i in range(count.value)) if found else ()

    @property
    def has_recurrent_layers(self) -> bool:
        """Whether some or all of its layers hold one state instead of keys and values of each token."""
        return bool(C.llama_model_is_recurrent(self.pointer) or C.llama_model_is_hybrid(self.pointer))

    @property
    def window_tokens(self) -> int:
        """How far back the sliding-window layers look; 0 for a model without such layers."""
        return int(C.llama_model_n_swa(self.pointer))

    def metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(1024)
        length = C.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else None

    def tokenize(self, text: str, *, parse_special: bool, add_special: bool = True) -> tuple[int, ...]:
        """Token ids of `text`; with `add_special` behind the vocabulary's own start token where it asks for one."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        for _ in range(2):
            tokens = (C.llama_token * room)()
            count = C.llama_tokenize(self._vocabulary, data, len(data), tokens, room, add_special, parse_special)
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
