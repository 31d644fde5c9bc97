"""The speculation switch: shows whether the draft is at work and how far, and asks for the other state when clicked."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers

ON, OFF, NONE, PARKED, ELSEWHERE = "●", "○", "⊘", "◐", "◌"
_HOW = "Click or press {} to switch, also while a reply is being written."
_LOOKUP = "Without a draft, text that occurred before in the conversation is proposed again."
_WHY_PARKED = "Parked: drafting would cost time here, so the engine decodes plainly and tries again now and then."


def draft_words(draft_length: int | None, chosen: int = 0) -> str:
    """What was set, and what the scheduler makes of "auto"."""
    if draft_length is not None:
        return f"draft {draft_length}"
    return f"draft auto · {chosen}" if chosen else "draft auto"


def is_lookup(model: ModelInfo | None) -> bool:
    """Whether it speculates by prompt lookup alone: a target of this machine without a draft."""
    return model is not None and not model.draft_name and not model.switch_problem


class SpeculationSwitch(Widget):
    """State by glyph and word as well as by colour."""

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings(), layout=True)
    model: reactive[ModelInfo | None] = reactive(None, layout=True)
    problem: reactive[str] = reactive("", layout=True)
    """Why the draft that was asked for is not used."""
    stage: reactive[Stage] = reactive(Stage.LOADING, layout=True)
    choice: reactive[DraftChoice] = reactive(NO_CHOICE, layout=True)
    gives_reasons: reactive[bool] = reactive(False, layout=True)
    """Whether there is room for them."""

    @property
    def is_parked(self) -> bool:
        return self.speculation.is_tuned and self.choice.is_parked

    def render(self) -> RenderResult:
        unsaid = self._unsaid()
        if unsaid:
            return Content.styled(f"{ELSEWHERE} {unsaid}", "$spark-quiet")
        trouble = (f"{NONE} draft not used · " if self.problem else "", "$warning")
        name = "prompt lookup" if is_lookup(self.model) else "speculation"
        if not self.speculation.is_enabled:
            return Content.assemble(trouble, (f"{OFF} {name} ", "$spark-quiet"), ("OFF", "bold $foreground"))
        colour = "$spark-calm" if self.is_parked else "$primary"
        words = self._words()
        return Content.assemble(
            trouble,
            (f"{PARKED if self.is_parked else ON} ", colour),
            (f"{name} ", "$foreground"),
            ("ON", f"bold {colour}"),
            (f" · {words}" if words else "", colour if self.is_parked else "$spark-quiet"),
        )

    def _unsaid(self) -> str:
        """Where nothing can be said of it."""
        if self.stage is Stage.LOADING:
            return "loading" if self.speculation.is_enabled else "loading · speculation off"
        if self.model is None:
            return "no model"
        return "speculation: managed by the server" if self.model.switch_problem else ""

    def _words(self) -> str:
        if is_lookup(self.model) and not self.is_parked:
            return ""
        if not self.is_parked:
            return draft_words(self.speculation.draft_length, self.choice.length)
        return numbers.parked(self.choice) if self.gives_reasons else numbers.PARKED

    def watch_model(self) -> None:
        self._explain()

    def watch_problem(self) -> None:
        self._explain()

    def watch_speculation(self) -> None:
        self._explain()

    def watch_choice(self) -> None:
        self._explain()

    def _explain(self) -> None:
        how = _HOW.format(key_name(self, "chat.speculation"))
        fixed = self.model.switch_problem if self.model is not None else ""
        lookup = f"{_LOOKUP} " if is_lookup(self.model) else ""
        words = fixed or (f"{_WHY_PARKED} {how}" if self.is_parked else f"{lookup}{how}")
        self.tooltip = Content(f"{self.problem} {words}".strip())

    async def on_click(self) -> None:
        await self.run_action("screen.toggle_speculation")
