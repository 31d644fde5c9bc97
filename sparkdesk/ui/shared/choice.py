"""One line of a dialog that can be clicked, and says the key that does the same."""

from textual.content import Content
from textual.widgets import Static


class Choice(Static):
    def __init__(self, text: str, action: str) -> None:
        super().__init__(Content.assemble(("▸ ", "$primary"), text))
        self._action = action

    async def on_click(self) -> None:
        await self.screen.run_action(self._action)
