"""The speculation switch: shows whether the draft is at work and how far, and asks for the other state when clicked."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers

ON, OFF, NONE, PARKED, ELSEWHERE = "●", "○", "⊘", "◐", "◌"
_HOW = "Click or press {} to switch, also while a reply is being written."
_WHY_PARKED = "Parked: drafting would cost time here, so the engine decodes plainly and tries again now and then."


def draft_words(draft_length: int | None, chosen: int = 0) -> str:
    """What was set, and what the scheduler makes of "auto"."""
    if draft_length is not None:
        return f"draft {draft_length}"
    return f"draft auto · {chosen}" if chosen else "draft auto"


class SpeculationSwitch(Widget):
    """State by glyph and word as well as by colour."""

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings(), layout=True)
    model: reactive[ModelInfo | None] = reactive(None, layout=True)
    problem: reactive[str] = reactive("", layout=True)
    """Why there is nothing to switch; empty when there is."""
    choice: reactive[DraftChoice] = reactive(NO_CHOICE, layout=True)
    gives_reasons: reactive[bool] = reactive(False, layout=True)
    """Whether there is room for them."""

    @property
    def is_parked(self) -> bool:
        return self.speculation.is_tuned and self.choice.is_parked

    def render(self) -> RenderResult:
        if self.problem:
            return Content.assemble((f"{NONE} ", "$warning"), ("no speculation", "$spark-quiet"))
        if self.model is not None and self.model.switch_problem:
            return Content.assemble((f"{ELSEWHERE} ", "$spark-quiet"), ("speculation is the server's", "$spark-quiet"))
        if not self.speculation.is_enabled:
            return Content.assemble((f"{OFF} speculation ", "$spark-quiet"), ("OFF", "bold $foreground"))
        colour = "$spark-calm" if self.is_parked else "$primary"
        return Content.assemble(
            (f"{PARKED if self.is_parked else ON} ", colour),
            ("speculation ", "$foreground"),
            ("ON", f"bold {colour}"),
            (f" · {self._words()}", colour if self.is_parked else "$spark-quiet"),
        )

    def _words(self) -> str:
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
        self.tooltip = Content(self.problem or fixed or (f"{_WHY_PARKED} {how}" if self.is_parked else how))

    async def on_click(self) -> None:
        await self.run_action("screen.toggle_speculation")
