"""Turns the bytes of tokens into text that can be shown: never half a character, never half a run of markup."""

import codecs

from sparkdesk.chat_format.reasoning import ALL_TAGS
from sparkdesk.chat_format.stop_strings import partial_match_length

_TAGS = tuple(tag for tags in ALL_TAGS for tag in (tags.opening, tags.closing))
_MARKUP = "*_~`"


class TextStream:
    """Fed with bytes, gives text; the increments, `finish` included, add up to the whole text."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes) -> str:
        """What can be shown now; perhaps nothing."""
        text = self._held + self._decoder.decode(data)
        shown = len(text) - _undecided(text)
        self._held = text[shown:]
        return text[:shown]

    @property
    def held(self) -> int:
        """How many characters wait to be shown."""
        return len(self._held)

    @property
    def has_half(self) -> bool:
        """Whether the last character is not whole yet."""
        return bool(self._decoder.getstate()[0])

    def leave_off(self) -> str:
        """The rest of a text that was cut: a character of which only a part has come is no part of it."""
        text, self._held = self._held, ""
        self._decoder.reset()
        return text

    def finish(self) -> str:
        """The rest, decided or not."""
        text = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return text


def _undecided(text: str) -> int:
    """How many characters at the end may mean something else once the next one is known: `*` or `**`, `<thi`."""
    run = len(text) - len(text.rstrip(_MARKUP))
    return run or partial_match_length(text, _TAGS)
