"""A constraint over the letters of text, asked about few tokens where many are in question. Knows no llama.cpp.

Where only a brace may come next, no token that begins with another letter is allowed: the tokens of one letter are
asked first, and then only those that begin with an allowed one; of a letter that begins many, also by their second.
"""

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.grammar_source import gbnf_of
from sparkdesk.engine.lazy_grammar import LazyGrammar
from sparkdesk.engine.llama import Grammar, Model
from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.engine.vocabulary import Vocabulary

_MANY = 2048
"""Fewer are asked about directly."""


class GrammarPrefilter:
    """`inner` must allow a token exactly where it allows its text, as grammars without rules for single tokens do."""

    def __init__(self, inner: ConstraintPart, vocabulary: Vocabulary) -> None:
        self._inner, self._vocabulary = inner, vocabulary

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        if len(ids) < _MANY:
            return self._inner.allowed(ids)
        first, second = (letters[ids] for letters in self._vocabulary.first_letters)
        may = _open_letters(self._inner, self._vocabulary)[first]
        for letter in np.flatnonzero(np.bincount(first[may], minlength=256) >= _MANY).tolist():
            probe = self._vocabulary.letters[letter]
            if probe >= 0:
                begun = self._inner.copy()
                begun.accept(probe)
                here = first == letter
                # What is but this one letter has no second one to be judged by.
                may[here] = _open_letters(begun, self._vocabulary)[second[here]] | (
                    self._vocabulary.lengths[ids[here]] < 2
                )
                begun.close()
        may |= self._vocabulary.is_end[ids]
        asked = np.flatnonzero(may)
        may[asked] = self._inner.allowed(ids[asked])
        return may

    def accept(self, token: int) -> None:
        self._inner.accept(token)

    def copy(self) -> "GrammarPrefilter":
        return GrammarPrefilter(self._inner.copy(), self._vocabulary)

    def close(self) -> None:
        self._inner.close()


def _open_letters(constraint: ConstraintPart, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(256,) whether text may go on with this byte; True where no token of one letter can tell."""
    known = np.flatnonzero(vocabulary.letters >= 0)
    found = np.ones(256, bool)
    found[known] = constraint.allowed(vocabulary.letters[known])
    return found


def constraint_of(model: Model, settings: GrammarSettings, vocabulary: Vocabulary) -> ConstraintPart:
    """Raises GrammarError with one sentence where the grammar or the schema cannot be used."""
    gbnf, has_token_rules = gbnf_of(settings)
    grammar: ConstraintPart = Grammar(model, gbnf)
    if not has_token_rules:
        grammar = GrammarPrefilter(grammar, vocabulary)
    return LazyGrammar(grammar, settings.triggers, vocabulary) if settings.triggers else grammar
