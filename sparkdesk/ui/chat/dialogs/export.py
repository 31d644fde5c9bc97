"""The dialog that writes a conversation into a file. Never overwrites without being told twice."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sparkdesk.atomic_file import write_whole
from sparkdesk.errors import SparkDeskError
from sparkdesk.local_path import expanded
from sparkdesk.safe_text import safe_line

MARKDOWN, JSON = "markdown", "json"
ENDINGS = {MARKDOWN: ".md", JSON: ".json"}
_LONGEST_NAME = 48


def suggested_path(title: str, form: str, *, home: Path, here: Path) -> Path:
    """A file that does not exist yet, in the user's documents where there is such a folder."""
    documents = home / "Documents"
    folder = documents if documents.is_dir() and os.access(documents, os.W_OK) else here
    name = file_name(title)
    path = folder / f"{name}{ENDINGS[form]}"
    number = 2
    while path.exists():
        path = folder / f"{name}-{number}{ENDINGS[form]}"
        number += 1
    return path


def file_name(title: str) -> str:
    """The title as every file system takes it, without an ending."""
    words = re.findall(r"\w+", title.lower())
    name = "-".join(words)[:_LONGEST_NAME].rstrip("-")
    return name or "conversation"


def other_ending(given: str, form: str) -> str:
    """The same path for the other form, where it has an ending of ours."""
    for ending in ENDINGS.values():
        if given.endswith(ending):
            return given.removesuffix(ending) + ENDINGS[form]
    return given


def why_not_there(path: Path) -> str:
    """Why nothing can be written to `path`, in a sentence; empty when it can. An existing file is no reason."""
    if path.is_dir():
        return f"{path} is a folder: add a file name."
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return f"You may not write to {path}."
    return ""


_FORMS = {MARKDOWN: "Markdown, as it is shown", JSON: "JSON, with everything"}


class FormChoice(Static):
    """One of the forms; a click chooses the other."""

    form: reactive[str] = reactive(MARKDOWN)

    def render(self) -> Content:
        lines = []
        for form, words in _FORMS.items():
            is_chosen = form == self.form
            style = "bold $primary" if is_chosen else "$spark-quiet"
            lines.append(Content.assemble(("● " if is_chosen else "○ ", style), (words, "bold" if is_chosen else "")))
        return Content("\n").join(lines)

    def on_click(self) -> None:
        self.flip()

    def flip(self) -> None:
        self.form = JSON if self.form == MARKDOWN else MARKDOWN


class ExportScreen(ModalScreen[Path | None]):
    """Returns where the conversation now is; None when the user gave up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Close", show=False, id="export.close"),
        Binding("up,down", "change_form", "Markdown or JSON", show=False, priority=True, id="export.form"),
    ]

    def __init__(self, title: str, make: Callable[[str], str], *, home: Path, here: Path) -> None:
        """`make` gives the text of a form and may raise a SparkDeskError."""
        super().__init__()
        self._title, self._make, self._home, self._here = title, make, home, here
        self._confirmed = ""
        """The path whose overwriting was announced."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content.assemble(("Export ", "bold"), f"“{safe_line(self._title)}”"), classes="title")
            yield FormChoice()
            yield Input(str(suggested_path(self._title, MARKDOWN, home=self._home, here=self._here)), compact=True)
            yield Static(classes="trouble")
            yield Static(
                Content.assemble(
                    ("Enter ", "bold $primary"), "writes it  ", ("↑↓ ", "bold $primary"), "form  ",
                    ("Esc ", "bold $primary"), "closes",
                ),
                classes="keys",
            )  # fmt: skip

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.watch(self.query_one(FormChoice), "form", self._follow_form, init=False)

    def _follow_form(self, form: str) -> None:
        field = self.query_one(Input)
        field.value = other_ending(field.value, form)

    @on(Input.Changed)
    def rest(self) -> None:
        self._confirmed = ""
        self._say("")

    @on(Input.Submitted)
    def write(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self._say("Give a path to write to.")
            return
        path = expanded(event.value.strip()).absolute()
        if trouble := why_not_there(path):
            self._say(trouble)
        elif path.exists() and self._confirmed != event.value:
            self._confirmed = event.value
            self._say(f"{path.name} exists already. Enter once more overwrites it.")
        else:
            self._export(path, self.query_one(FormChoice).form)

    @work(exclusive=True)
    async def _export(self, path: Path, form: str) -> None:
        try:
            text = await asyncio.to_thread(self._make, form)
            await asyncio.to_thread(write_whole, path, text)
        except SparkDeskError as error:
            self._say(str(error))
        except OSError as error:
            self._say(f"{path} cannot be written: {error.strerror or error}.")
        else:
            self.dismiss(path)

    def action_change_form(self) -> None:
        self.query_one(FormChoice).flip()

    def action_give_up(self) -> None:
        self.dismiss(None)

    def _say(self, trouble: str) -> None:
        self.query_one(".trouble", Static).update(Content.styled(safe_line(trouble), "$warning"))
