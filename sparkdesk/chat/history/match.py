"""The place in a text where a searched word occurs, with what stands around it. Pure."""

_BEFORE, _AFTER = 40, 80


def place_of(text: str, words: list[str]) -> tuple[str, str, str]:
    """(before, match, after), one line; the beginning of the text where no word is found to the letter."""
    folded = text.casefold()
    at, word = min(((folded.find(word), word) for word in words if word in folded), default=(-1, ""))
    # Some characters fold into two, so a place in the folded text is not always one in the text.
    if at < 0 or len(folded) != len(text):
        return "", "", _line(text[: _BEFORE + _AFTER])
    end = at + len(word)
    before, after = text[max(0, at - _BEFORE) : at], text[end : end + _AFTER]
    return _line(before.rpartition("\n")[2]), text[at:end], _line(after.partition("\n")[0])


def _line(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text)
