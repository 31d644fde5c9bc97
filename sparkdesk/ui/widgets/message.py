"""One message of the conversation: the user's words, or a reply that grows while it is made."""

from markdown_it import MarkdownIt
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from sparkdesk.ui.thinking import Parts, split_reply


class UserMessage(Static):
    """What the user sent, to the letter."""

    def __init__(self, text: str) -> None:
        super().__init__(Content(text))


class Thought(Static):
    """What the model thought before its answer: one line when folded."""

    is_unfolded: reactive[bool] = reactive(False, layout=True)
    parts: reactive[Parts] = reactive(Parts("", "", False), layout=True)

    def watch_parts(self) -> None:
        self.display = bool(self.parts.thought or self.parts.is_thinking)
        self._redraw()

    def watch_is_unfolded(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        words = f"{len(self.parts.thought.split())} words"
        title = f"thinking … {words}" if self.parts.is_thinking else f"thought {words}"
        if self.is_unfolded:
            self.update(Content.assemble((f"▾ {title}\n", "bold"), self.parts.thought))
        else:
            self.update(Content.assemble((f"▸ {title}", "bold"), "  Ctrl+T shows them"))


class ReplyMessage(Vertical):
    """A reply: thought, answer, and a line below that says how it went."""

    def __init__(self, *, shows_thought: bool) -> None:
        super().__init__()
        self._shows_thought = shows_thought
        self._shown = Parts("", "", False)
        self._stream: MarkdownStream | None = None
        self._is_finished = False
        self._is_resting = False
        self.text = ""
        """The whole reply so far, thought included."""

    @property
    def answer(self) -> str:
        return split_reply(self.text).answer

    def compose(self) -> ComposeResult:
        yield Thought()
        # HTML stays visible text: dropping tags the way a browser does would swallow what the model wrote.
        yield Markdown(parser_factory=lambda: MarkdownIt("gfm-like", {"html": False}), open_links=False)
        yield Static(classes="trouble")
        yield Static(classes="figures")

    def on_mount(self) -> None:
        self.query_one(Thought).is_unfolded = self._shows_thought

    async def write(self, text: str) -> None:
        """More of the reply. The stream joins pieces when drawing cannot keep up."""
        if not text:
            return
        self.text += text
        parts = split_reply(self.text)
        self.query_one(Thought).parts = parts
        markdown = self.query_one(Markdown)
        if not parts.answer.startswith(self._shown.answer):
            await self._stop_stream()
            await markdown.update(parts.answer)
        elif added := parts.answer[len(self._shown.answer) :]:
            self._stream = self._stream or Markdown.get_stream(markdown)
            await self._stream.write(added)
        self._shown = parts

    async def finish(self, text: str | None = None) -> None:
        """The reply is over. Drawn once more as a whole: what a later line changed about an earlier one shows now."""
        await self._stop_stream()
        self.text = self.text if text is None else text
        parts = split_reply(self.text)
        self._shown = Parts(parts.thought, parts.answer, False)
        self.query_one(Thought).parts = self._shown
        markdown = self.query_one(Markdown)
        # Between two drawings the text has no height; a reader who scrolled up must not be moved by that.
        markdown.styles.min_height = markdown.outer_size.height
        await markdown.update(parts.answer)
        self.call_after_refresh(self._settle)

    def say(self, line: str | Content) -> None:
        """The line below the reply."""
        self.query_one(".figures", Static).update(line)

    def mark(self, cause: str, hint: str = "") -> None:
        """The reply is not what it should have been, and why."""
        self.add_class("-broken")
        self.query_one(".trouble", Static).update(
            Content.assemble((f"✗ {cause}", "$error"), (f" {hint}" if hint else ""))
        )

    def rest(self) -> None:
        """Far out of sight: keep the place and hide what fills it. A layout visits every visible part of every reply,
        and a conversation has thousands."""
        if self._is_finished and not self._is_resting:
            self._is_resting = True
            self.styles.height = self.outer_size.height
            self.query_one(Markdown).display = False

    def wake(self) -> None:
        if self._is_resting:
            self._is_resting = False
            self.styles.height = "auto"
            self.query_one(Markdown).display = True

    def unfold(self, is_unfolded: bool) -> None:
        self.wake()
        self.query_one(Thought).is_unfolded = is_unfolded

    def _settle(self) -> None:
        self.query_one(Markdown).styles.clear_rule("min_height")
        self._is_finished = True

    async def _stop_stream(self) -> None:
        if self._stream is not None:
            await self._stream.stop()
            self._stream = None
