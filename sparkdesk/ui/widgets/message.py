"""One message of the conversation: the user's words, or a reply that grows while it is made."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from sparkdesk.ui.keys import key_name
from sparkdesk.ui.thinking import Parts, split_reply
from sparkdesk.ui.widgets.reply_text import ReplyText


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
            self.update(Content.assemble((f"▸ {title}", "bold"), f"  {key_name(self, 'chat.thoughts')} shows them"))


class ReplyMessage(Vertical):
    """A reply: thought, answer, and a line below that says how it went."""

    def __init__(self, *, shows_thought: bool) -> None:
        super().__init__()
        self._shows_thought = shows_thought
        self._shown = Parts("", "", False)
        self._is_finished = False
        self._is_resting = False
        self.text = ""
        """The whole reply so far, thought included."""

    @property
    def answer(self) -> str:
        return split_reply(self.text).answer

    def compose(self) -> ComposeResult:
        yield Thought()
        yield ReplyText()
        yield Static(classes="trouble")
        yield Static(classes="figures")

    def on_mount(self) -> None:
        self.query_one(Thought).is_unfolded = self._shows_thought

    async def write(self, text: str) -> None:
        """More of the reply."""
        if not text:
            return
        self.text += text
        parts = split_reply(self.text)
        self.query_one(Thought).parts = parts
        shown = self.query_one(ReplyText)
        if not parts.answer.startswith(self._shown.answer):
            await shown.become(parts.answer)
        elif added := parts.answer[len(self._shown.answer) :]:
            await shown.grow(added)
        self._shown = parts

    async def finish(self, text: str | None = None) -> None:
        """The reply is over."""
        self.text = self.text if text is None else text
        parts = split_reply(self.text)
        self._shown = Parts(parts.thought, parts.answer, False)
        self.query_one(Thought).parts = self._shown
        await self.query_one(ReplyText).become(parts.answer)
        self._is_finished = True

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
        """Far out of sight: keep the place and hide what fills it."""
        if self._is_finished and not self._is_resting:
            self._is_resting = True
            self.styles.height = self.outer_size.height
            self.query_one(ReplyText).display = False

    def hide_above(self, line: int) -> None:
        """The same within a reply too long to be seen whole; `line` counts from the top of the reply."""
        text = self.query_one(ReplyText)
        text.hide_above(line - text.virtual_region.y)

    def wake(self) -> None:
        self.query_one(ReplyText).show_all()
        if self._is_resting:
            self._is_resting = False
            self.styles.height = "auto"
            self.query_one(ReplyText).display = True

    def unfold(self, is_unfolded: bool) -> None:
        self.wake()
        self.query_one(Thought).is_unfolded = is_unfolded
