"""From text to token ids as the model's file means it, where llama.cpp goes by names or does less.

- llama.cpp takes tokens such as `</s>` for control tokens that end a reply because of their names. Here a token is what
  `tokenizer.ggml.token_type` says, and an end what the file names as one.
- Text is normalized where the tokenizer does so (tokenizer.json's `normalizer`; Qwen's is NFC), outside special tokens.
- A piece that holds LITERAL is text: that is how a prompt says that `<|im_end|>` was typed and is no end of a turn.
"""

import mmap
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.special_text import LITERAL, PieceFinder

NORMALIZER_KEY = "sparkdesk.tokenizer.normalizer"
"""Written by our converters: the Unicode form, or "none"."""
NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]
_NORMAL_FORMS: tuple[NormalForm, ...] = ("NFC", "NFD", "NFKC", "NFKD")
_NFC_PRE_TOKENIZERS = ("qwen2", "qwen35")
"""Files of other converters do not say it; these are the names llama.cpp has for tokenizers that do so."""

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
_TYPES_KEY = b"tokenizer.ggml.token_type"
_END_KEYS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
_ARRAY, _INT32 = 9, 5
_MOST_HEADER_BYTES = 256_000_000
"""A file may have no such key, and tens of gigabytes behind its header."""


class VocabularyPart(Protocol):
    """What is needed of a loaded model."""

    path: Path

    @property
    def vocabulary_size(self) -> int: ...
    @property
    def end_tokens(self) -> tuple[int, ...]: ...
    def metadata(self, key: str) -> str | None: ...
    def tokenize(self, text: str, *, parse_special: bool, add_special: bool = True) -> tuple[int, ...]: ...
    def piece(self, token: int, *, show_control: bool = False) -> bytes: ...


class Tokenizer:
    """Of one model. Its pieces are asked for once."""

    def __init__(self, model: VocabularyPart) -> None:
        self._model = model
        types = read_token_types(model.path, model.vocabulary_size)
        named_ends = model.end_tokens
        self.end_tokens = named_ends if types is None else _ends_of(model, named_ends, types)
        """Every token that ends a turn, in order."""
        misread = [] if types is None else [token for token in named_ends if types[token] not in (_UNKNOWN, _CONTROL)]
        self._shown = frozenset(misread) - frozenset(self.end_tokens)
        """llama.cpp would write nothing for them."""
        is_user_defined = {token for token in misread if types is not None and types[token] == _USER_DEFINED}
        control = [] if types is None else np.flatnonzero((types == _CONTROL) | (types == _UNKNOWN)).tolist()
        user_defined = [] if types is None else np.flatnonzero(types == _USER_DEFINED).tolist()
        self.control_pieces = self._pieces(control)
        """Texts that become control tokens."""
        self._control = PieceFinder(self.control_pieces)
        self._form = _normal_form(model)
        self._misread_text = frozenset(self._pieces([token for token in misread if token not in is_user_defined]))
        self._misread_special = frozenset(self._pieces(sorted(is_user_defined)))
        others = self._pieces(user_defined) if self._form is not None else ()
        self._all = PieceFinder((*self.control_pieces, *self._misread_text, *self._misread_special, *others))

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of `text`, behind the vocabulary's own start token where it asks for one."""
        if not self._needs_care(text, parse_special=parse_special):
            return self._model.tokenize(text, parse_special=parse_special)
        segments = self._segments(text, parse_special=parse_special)
        tokens = self._model.tokenize("", parse_special=False)
        for is_parsed, run in groupby(segments, key=lambda segment: segment[1]):
            chunk = "".join(part for part, _ in run)
            tokens += self._model.tokenize(chunk, parse_special=is_parsed, add_special=False)
        return tokens

    def piece(self, token: int, *, show_control: bool = False) -> bytes:
        return self._model.piece(token, show_control=show_control or token in self._shown)

    def _needs_care(self, text: str, *, parse_special: bool) -> bool:
        if LITERAL in text or (self._form is not None and not unicodedata.is_normalized(self._form, text)):
            return True
        misread = self._misread_text if parse_special else self._misread_special
        return any(piece in text for piece in misread)

    def _segments(self, text: str, *, parse_special: bool) -> Iterator[tuple[str, bool]]:
        """Parts of the text, and whether llama.cpp may look for special tokens in them; cut at special tokens only."""
        start = 0
        for begin, end in self._all.find(text):
            piece = text[begin:end]
            if piece in self._misread_text or (not parse_special and piece in self._control.pieces):
                continue
            yield from self._plain(text[start:begin])
            yield piece, True
            start = end
        yield from self._plain(text[start:])

    def _plain(self, text: str) -> Iterator[tuple[str, bool]]:
        """Text that holds no special token, whatever it looks like."""
        text = text.replace(LITERAL, "")
        if text:
            yield unicodedata.normalize(self._form, text) if self._form is not None else text, False

    def _pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        pieces = (self._model.piece(token, show_control=True).decode("utf-8", "replace") for token in tokens)
        return tuple(piece for piece in pieces if piece)


def read_token_types(path: Path, count: int) -> NDArray[np.int32] | None:
    """(count,) the types that the file gives its tokens, before llama.cpp changes any; None where it gives none."""
    needle = struct.pack("<Q", len(_TYPES_KEY)) + _TYPES_KEY + struct.pack("<IIQ", _ARRAY, _INT32, count)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(needle, 0, _MOST_HEADER_BYTES) + len(needle)
            if start < len(needle) or start + 4 * count > len(data):
                return None
            return np.frombuffer(data[start : start + 4 * count], "<i4").astype(np.int32)
    except (OSError, ValueError):
        return None


def _ends_of(model: VocabularyPart, named: Sequence[int], types: NDArray[np.int32]) -> tuple[int, ...]:
    """What the file says ends a turn, and of what is only called so that which is a control token."""
    stated = [model.metadata(key) for key in _END_KEYS]
    ids = {int(each) for each in stated if each is not None and each.isdecimal()}
    ends = {token for token in ids if token < model.vocabulary_size}
    ends |= {token for token in named if types[token] == _CONTROL}
    return tuple(sorted(ends)) or tuple(named)


def _normal_form(model: VocabularyPart) -> NormalForm | None:
    stated = model.metadata(NORMALIZER_KEY)
    if stated is None and model.metadata("tokenizer.ggml.pre") in _NFC_PRE_TOKENIZERS:
        return "NFC"
    return next((form for form in _NORMAL_FORMS if form == stated), None)
