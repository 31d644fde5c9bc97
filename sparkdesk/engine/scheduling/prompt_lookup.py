"""Finds where the last tokens occurred before, and proposes what followed them there: a draft that costs nothing.

Quoting, rewriting and editing code repeat long stretches of the context word for word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KEY_TOKENS = 3
"""Shortest repetition that counts."""
_LONGEST_MATCH = 48
_PLACES_KEPT = 4
_LOGIT_AT_ONE, _LOGIT_PER_NAT = -2.6, 1.7


@dataclass(frozen=True, slots=True)
class PromptLookup:
    """Tokens that followed the same text before."""

    tokens: tuple[int, ...]
    match: int
    """How many tokens before them are the same in both places."""

    def logits(self) -> NDArray[np.float64]:
        """(n,) log odds of each token, given those before it, to a first approximation: long matches go on."""
        matched = self.match + np.arange(len(self.tokens))
        return _LOGIT_AT_ONE + _LOGIT_PER_NAT * np.log(matched)


class PromptLookupIndex:
    """The places of every three successive tokens of one reply's context, kept up as it grows."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: Sequence[int] = tokens
        self._places: dict[tuple[int, ...], list[int]] = {}
        self._indexed = KEY_TOKENS

    def find(self, most: int) -> PromptLookup | None:
        """The longest match of the end of the tokens, the latest of equals; up to `most` tokens that followed it."""
        tokens = self._tokens
        self._index_up_to(len(tokens) - 1)
        places = self._places.get(tuple(tokens[-KEY_TOKENS:])) if len(tokens) >= KEY_TOKENS else None
        if not places or most < 1:
            return None
        match, place = max((self._match_at(place), place) for place in places)
        return PromptLookup(tuple(tokens[place : place + most]), match)

    def _index_up_to(self, end: int) -> None:
        """Note where each key that ends at or before `end` is followed by something."""
        tokens, places = self._tokens, self._places
        for place in range(self._indexed, end + 1):
            found = places.setdefault(tuple(tokens[place - KEY_TOKENS : place]), [])
            found.append(place)
            if len(found) > _PLACES_KEPT:
                del found[0]
        self._indexed = max(self._indexed, end + 1)

    def _match_at(self, place: int) -> int:
        """How many tokens before `place` equal the last ones."""
        tokens, end = self._tokens, len(self._tokens)
        most = min(_LONGEST_MATCH, place)
        length = KEY_TOKENS
        while length < most and tokens[place - 1 - length] == tokens[end - 1 - length]:
            length += 1
        return length
