"""The prompts sent so far, walked like a shell's history. Pure; the half-written prompt is kept as its newest entry."""


class PromptHistory:
    def __init__(self) -> None:
        self._sent: list[str] = []
        self._unsent = ""
        self._position = 0
        """Steps back from the unsent prompt; 0 is the unsent prompt itself."""

    def add(self, text: str) -> None:
        if not self._sent or self._sent[-1] != text:
            self._sent.append(text)
        self._unsent, self._position = "", 0

    def older(self, current: str) -> str | None:
        """The prompt before the one shown; None at the beginning."""
        if self._position >= len(self._sent):
            return None
        if self._position == 0:
            self._unsent = current
        self._position += 1
        return self._sent[-self._position]

    def newer(self) -> str | None:
        """The prompt after the one shown; None at the unsent one."""
        if self._position == 0:
            return None
        self._position -= 1
        return self._sent[-self._position] if self._position else self._unsent
