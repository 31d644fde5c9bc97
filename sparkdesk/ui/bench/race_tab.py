"""The race: what to ask, how, the measuring, and the replay."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from sparkdesk.bench.comparison import GREEDY
from sparkdesk.bench.race import PLAIN, SPECULATIVE, ArmAdvanced, Judging, Race, RaceEvent, RaceSettings, WarmingUp
from sparkdesk.bench.suite import Prompt as SuitePrompt
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.ui.bench.messages import RaceWanted
from sparkdesk.ui.bench.race_view import RaceView
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import bars
from sparkdesk.ui.shared.cycle import Cycle
from sparkdesk.ui.shared.prompt import Prompt, PromptSent

_BAR = 24
_WAITING, _DONE = "○", "●"


class RaceProgress(Widget, can_focus=True):
    """Shows the last event of each kind."""

    event: reactive[RaceEvent | None] = reactive(None)
    is_plain_first: reactive[bool] = reactive(True)

    def render(self) -> RenderResult:
        return Content("\n").join(self._lines())

    def _lines(self) -> Iterator[Content]:
        yield Content.styled("Both runs use the same machine, one after the other.", "bold")
        yield Content()
        is_warm = not isinstance(self.event, WarmingUp | None)
        yield _line("warming up", is_done=is_warm, is_now=not is_warm)
        order = (PLAIN, SPECULATIVE) if self.is_plain_first else (SPECULATIVE, PLAIN)
        running = order.index(self.event.arm) if isinstance(self.event, ArmAdvanced) else -1
        for place, arm in enumerate(order):
            is_over = isinstance(self.event, Judging) or place < running
            name = "plain decoding" if arm == PLAIN else "with speculation"
            is_now = place == running
            yield _line(name, is_done=is_over, is_now=is_now, event=self.event if is_now else None)
        yield _line("comparing the texts", is_done=False, is_now=isinstance(self.event, Judging))
        yield Content()
        yield Content.styled("Then both are replayed side by side.", "$spark-quiet")


def _line(name: str, *, is_done: bool, is_now: bool, event: RaceEvent | None = None) -> Content:
    style = "bold $foreground" if is_now else "$spark-quiet"
    glyph = (_DONE, "$success") if is_done else ("▸", "$primary") if is_now else (_WAITING, "$spark-faint")
    if not isinstance(event, ArmAdvanced):
        return Content.assemble(glyph, " ", (name, style))
    if not event.generated:
        return Content.assemble(glyph, " ", (f"{name:20}", style), ("reading the prompt", "$spark-quiet"))
    filled = bars.bar(event.generated / event.max_tokens, _BAR).rstrip()
    return Content.assemble(
        glyph,
        " ",
        (f"{name:20}", style),
        (filled, "$primary"),
        ("·" * (_BAR - len(filled)), "$spark-faint"),
        (f" {event.generated} of at most {event.max_tokens} tokens", "$spark-quiet"),
    )


_LENGTHS = (100, 200, 400, 800)


class RacePrompt(Prompt):
    """Below its last line is the suite."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "pass", "Suite", tooltip="The next tab, while nothing is written", id="race.pass"),
    ]

    class Left(Message):
        """The user goes down from the prompt."""

    class Passed(Message):
        """The user goes past it: digits, which name the tabs, would be written here."""

    def invitation(self) -> str:
        send = key_name(self, "prompt.send")
        return f"Prompt to race: {send} starts, Down chooses from the suite."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self.text if action == "pass" else super().check_action(action, parameters)

    @on(TextArea.Changed)
    def tell_key(self) -> None:
        self.refresh_bindings()

    def action_pass(self) -> None:
        self.post_message(self.Passed())

    def action_newer(self) -> None:
        before = self.text, self.cursor_location
        super().action_newer()
        if (self.text, self.cursor_location) == before:
            self.post_message(self.Left())


