"""A grammar that holds only after a trigger: free text, then a constraint, then free text again. Knows no llama.cpp.

A trigger may come in several tokens, or in one that says more after it: then the constraint must take that rest, and a
token whose rest it would not take is not allowed.
"""

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.vocabulary import Vocabulary


class LazyGrammar:
    """Free until one of the triggers has been said; then `fresh` holds until it may end and something else follows.

    `fresh` is the constraint before its first token, and is closed with this one.
    """

    def __init__(self, fresh: ConstraintPart, triggers: tuple[str, ...], vocabulary: Vocabulary) -> None:
        self._fresh, self._vocabulary = fresh, vocabulary
        self._triggers = tuple(trigger.encode() for trigger in triggers)
        self._ends = np.array(vocabulary.end_tokens, np.intp)
        self._said = b""
        """The end of the free text, as much of it as a trigger may begin in."""
        self._held: ConstraintPart | None = None
        """The constraint while it holds."""
        self._may_end = False
        self._is_copy = False

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        if self._held is not None and not self._may_end:
            return self._held.allowed(ids)
        may = np.ones(len(ids), bool)
        for place in np.flatnonzero(self._vocabulary.running_past(self._triggers)[ids]).tolist():
            rest = self._rest(int(ids[place]))
            if rest and (self._held is None or not self._held.allowed(ids[place : place + 1])[0]):
                begun = self._begun(rest)
                may[place] = begun is not None
                if begun is not None:
                    begun.close()
        return may

    def accept(self, token: int) -> None:
        if self._held is not None and self._held.allowed(np.array([token]))[0]:
            self._held.accept(token)
        else:
            self._release()
            self._say(token)
        self._may_end = self._held is not None and bool(self._held.allowed(self._ends).any())

    def copy(self) -> "LazyGrammar":
        other = LazyGrammar.__new__(LazyGrammar)
        other.__dict__.update(self.__dict__)
        other._is_copy = True
        other._held = self._held.copy() if self._held is not None else None
        return other

    def close(self) -> None:
        self._release()
        if not self._is_copy:
            self._fresh.close()

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held, self._said = None, b""

    def _say(self, token: int) -> None:
        rest = self._rest(token)
        if rest is None:
            longest = max(map(len, self._triggers))
            self._said = (self._said + self._vocabulary.pieces[token])[-(longest - 1) :] if longest > 1 else b""
        else:
            self._held, self._said = self._begun(rest), b""

    def _rest(self, token: int) -> bytes | None:
        """What free text with this token says after a trigger; None where it does not say one."""
        text = self._said + self._vocabulary.pieces[token]
        ends = [text.find(trigger) + len(trigger) for trigger in self._triggers if trigger in text]
        return text[min(ends) :] if ends else None

    def _begun(self, rest: bytes) -> ConstraintPart | None:
        """The constraint after its first bytes; None where it does not take them."""
        tokens = self._vocabulary.spelled(rest)
        if tokens is None:
            return None
        begun = self._fresh.copy()
        for token in tokens:
            if not begun.allowed(np.array([token]))[0]:
                begun.close()
                return None
            begun.accept(token)
        return begun
