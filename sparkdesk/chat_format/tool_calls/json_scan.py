"""Finds the end of a JSON value that comes in pieces, and nothing more: whether it is valid is json's business."""

_OUTSIDE = frozenset('{}[]:,"+-.0123456789eEtrufalsn \t\r\n')


class JsonScanner:
    """Of one object."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        self.is_over = False
        self.is_broken = False
        """A character that no JSON has at this place."""

    def scan(self, text: str) -> int:
        """How many of the characters belong to the object, up to its end."""
        for position, character in enumerate(text):
            self._take(character)
            if self.is_broken:
                return position
            if self.is_over:
                return position + 1
        return len(text)

    def _take(self, character: str) -> None:
        if self._is_in_string:
            if self._is_escaped:
                self._is_escaped = False
            elif character == "\\":
                self._is_escaped = True
            else:
                self._is_in_string = character != '"'
        elif character not in _OUTSIDE or (self._depth == 0 and character != "{"):
            self.is_broken = True
        elif character == '"':
            self._is_in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.is_over = self._depth == 0
