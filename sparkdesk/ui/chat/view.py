"""What the chat screen shows: the conversation and the composer, the live figures, a line about the model."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive

from sparkdesk.chat.summary import Count
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.composer import Composer
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.chat.live_stats import LiveFigures
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.live_panel import LivePanel
from sparkdesk.ui.chat.widgets.live_strip import LiveStrip
from sparkdesk.ui.chat.widgets.loading_view import LoadingView
from sparkdesk.ui.chat.widgets.top_bar import TopBar
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.messages import Noted
from sparkdesk.ui.session_log import without_words
from sparkdesk.ui.shared.banner import Banner
from sparkdesk.ui.shared.prompt import PromptSent


class ChatView(Vertical):
    """Decides nothing. The parts of the chat draw into `transcript` and `banner`."""

    stage: reactive[Stage] = reactive(Stage.LOADING, init=False, repaint=False)
    pair: reactive[str] = reactive("", repaint=False)
    model: reactive[ModelInfo | None] = reactive(None, repaint=False)
    """The one that was loaded last."""
    problem: reactive[str] = reactive("", repaint=False)
    """Why there is nothing to speculate with."""
    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings(), repaint=False)
    is_thinking: reactive[bool] = reactive(False, repaint=False)
    has_system_prompt: reactive[bool] = reactive(False, repaint=False)
    figures: reactive[LiveFigures] = reactive(LiveFigures(), repaint=False)
    choice: reactive[DraftChoice] = reactive(NO_CHOICE, repaint=False)
    """The part of the figures that the top bar shows: it changes seldom, and moves what is beside it."""
    left_out: reactive[int] = reactive(0, repaint=False)
    """Messages that the model no longer reads."""
    context_used: reactive[int] = reactive(0, repaint=False)
    """Tokens, as the composer counts them; 0 while it does not."""
    not_kept: reactive[str] = reactive("", repaint=False)
    """Why what is said is not in the history; empty where it is."""
    job: reactive[str] = reactive("", repaint=False)
    """A download or a build that goes on while one chats."""

    def __init__(self, backend: ChatBackend) -> None:
        super().__init__()
        self.transcript = Transcript(LoadingView(backend.name), classes="-view")
        self.banner = Banner()
        self.history_banner = Banner()
        self.composer = Composer(backend)
        self.set_reactive(ChatView.pair, safe_line(backend.name))
        self.set_reactive(ChatView.speculation, backend.speculation)

    def compose(self) -> ComposeResult:
        cls = ChatView
        model = (cls.model, cls.problem)
        settings = (cls.speculation, cls.choice, cls.stage, cls.is_thinking, cls.has_system_prompt)
        yield TopBar().data_bind(*model, *settings, cls.pair, cls.not_kept, cls.job)
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                yield self.transcript
                yield self.banner
                yield self.history_banner
                yield LiveStrip().data_bind(*model, cls.figures)
                yield self.composer.data_bind(cls.stage)
            yield LivePanel().data_bind(*model, cls.figures, cls.left_out, cls.context_used)

    def on_mount(self) -> None:
        self.watch(self.composer, "count", self._follow_count, init=False)

    def _follow_count(self, count: Count | None) -> None:
        self.context_used = count.prompt_tokens if count is not None else 0

    @on(PromptSent)
    def submit_example(self, message: PromptSent) -> None:
        """One that was clicked; what was written the composer submits by itself."""
        self.composer.submit(message.text)

    def watch_figures(self, figures: LiveFigures) -> None:
        self.choice = figures.choice

    def watch_not_kept(self, reason: str) -> None:
        """For as long as it holds: it is tried again all the time."""
        if reason:
            self.history_banner.warn(f"Not kept: {reason}", "It is tried again; leaving offers to export.", "")
        else:
            self.history_banner.rest()

    def watch_stage(self) -> None:
        self.screen.refresh_bindings()

    def use(self, model: ModelInfo, *, problem: str) -> None:
        """It is loaded now."""
        self.model, self.pair, self.problem = _shown(model), safe_line(model.name), safe_line(problem)

    def tell(self, message: Message) -> None:
        """The screen. What is posted here goes no further where a handler of the screen brought it about."""
        self.screen.post_message(message)

    def warn_down(self, cause: str, hint: str, what_reloading_does: str) -> None:
        """There is no model any more, or still none."""
        self.tell(Noted(f"{without_words(cause)} {hint}".strip()))
        self.banner.warn(cause, hint, f"{key_name(self, 'chat.reload')} {what_reloading_does}")


def _shown(model: ModelInfo) -> ModelInfo:
    """With texts from its files, or from a server, as they can be shown."""
    return replace(
        model,
        name=safe_line(model.name),
        architecture=safe_line(model.architecture),
        devices=tuple(map(safe_line, model.devices)),
        draft_name=safe_line(model.draft_name) if model.draft_name is not None else None,
        draft_problem=safe_line(model.draft_problem),
        switch_problem=safe_line(model.switch_problem),
        memory_note=safe_line(model.memory_note),
    )
