"""A grammar that waits for its trigger: free before it, exact after it, free again behind it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.engine.lazy_grammar import LazyGrammar
from sparkdesk.engine.vocabulary import Vocabulary

PIECES = (
    b"<end>",
    b"a",
    b"b",
    b"<",
    b"call",
    b">",
    b"<call>",
    b">\n",
    b">\nb",
    b"1",
    b"2",
    b"12",
    b";",
    b"\n",
    b"x<call>1",
)
END = 0


class Literal:
    """Takes one text, and may end behind it."""

    def __init__(self, text: bytes, opened: list["Literal"], at: int = 0) -> None:
        self.text, self.at, self.opened, self.is_closed = text, at, opened, False
        opened.append(self)

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        return np.array([self._takes(int(token)) for token in ids], bool)

    def _takes(self, token: int) -> bool:
        if token == END:
            return self.at == len(self.text)
        return self.text.startswith(PIECES[token], self.at)

    def accept(self, token: int) -> None:
        assert self._takes(token) and not self.is_closed
        self.at += len(PIECES[token]) if token != END else 0

    def copy(self) -> "Literal":
        return Literal(self.text, self.opened, self.at)

    def close(self) -> None:
        self.is_closed = True


def triggered(text: bytes = b"12", *triggers: str) -> tuple[LazyGrammar, list[Literal]]:
    opened: list[Literal] = []
    vocabulary = Vocabulary(len(PIECES), PIECES.__getitem__, end_tokens=[END])
    return LazyGrammar(Literal(text, opened), triggers or ("<call>",), vocabulary), opened


def allowed(constraint: LazyGrammar) -> set[bytes]:
    found = constraint.allowed(np.arange(len(PIECES)))
    return {piece for piece, may in zip(PIECES, found, strict=True) if may}


def say(constraint: LazyGrammar, *pieces: bytes) -> None:
    for piece in pieces:
        assert piece in allowed(constraint), f"{piece!r} is not allowed"
        constraint.accept(PIECES.index(piece))


EVERYTHING = set(PIECES)


@pytest.mark.parametrize("words", [(b"<call>",), (b"<", b"call", b">"), (b"a", b"<", b"<", b"call", b">")])
def test_the_grammar_begins_behind_its_trigger_however_it_is_spelled(words: tuple[bytes, ...]) -> None:
    constraint, _ = triggered()
    assert allowed(constraint) == EVERYTHING
    say(constraint, *words)
    assert allowed(constraint) == {b"1", b"12"}


def test_it_is_over_where_something_else_follows_its_end_and_begins_again_with_the_next_trigger() -> None:
    constraint, _ = triggered()
    say(constraint, b"<call>", b"1", b"2")
    assert allowed(constraint) == EVERYTHING
    say(constraint, b";", b"b", b"<call>")
    assert allowed(constraint) == {b"1", b"12"}
    say(constraint, b"12", b"<call>")
    assert allowed(constraint) == {b"1", b"12"}, "a trigger may follow at once"


def test_the_reply_may_end_before_and_behind_the_grammar_but_not_within() -> None:
    constraint, _ = triggered()
    assert b"<end>" in allowed(constraint)
    say(constraint, b"<call>")
    assert b"<end>" not in allowed(constraint)
    say(constraint, b"12")
    assert b"<end>" in allowed(constraint)


def test_a_token_that_runs_past_the_trigger_is_allowed_where_the_grammar_takes_the_rest() -> None:
    """Tokens of real vocabularies do: ">" and a line break are one. llama.cpp's own way ends the process here."""
    constraint, _ = triggered(b"\n12")
    say(constraint, b"<", b"call")
    assert allowed(constraint) == EVERYTHING - {b">\nb", b"x<call>1"}
    say(constraint, b">\n")
    assert allowed(constraint) == {b"1", b"12"}


def test_a_token_that_holds_the_whole_trigger_and_more_counts_too() -> None:
    constraint, _ = triggered(b"12")
    say(constraint, b"x<call>1")
    assert allowed(constraint) == {b"2"}


def test_the_first_of_several_triggers_counts() -> None:
    constraint, _ = triggered(b"12", "b", "call>")
    say(constraint, b"a", b"call", b"b")
    assert allowed(constraint) == {b"1", b"12"}


def test_a_copy_goes_its_own_way_and_all_are_closed() -> None:
    constraint, opened = triggered()
    say(constraint, b"<", b"call")
    other = constraint.copy()
    say(other, b">", b"1")
    assert allowed(other) == {b"2"}
    assert allowed(constraint) == EVERYTHING - {b">\n", b">\nb"}
    say(constraint, b">")
    third = constraint.copy()
    for each in (third, other, constraint):
        each.close()
    assert all(each.is_closed for each in opened)


def test_one_character_is_a_trigger() -> None:
    constraint, _ = triggered(b"12", "a")
    say(constraint, b"b", b"a")
    assert allowed(constraint) == {b"1", b"12"}
