"""Finds conversations by words. Nothing that is searched for is syntax, whatever it looks like."""

import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence

from sparkdesk.chat.history.kept import place_of

Place = tuple[str, str, str]
"""before, match, after"""

_FIRST_WITHOUT_SPACES = 0x0E00
"""Thai; most of what comes after it is written without spaces between words, and so is not in the index by words."""
_LEAST_TELLING = 3
"""Letters; so few occur everywhere, and no place is better than another."""


def find(connection: sqlite3.Connection, text: str, limit: int) -> dict[int, Place]:
    """Keys of conversations in which all words occur, best first; the last word may be a prefix."""
    words = unicodedata.normalize("NFC", text).split()
    ranks = _ranks(connection, words)
    best = sorted(ranks, key=lambda key: (ranks[key], -key))[:limit]
    folded = [word.casefold() for word in words]
    return {key: place_of(_text_with(connection, key, words), folded) for key in best}


def _ranks(connection: sqlite3.Connection, words: Sequence[str]) -> dict[int, float]:
    """By conversation, smaller is better; a word may be in a title or in any message, and the words apart."""
    ranks: dict[int, float] = {}
    for place, word in enumerate(words):
        found = dict(_with_word(connection, word, is_last=place == len(words) - 1))
        ranks = found if place == 0 else {key: ranks[key] + found[key] for key in ranks.keys() & found.keys()}
    return ranks


def _with_word(connection: sqlite3.Connection, word: str, *, is_last: bool) -> Iterator[tuple[int, float]]:
    if _is_in_the_index(word):
        rank = "min(rank)" if len(word) >= _LEAST_TELLING else "-1.0"  # to rank a quarter of all messages takes long
        yield from connection.execute(
            f"SELECT conversation, {rank} FROM words JOIN message ON message.row = words.rowid"
            " WHERE words MATCH ? GROUP BY conversation",
            (f'"{word}"*' if is_last else f'"{word}"',),
        )
    else:
        yield from connection.execute(
            "SELECT DISTINCT conversation, -1.0 FROM message WHERE content LIKE ? ESCAPE '\\'", (_pattern(word),)
        )
    yield from connection.execute(
        "SELECT key, -100.0 FROM conversation WHERE title <> '' AND folded(title) LIKE ? ESCAPE '\\'",
        (_pattern(word.casefold()),),
    )


def _is_in_the_index(word: str) -> bool:
    """As one word; punctuation and scripts without spaces are looked for letter by letter."""
    return all(character.isalnum() and ord(character) < _FIRST_WITHOUT_SPACES for character in word)


def _text_with(connection: sqlite3.Connection, key: int, words: Sequence[str]) -> str:
    """A message in which the last word occurs to the letter, else one with any, else the first."""
    for word in reversed(words):
        found = connection.execute(
            "SELECT content FROM message WHERE conversation = ? AND content LIKE ? ESCAPE '\\' ORDER BY number LIMIT 1",
            (key, _pattern(word)),
        ).fetchone()
        if found is not None:
            return str(found[0])
    first = connection.execute("SELECT content FROM message WHERE conversation = ? LIMIT 1", (key,)).fetchone()
    return str(first[0]) if first is not None else ""


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
