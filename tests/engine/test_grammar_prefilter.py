"""Asking by first letters gives the same answers as asking about every token, and asks about fewer."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.engine.grammar_prefilter import GrammarPrefilter
from sparkdesk.engine.vocabulary import Vocabulary

LETTERS = " {}ab:xy"
PIECES = (
    b"<end>",
    b"",
    *(letter.encode() for letter in LETTERS),
    *("".join(word).encode() for length in (2, 3, 4) for word in product(LETTERS, repeat=length)),
    "é".encode(),
    b"\xc3",
)


class Texts:
    """Allows what some text begins with from where it stands."""

    def __init__(self, texts: tuple[bytes, ...], said: bytes = b"") -> None:
        self.texts, self.said, self.asked = texts, said, 0

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        self.asked += len(ids)
        return np.array([self._takes(int(token)) for token in ids], bool)

    def _takes(self, token: int) -> bool:
        if token == 0:
            return self.said in self.texts
        piece = PIECES[token]
        return bool(piece) and any(text.startswith(self.said + piece) for text in self.texts)

    def accept(self, token: int) -> None:
        assert self._takes(token)
        self.said += PIECES[token]

    def copy(self) -> "Texts":
        return Texts(self.texts, self.said)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "texts",
    [(b"{a:b}",), (b" {a}", b" x"), (b"   ",), ("éa".encode(), b"xx"), (b"", b"ab"), tuple(p for p in PIECES if p)],
    ids=str,
)
def test_the_answers_are_those_of_asking_about_every_token(texts: tuple[bytes, ...]) -> None:
    vocabulary = Vocabulary(len(PIECES), PIECES.__getitem__, end_tokens=[0])
    everything = np.random.default_rng(1).permutation(len(PIECES))
    inner = Texts(texts)
    narrowed = GrammarPrefilter(inner, vocabulary)
    assert narrowed.allowed(everything).tolist() == Texts(texts).allowed(everything).tolist()


def test_few_are_asked_about_where_few_letters_may_come() -> None:
    vocabulary = Vocabulary(len(PIECES), PIECES.__getitem__, end_tokens=[0])
    inner = Texts((b" {a:b}",))
    GrammarPrefilter(inner, vocabulary).allowed(np.arange(len(PIECES)))
    assert inner.asked < len(PIECES) / 4
