"""Stop strings, found across the borders of tokens and characters; what may become one is held back."""

from collections.abc import Sequence


def partial_match_length(text: str, tags: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of one of the tags, and are not all of it."""
    most = min(len(text), max(map(len, tags), default=1) - 1)
    tails = (length for length in range(most, 0, -1) if _has_prefix(tags, text[-length:]))
    return next(tails, 0)


def _has_prefix(tags: Sequence[str], start: str) -> bool:
    return any(len(tag) > len(start) and tag.startswith(start) for tag in tags)


class StopMatcher:
    """Fed with text, gives the text up to the first stop string; of several, that which is complete first."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found: str | None = None
        """The stop string that ended the text; nothing comes after it."""
        self._cut = 0

    @property
    def withheld(self) -> int:
        """How many of the characters fed were not given: those that wait, or the stop string and what followed it."""
        return self._cut + len(self._held)

    def feed(self, text: str) -> str:
        if self.found is not None:
            self._cut += len(text)
            return ""
        text = self._held + text
        matches = [(text.find(stop) + len(stop), len(stop), stop) for stop in self._stops if stop in text]
        if matches:
            end = min(matches)[0]
            length, self.found = max((length, stop) for at, length, stop in matches if at == end)
            self._held, self._cut = "", len(text) - (end - length)
            return text[: end - length]
        shown = len(text) - partial_match_length(text, self._stops)
        self._held = text[shown:]
        return text[:shown]

    def finish(self) -> str:
        """What was held back and became nothing."""
        rest, self._held = self._held, ""
        return rest
