"""What every token of a vocabulary says; asked of the model once, when it is first needed."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray


class Vocabulary:
    """The bytes of every token, control tokens spelled out as grammars see them."""

    def __init__(self, size: int, piece: Callable[[int], bytes], *, end_tokens: Sequence[int]) -> None:
        self.size, self.end_tokens = size, tuple(end_tokens)
        self._piece = piece
        self.running_past = lru_cache(maxsize=8)(self._running_past)

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        return tuple(map(self._piece, range(self.size)))

    def spelled(self, text: bytes) -> tuple[int, ...] | None:
        """Some tokens that say these bytes; None where there are none."""
        tokens = []
        while text:
            length = next((n for n in range(len(text), 0, -1) if text[:n] in self._tokens), 0)
            if not length:
                return None
            tokens.append(self._tokens[text[:length]])
            text = text[length:]
        return tuple(tokens)

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """(size,) bytes of every token."""
        return np.fromiter(map(len, self.pieces), np.intp, self.size)

    @cached_property
    def first_letters(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(size,) the first and the second byte of every token; 0 where there is none."""
        padded = b"".join(piece[:2].ljust(2, b"\0") for piece in self.pieces)
        pairs = np.frombuffer(padded, np.uint8).reshape(self.size, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    @cached_property
    def letters(self) -> NDArray[np.intp]:
        """(256,) the token that is just this ASCII letter; -1 where there is none."""
        found = np.full(256, -1, np.intp)
        for letter in range(1, 128):
            found[letter] = self._tokens.get(bytes([letter]), -1)
        return found

    @cached_property
    def is_end(self) -> NDArray[np.bool_]:
        """(size,) the tokens that end a turn."""
        found = np.zeros(self.size, bool)
        found[list(self.end_tokens)] = True
        return found

    @cached_property
    def _tokens(self) -> dict[bytes, int]:
        return {piece: token for token, piece in enumerate(self.pieces)}

    def _running_past(self, texts: tuple[bytes, ...]) -> NDArray[np.bool_]:
        """(size,) the tokens that can say the end of one of these texts and more after it."""
        found = np.zeros(self.size, bool)
        for text in texts:
            last = text[-1:]
            for token, piece in enumerate(self.pieces):
                if last in piece[:-1] and _can_run_past(piece, text):
                    found[token] = True
        return found


def _can_run_past(piece: bytes, text: bytes) -> bool:
    if text in piece[:-1]:
        return True
    return any(piece.startswith(text[said:]) and len(piece) > len(text) - said for said in range(1, len(text)))
