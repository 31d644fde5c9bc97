"""The models screen: what is here, what can be had, and getting it. Owns the workers that look and that build."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.builder.catalog_state import BuildJob, Contents, Listed
from sparkdesk.errors import SparkDeskError
from sparkdesk.hub.search import DRAFT as DRAFT_HIT
from sparkdesk.hub.search import Hit
from sparkdesk.library.model import Model, Pair, Partial
from sparkdesk.safe_text import safe_line
from sparkdesk.sizes import size_in_words
from sparkdesk.ui import messages
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.models import messages as reports
from sparkdesk.ui.models.facts import facts_of
from sparkdesk.ui.models.job_panel import JobPanel
from sparkdesk.ui.models.jobs import JobQueue
from sparkdesk.ui.models.model_details import ModelDetails
from sparkdesk.ui.models.model_list import ModelList
from sparkdesk.ui.models.protocol import ModelManager
from sparkdesk.ui.models.rows import (
    INCOMPLETE,
    INSTALLED,
    SEARCH,
    SECTIONS,
    Line,
    Row,
    opened_by,
    path_of,
    rows_incomplete,
    rows_installed,
    rows_of_catalogue,
    rows_of_hits,
)
from sparkdesk.ui.models.sections import Sections
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.banner import Banner
from sparkdesk.ui.shared.event_queue import hear
from sparkdesk.ui.shared.key_bar import KeyBar

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.fit import Plan
    from sparkdesk.library.removal import Removal


class ModelsScreen(Screen[None]):
    CSS_PATH = "models.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop_work", "Stop", tooltip="Stop the download; what was downloaded is kept", id="models.stop"),
        Binding("c", "again", "Resume", show=False, tooltip="Resume what was stopped or failed", id="models.again"),
        Binding("o", "open_got", "Open", show=False, tooltip="Open the pair that is ready", id="models.open"),
        Binding("left", "turn(-1)", "Section before", show=False, tooltip="Show the section before", id="models.left"),
        Binding("right", "turn(1)", "Section", tooltip="Show the next section", id="models.right"),
        *(
            Binding(str(number), f"go_to({key!r})", name, show=False, id=f"models.section-{number}")
            for number, (key, name) in enumerate(SECTIONS.items(), 1)
        ),
        Binding("slash", "search", "Search", tooltip="Search the hub", id="models.search"),
        Binding(
            "g", "get", "Download", show=False, tooltip="Download it in a quantization of your choice", id="models.get"
        ),
        Binding("delete,d", "remove", "Remove", tooltip="Remove it (asks first)", id="models.remove"),
        Binding("a", "clear", "Remove all", tooltip="Remove all interrupted downloads (asks first)", id="models.clear"),
        Binding("y", "copy_path", "Copy path", tooltip="Copy the path of its file or folder", id="models.copy"),
        Binding("r", "read", "Refresh", show=False, tooltip="Read the lists again", id="models.read"),
        Binding(
            "escape",
            "leave",
            "Chat",
            tooltip="Leave the search field, or go back to the chat; builds continue",
            id="models.back",
        ),
    ]

    section: reactive[str] = reactive(INSTALLED, init=False)

    def __init__(self, manager: ModelManager) -> None:
        super().__init__()
        self.manager = manager
        self._job_panel = JobPanel()
        self.jobs = JobQueue(self._job_panel, manager)
        self.action_stop_work, self.action_again = self.jobs.stop, self.jobs.again
        self.action_open_got = self.jobs.open_result
        self.contents: Contents | None = None
        self._hits: tuple[str, list[Hit]] | None = None
        self._plans: dict[str, Plan | None] = {}
        self.asked: dict[str, Forecast | None] = {}
        """What the hub said, by the name that was asked for."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="shelf-bar"):
            yield Static("✦ Models", classes="title")
            yield Sections(SECTIONS)
            yield Static("", id="free")
        yield Input(placeholder="Part of a name, such as qwen3-8b; Enter searches the hub", id="text")
        with Container(id="shelf"):
            yield ModelList()
            yield ModelDetails()
        yield Banner()
        yield self._job_panel
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Sections).shown = self.section
        self.query_one("#text").display = False
        self.query_one(ModelList).focus()

    def on_screen_resume(self) -> None:
        self.action_read()

    # The lists

    def watch_section(self) -> None:
        self.query_one(Sections).shown = self.section
        self.query_one(Banner).rest()
        field = self.query_one("#text", Input)
        field.display = self.section == SEARCH
        self.show_list()
        if self.section == SEARCH and self._hits is None:
            field.focus()
        else:
            self.query_one(ModelList).focus()
        self.refresh_bindings()

    async def action_leave(self) -> None:
        """Out of the field first: from the list, all keys work again."""
        if self.query_one("#text").has_focus:
            self.query_one(ModelList).focus()
        else:
            await self.app.run_action("go_back")

    @on(Sections.Asked)
    def show_section(self, message: Sections.Asked) -> None:
        self.section = message.key

    def action_go_to(self, section: str) -> None:
        self.section = section

    def action_turn(self, step: int) -> None:
        keys = list(SECTIONS)
        self.section = keys[(keys.index(self.section) + step) % len(keys)]

    def action_search(self) -> None:
        self.section = SEARCH
        self.query_one("#text").focus()

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def action_read(self) -> None:
        try:
            self.post_message(reports.ContentsRead(self.manager.contents(), self.manager.free()))
        except SparkDeskError as error:
            self.post_message(reports.Refused(error.message, error.hint, f"{key_name(self, 'models.read')} retries"))

    @on(reports.ContentsRead)
    def take_contents(self, message: reports.ContentsRead) -> None:
        self.contents = message.contents
        self._plans.clear()
        self.query_one("#free", Static).update(f"{message.free} free" if message.free else "")
        self.show_list()
        if message.contents.problem:
            self.query_one(Banner).warn(message.contents.problem, "Showing the built-in catalogue only.", "")

    def show_list(self) -> None:
        self.query_one(ModelList).show(self._lines())
        self.show_details()

    def _lines(self) -> Iterable[Line]:
        if self.contents is None:
            return ()
        match self.section:
            case "installed":
                return rows_installed(self.contents, bundled=self.manager.bundled, now_s=time.time())
            case "catalogue":
                return rows_of_catalogue(self.contents, self.asked)
            case "search":
                text, hits = self._hits if self._hits is not None else ("", None)
                return rows_of_hits(hits, text)
            case _:
                return rows_incomplete(self.contents.library)

    # The chosen row

    @property
    def chosen(self) -> Row | None:
        return self.query_one(ModelList).chosen

    @on(OptionList.OptionHighlighted)
    def show_details(self) -> None:
        self.refresh_bindings()
        row = self.chosen
        if row is None or self.contents is None:
            self.query_one(ModelDetails).show(())
            return
        name = row.item.entry.name if isinstance(row.item, Listed) else row.key.removeprefix("hit ")
        facts = facts_of(row, self.contents.library, plan=self._plans.get(row.key), forecast=self.asked.get(name))
        self.query_one(ModelDetails).show(facts)
        target, draft = _to_load(row)
        if target is not None and row.key not in self._plans:
            self.find_fit(row.key, target, draft)

    @work(thread=True, exclusive=True, group="fit", exit_on_error=False)
    def find_fit(self, key: str, target: Model, draft: Model | None) -> None:
        self.post_message(reports.FitKnown(key, self.manager.fit(target, draft)))

    @on(reports.FitKnown)
    def take_fit(self, message: reports.FitKnown) -> None:
        if message.plan is not None:
            self._plans[message.key] = message.plan
            if self.chosen is not None and self.chosen.key == message.key:
                self.show_details()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return False
        row = self.chosen
        item = row.item if row is not None else None
        match action:
            case "get":
                return isinstance(item, Listed | Hit)
            case "remove":
                return isinstance(item, Pair | Model | Partial)
            case "copy_path":
                return item is not None and path_of(item) is not None
            case "clear":
                has_any = self.contents is not None and bool(self.contents.library.partials)
                return self.section == INCOMPLETE and has_any
        return self.jobs.allows(action)

    @on(OptionList.OptionSelected)
    def choose(self) -> None:
        row = self.chosen
        if row is None:
            return
        name = opened_by(row.item, self.manager.bundled)
        if name:
            self.post_message(messages.PairChosen(name))
        elif isinstance(row.item, Listed | Hit):
            self.action_get()
        elif isinstance(row.item, Partial):
            self.jobs.resume(row.item, row.cells[0])
        else:
            self.query_one(Banner).warn(row.trouble or "A draft cannot chat on its own.", _way_out(row), "")

    def action_get(self) -> None:
        from sparkdesk.ui.models.download_dialog import DownloadScreen

        row = self.chosen
        if row is None or not isinstance(row.item, Listed | Hit):
            return
        order, title = _order(row.item)
        needs_target = isinstance(row.item, Hit) and row.item.role == DRAFT_HIT
        screen = DownloadScreen(self.manager, order, title=title, needs_target=needs_target)

        def answer(chosen: BuildJob | None) -> None:
            if screen.forecast is not None:
                self.asked[order.name] = screen.forecast
                self.show_list()
            if chosen is not None:
                self.jobs.add(chosen)

        self.app.push_screen(screen, answer)

    def on_key(self, event: events.Key) -> None:
        if event.key == "down" and self.query_one("#text").has_focus:
            self.query_one(ModelList).focus()

    @on(Input.Submitted, "#text")
    def begin_search(self, event: Input.Submitted) -> None:
        self.query_one(Banner).tell("Searching the hub …")
        self.search(event.value.strip())

    @work(thread=True, exclusive=True, group="search", exit_on_error=False)
    def search(self, text: str) -> None:
        worker = get_current_worker()
        try:
            hits = hear(self.manager.search(text), lambda event: None, lambda: worker.is_cancelled)
        except SparkDeskError as error:
            self.post_message(reports.Refused(error.message, error.hint, retry="Enter in the search field retries"))
        else:
            if hits is not None:
                self.post_message(reports.HitsFound(text, hits))

    @on(reports.HitsFound)
    def take_hits(self, message: reports.HitsFound) -> None:
        self._hits = (message.text, message.hits)
        self.query_one(Banner).rest()
        if self.section == SEARCH:
            self.show_list()
            if message.hits:
                self.query_one(ModelList).focus()

    def action_copy_path(self) -> None:
        path = path_of(self.chosen.item) if self.chosen is not None else None
        if path is not None:
            self.app.copy_to_clipboard(str(path))
            self.notify(f"Copied {safe_line(str(path))}", timeout=3, markup=False)

    # Removing

    def action_remove(self) -> None:
        row = self.chosen
        if row is not None and isinstance(row.item, Pair | Model | Partial):
            self.plan_removal(row.item)

    def action_clear(self) -> None:
        self.plan_removal(None)

    @work(thread=True, exclusive=True, group="remove", exit_on_error=False)
    def plan_removal(self, what: Pair | Model | Partial | None) -> None:
        try:
            self.post_message(reports.RemovalPlanned(self.manager.plan_removal(what)))
        except SparkDeskError as error:
            self.post_message(reports.Refused(error.message, error.hint))

    @on(reports.RemovalPlanned)
    def ask_removal(self, message: reports.RemovalPlanned) -> None:
        from sparkdesk.ui.models.remove_dialog import RemoveScreen

        removal = message.removal
        if not (removal.files or removal.folders):
            self.query_one(Banner).tell("Nothing to remove: downloads in progress are kept.")
            return

        def answer(is_yes: bool | None) -> None:
            if is_yes:
                self.remove_it(removal)

        self.app.push_screen(RemoveScreen(removal), answer)

    @work(thread=True, exclusive=True, group="remove", exit_on_error=False)
    def remove_it(self, removal: "Removal") -> None:
        try:
            self.manager.remove(removal)
        except SparkDeskError as error:
            self.post_message(reports.Refused(error.message, error.hint))
        else:
            self.post_message(reports.Removed(removal.what, removal.freed_bytes))

    @on(reports.Removed)
    def after_removal(self, message: reports.Removed) -> None:
        self.query_one(Banner).tell(f"Removed {message.what}: {size_in_words(message.freed_bytes)} freed.")
        self.action_read()

    # What goes wrong

    @on(reports.Refused)
    def refuse(self, message: reports.Refused) -> None:
        self.query_one(Banner).warn(message.cause, message.hint, message.retry)

    @on(Worker.StateChanged)
    def show_surprise(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            self.query_one(Banner).warn(unexpected(error), BUG_HINT, "")

    @on(reports.JobEnded)
    def after_job(self) -> None:
        """What is here has changed."""
        self.action_read()


def _to_load(row: Row) -> tuple[Model | None, Model | None]:
    """Target and draft of what could be opened."""
    match row.item:
        case Pair(target=target, draft=draft) if not row.trouble:
            return target, draft
        case Model(role="target") as model if model.is_usable:
            return model, None
    return None, None


def _order(item: Listed | Hit) -> tuple[BuildJob, str]:
    if isinstance(item, Listed):
        return BuildJob(item.entry.name), f"Download {item.entry.title}: target and draft"
    name = item.model.name
    if item.role != DRAFT_HIT:
        return BuildJob(name, is_pair=False), f"Download {name}"
    base = (tag.rpartition(":")[2] for tag in item.model.tags if tag.startswith("base_model:"))
    return BuildJob(name.rpartition("/")[2].lower(), draft=name, target=next(base, "")), f"Build a pair with {name}"


def _way_out(row: Row) -> str:
    is_pair = isinstance(row.item, Pair)
    again = "Build it again, or remove it." if is_pair else "Remove it, or download it again."
    return again if is_pair or row.trouble else "Open a target or a pair."