class RaceTab(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "choose", "New", tooltip="Choose what to race next", id="race.new"),
        Binding("r", "ask_again", "Run again", tooltip="Measure the same prompt again", id="race.repeat"),
    ]

    def __init__(self, sampling: Callable[[], SamplingSettings]) -> None:
        super().__init__()
        self._sampling = sampling
        self._prompts: Sequence[SuitePrompt] = ()
        self._is_plain_first = True
        self._text = ""

    def compose(self) -> ComposeResult:
        yield Static(classes="asked")
        yield RacePrompt()
        with Horizontal(classes="options"):
            yield Cycle("", (("greedy", True), ("sampled", False)), id="sampling")
            yield Cycle("at most", [(f"{length} tokens", length) for length in _LENGTHS], place=1, id="length")
            lengths = [("auto", None), *((str(length), length) for length in range(1, 8))]
            yield Cycle[int | None]("draft", lengths, id="draft")
        with ContentSwitcher(initial="suite"):
            yield OptionList(id="suite", compact=True)
            yield RaceProgress(id="progress")
            yield RaceView()

    def offer(self, prompts: Sequence[SuitePrompt]) -> None:
        """Prompts to choose from, under the names of their domains."""
        if prompts == self._prompts:
            return
        self._prompts = prompts
        options = self.query_one(OptionList)
        options.clear_options()
        domain = ""
        for place, prompt in enumerate(prompts):
            if prompt.domain != domain:
                domain = prompt.domain
                options.add_option(Option(Content.styled(domain, "bold $primary"), disabled=True))
            words = " ".join(prompt.text.split())
            options.add_option(Option(Content(f"  {words}"), id=str(place)))

    def take(self, event: RaceEvent) -> None:
        """The measuring is one step further."""
        if isinstance(event, Race):
            self._is_plain_first = not event.is_plain_first
            self._show("lanes")
            view = self.query_one(RaceView)
            view.begin(event)
            view.focus()
        else:
            self.query_one(RaceProgress).event = event

    def end(self, *, is_complete: bool) -> None:
        """The measuring is over; broken off, the words wait to be changed."""
        if not is_complete or self.query_one(ContentSwitcher).current == "progress":
            self.query_one(Prompt).show(self._text)
            self.action_choose()

    def begin(self, text: str) -> None:
        """The race is being measured from now on."""
        self._text = text
        progress = self.query_one(RaceProgress)
        progress.event, progress.is_plain_first = None, self._is_plain_first
        self.query_one(Prompt).accept(text)
        words = " ".join(text.split())
        self.query_one(".asked", Static).update(Content.assemble(("▸ ", "$primary"), (words, "bold")))
        self._show("progress")
        progress.focus()

    def settings(self) -> RaceSettings:
        """As chosen; both arms of a sampled race get the same new seed."""
        is_greedy = self.query_one("#sampling", Cycle).value
        seed = random.randrange(1 << 31)
        length = self.query_one("#draft", Cycle).value
        return RaceSettings(
            max_tokens=self.query_one("#length", Cycle).value,
            sampling=GREEDY if is_greedy else replace(self._sampling(), seed=seed),
            speculation=SpeculationSettings(is_enabled=True, draft_length=length),
            is_plain_first=self._is_plain_first,
        )

    @on(PromptSent)
    def ask(self, message: PromptSent) -> None:
        message.stop()
        self.post_message(RaceWanted(message.text, self.settings()))

    @on(OptionList.OptionSelected)
    def ask_of_suite(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        prompt = self._prompts[int(message.option_id or 0)]
        self.post_message(RaceWanted(prompt.text, self.settings()))

    @on(RacePrompt.Left)
    def go_to_suite(self) -> None:
        if self.query_one(ContentSwitcher).current == "suite":
            options = self.query_one(OptionList)
            options.focus()
            if options.highlighted is None:
                options.action_first()
        elif self.query_one(ContentSwitcher).current == "lanes":
            self.query_one(RaceView).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        is_at_arms = self.query_one(ContentSwitcher).current == "lanes" if self.is_mounted else False
        return is_at_arms or action not in ("choose", "ask_again")

    def action_ask_again(self) -> None:
        self.post_message(RaceWanted(self._text, self.settings()))

    def action_choose(self) -> None:
        self._show("suite")
        self.query_one(Prompt).focus()

    def _show(self, what: str) -> None:
        self.query_one(ContentSwitcher).current = what
        self.set_class(what != "suite", "-racing")
        self.refresh_bindings()
