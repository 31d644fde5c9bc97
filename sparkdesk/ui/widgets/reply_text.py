"""The Markdown of one reply, which hides what is out of sight: a layout visits every part that is not hidden, and a
long reply has hundreds."""

from markdown_it import MarkdownIt
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownStream

_FEWEST_HIDDEN = 8
_LONGEST_REDRAWN = 12_000
"""Characters: above that, drawing once more as a whole would hold up the keys for too long."""


class ReplyText(Markdown):
    """Grows by pieces, and is drawn as a whole at the end."""

    def __init__(self) -> None:
        # HTML stays visible text: dropping tags the way a browser does would swallow what the model wrote.
        super().__init__(parser_factory=lambda: MarkdownIt("gfm-like", {"html": False}), open_links=False)
        self._growth: MarkdownStream | None = None
        self._hidden_count = 0
        self._hidden_lines = 0

    async def grow(self, added: str) -> None:
        """The stream joins pieces when drawing cannot keep up."""
        self._growth = self._growth or Markdown.get_stream(self)
        await self._growth.write(added)

    async def become(self, text: str) -> None:
        """Another text altogether, or the whole of the one that grew: a later line may change an earlier one."""
        if self._growth is not None:
            await self._growth.stop()
            self._growth = None
        if text == self.source and len(text) > _LONGEST_REDRAWN:
            return
        self.show_all()
        # Between two drawings the text has no height; a reader who scrolled up must not be moved by that.
        self.styles.min_height = self.outer_size.height
        await self.update(text)
        self.call_after_refresh(self.styles.clear_rule, "min_height")

    def hide_above(self, line: int) -> None:
        """Hide the blocks that end above a line of this text; padding keeps their place."""
        blocks, kept = self.children, self._hidden_count
        within = line - self._hidden_lines  # places of blocks count from below the padding
        while kept < len(blocks) - 1 and 0 < blocks[kept].virtual_region.bottom < within:
            kept += 1
        if kept - self._hidden_count < _FEWEST_HIDDEN or blocks[kept].virtual_region.y <= 0:
            return
        self._hidden_lines += blocks[kept].virtual_region.y
        self.styles.padding = (self._hidden_lines, 0, 0, 0)
        for block in blocks[self._hidden_count : kept]:
            block.display = False
        self._hidden_count = kept

    def show_all(self) -> None:
        for block in self.children[: self._hidden_count]:
            block.display = True
        if self._hidden_count:
            self._hidden_count = self._hidden_lines = 0
            self.styles.padding = (0, 0, 0, 0)
