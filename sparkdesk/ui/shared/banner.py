"""One line about the state of the desk: what went wrong, what to try, and the key for it."""

from textual.content import Content
from textual.widgets import Static

from sparkdesk.safe_text import safe_line


class Banner(Static):
    """Hidden until there is something to say."""

    def warn(self, cause: str, hint: str, key: str) -> None:
        parts: list[str | tuple[str, str]] = [("✗ ", "bold $error"), (safe_line(cause), "bold")]
        if hint:
            parts.append(f" {safe_line(hint)}")
        if key:
            parts.append(("  " + key, "bold $primary"))
        self.update(Content.assemble(*parts))
        self.display = True

    def tell(self, text: str) -> None:
        """Something is under way."""
        self.update(Content.assemble(("▸ ", "bold $primary"), safe_line(text)))
        self.display = True

    def follow(self, step: Content) -> None:
        """How far it is."""
        self.update(Content.assemble(("▸ ", "bold $primary"), step))
        self.display = True

    def rest(self) -> None:
        self.display = False
