"""Asks how something is to be had: in which quantization, with what each takes and whether it fits."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.builder.catalog_state import BuildJob
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Progress
from sparkdesk.safe_text import safe_line
from sparkdesk.sizes import size_in_words
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.models.messages import AskAdvanced, Asked, Refused
from sparkdesk.ui.models.model_list import ModelList
from sparkdesk.ui.models.protocol import ModelManager
from sparkdesk.ui.models.rows import Bundled, Heading, Line, Row
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.event_queue import hear

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast, Option

_ANY = "-"
"""The row that stands for whatever there is."""
_UNKNOWN = "Its memory needs are only known after the download."


class DownloadScreen(ModalScreen[BuildJob | None]):
    """Answers with the order to be carried out; with None where the user left it at that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", show=False, tooltip="Ask the hub again", id="get.retry"),
        Binding("escape", "leave", "Close", show=False, tooltip="Close without downloading", id="get.close"),
    ]

    def __init__(self, manager: ModelManager, order: BuildJob, *, title: str, needs_target: bool = False) -> None:
        super().__init__()
        self._manager, self._order, self._heading, self._needs_target = manager, order, title, needs_target
        self.forecast: Forecast | None = None
        self.is_refused = False
        """The last question was not answered, and may be asked again."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(safe_line(self._heading), classes="title", markup=False)
            if self._needs_target:
                yield Static(
                    "Its target: a repository, GGUF file or checkpoint folder. Enter looks it up.", classes="lead"
                )
                yield Input(self._order.target, placeholder="Owner/Model")
            yield Static("", id="said", markup=False)
            yield ModelList()
            yield Static("", id="why", markup=False)
            yield Static(f"{key_name(self, 'get.close')} closes", classes="lead")

    def on_mount(self) -> None:
        self.query_one(ModelList).display = False
        if not self._needs_target or self._order.target:
            self._begin()

    @on(Input.Submitted)
    def take_target(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._order = replace(self._order, target=event.value.strip())
            self._begin()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.is_refused if action == "retry" else super().check_action(action, parameters)

    def action_retry(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.is_refused = False
        self._say("Asking the hub …")
        self.ask(self._order)

    @work(thread=True, exclusive=True, group="ask", exit_on_error=False)
    def ask(self, order: BuildJob) -> None:
        worker = get_current_worker()
        try:
            found = hear(
                self._manager.ask(order),
                lambda event: self.post_message(AskAdvanced(event)),
                lambda: worker.is_cancelled,
            )
        except SparkDeskError as error:
            self.post_message(Refused(error.message, error.hint))
        else:
            if not worker.is_cancelled:
                self.post_message(Asked(found))

    @on(AskAdvanced)
    def show_asking(self, message: AskAdvanced) -> None:
        event = message.event
        text = f"{event.step} …" if isinstance(event, Progress) else event.text
        if text:
            self._say(text)

    @on(Asked)
    def offer(self, message: Asked) -> None:
        self.forecast = forecast = message.forecast
        options = self.query_one(ModelList)
        options.display = True
        if forecast is None:
            self._say(_UNKNOWN)
            options.show((Row(_ANY, (f"Download {self._order.name}",), Bundled("")),))
        else:
            download = size_in_words(forecast.download_bytes)
            self._say(f"{download} to download in {forecast.chosen.quantization}." if forecast.download_bytes else "")
            options.show(_offers(forecast))
            taken = forecast.smaller or forecast.chosen
            options.choose(taken.quantization)
        options.focus()

    @on(Refused)
    def refuse(self, message: Refused) -> None:
        retry = "Enter retries" if self.query(Input) else f"{key_name(self, 'get.retry')} retries"
        self.query_one("#said", Static).update(f"✗ {safe_line(message.cause)} {safe_line(message.hint)}  {retry}.")
        self.is_refused = True
        self.query_one("#said").add_class("-bad")
        for field in self.query(Input):
            field.focus()

    @on(Worker.StateChanged)
    def show_surprise(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.post_message(Refused(unexpected(event.worker.error), BUG_HINT))

    @on(OptionList.OptionHighlighted)
    def explain(self) -> None:
        chosen = self._chosen()
        self.query_one("#why", Static).update(f"{chosen.plan.why} {chosen.plan.advice}".strip() if chosen else "")

    @on(OptionList.OptionSelected)
    def take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key = event.option_id or _ANY
        self.dismiss(replace(self._order, quantization="" if key == _ANY else key))

    def action_leave(self) -> None:
        self.dismiss(None)

    def _chosen(self) -> "Option | None":
        row = self.query_one(ModelList).chosen
        options = self.forecast.options if self.forecast is not None else ()
        return next((each for each in options if row is not None and each.quantization == row.key), None)

    def _say(self, text: str) -> None:
        said = self.query_one("#said", Static)
        said.remove_class("-bad")
        said.update(safe_line(text))


def _offers(forecast: "Forecast") -> Iterator[Line]:
    yield Heading(("Quantization", "file", "in memory", ""))
    for option in forecast.options:
        memory = size_in_words(option.plan.need.total_bytes)
        name = option.quantization or "the file"
        yield Row(
            option.quantization or _ANY,
            (name, size_in_words(option.size_bytes), memory, _fit(forecast, option)),
            Bundled(""),
        )


def _fit(forecast: "Forecast", option: "Option") -> str:
    if not option.plan.fits:
        return "too large"
    words = "fits" if not option.plan.advice else f"{option.plan.gpu_layers} layers on the GPU"
    return f"{words} (default)" if option == forecast.chosen else words
