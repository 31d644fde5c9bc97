"""Server-sent events out of bytes, however they are cut (WHATWG HTML, section 9.2). Pure."""

import codecs

_DONE = "[DONE]"


class EventStream:
    """Fed with bytes, gives the data of whole events. Comments, names and numbers of events mean nothing here."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._data: list[str] = []
        self.is_done = False
        """Whether the stream said so itself."""

    @property
    def waiting_characters(self) -> int:
        """Of a line whose end has not come, and of an event's lines before it."""
        return len(self._line) + sum(map(len, self._data))

    def feed(self, data: bytes) -> list[str]:
        """The data of the events that `data` completes."""
        return self._take(self._decoder.decode(data))

    def finish(self) -> list[str]:
        """The last event, where the server forgot the empty line after it."""
        return self._take(self._decoder.decode(b"", final=True) + "\n\n")

    def _take(self, text: str) -> list[str]:
        events: list[str] = []
        *lines, self._line = (self._line + text).replace("\r\n", "\n").split("\n")
        for line in lines:
            self._read(line.removesuffix("\r"), events)
        return events

    def _read(self, line: str, events: list[str]) -> None:
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return
        if self._data:
            event = "\n".join(self._data)
            self._data.clear()
            if event.strip() == _DONE:
                self.is_done = True
            else:
                events.append(event)
