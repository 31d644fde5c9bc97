"""Every setting and every key: what it means, what holds and why, changed in place and kept in the user's file."""

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static

from sparkdesk.errors import SparkDeskError
from sparkdesk.ui import keys
from sparkdesk.ui.appearance import check, dress
from sparkdesk.ui.keys import grouped, key_name
from sparkdesk.ui.settings.preferences import Entry, Preferences
from sparkdesk.ui.settings.rows import SettingRows, about, shown_value
from sparkdesk.ui.shared.key_bar import KeyBar


class SettingsScreen(Screen[None]):
    CSS_PATH = "settings.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", tooltip="To the chat, or leave a value as it was", id="settings.close"),
        Binding("space", "edit", "Edit", tooltip="Change the setting in front", id="settings.edit"),
        Binding("delete,backspace", "reset", "Default", tooltip="Back to the default", id="settings.reset"),
        Binding("ctrl+r", "reload", "Reload", tooltip="Load the model with what was changed", id="settings.reload"),
    ]

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        self._entries: dict[str, Entry] = {}

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("✦ Settings", "bold $primary"), f"  {self._preferences.path}"), classes="bar")
        yield SettingRows()
        with Vertical(id="about"):
            yield Static(id="words")
            yield Input(id="edited", compact=True)
            yield Static(id="trouble")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.query_one(SettingRows).focus()
        self.call_after_refresh(self.read)

    def on_resize(self) -> None:
        self._show()

    def on_screen_resume(self) -> None:
        self.read()

    def read(self) -> None:
        """What the file says now, which someone may have edited."""
        try:
            self._preferences.read()
        except SparkDeskError as error:
            self._warn(f"{error} Until then nothing can be changed here.")
        else:
            self._warn("")
        self._show()

    def _show(self) -> None:
        settings = self._preferences.entries()
        key_entries = self._preferences.key_entries(
            binding for _, group in grouped(keys.everything()) for binding in group
        )
        self._entries = {entry.name: entry for entry in (*settings, *key_entries)}
        self.query_one(SettingRows).show(settings, key_entries)

    # Editing

    @property
    def _in_front(self) -> Entry | None:
        rows = self.query_one(SettingRows)
        option = rows.highlighted_option
        return self._entries.get(option.id or "") if option else None

    @on(OptionList.OptionHighlighted)
    def explain(self) -> None:
        if entry := self._in_front:
            self.query_one("#words", Static).update(about(entry, reload_key=key_name(self, "settings.reload")))

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        entry = self._in_front
        if entry is None:
            return
        if entry.name == "theme":
            self.app.action_change_theme()
        elif entry.wanted == "true or false":
            now = entry.in_file or entry.value
            self._keep(entry, "false" if now == "true" else "true")
        else:
            field = self.query_one(Input)
            field.value = entry.in_file or entry.value
            field.display = True
            field.focus()

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        entry = self._in_front
        if entry is None:
            return
        try:
            is_kept = self._keep(entry, event.value)
        except ValueError:
            self._warn(f"{entry.title} must be {entry.wanted}.")
            return
        if is_kept:
            self._end_editing()

    def action_reset(self) -> None:
        if entry := self._in_front:
            self._keep(entry, None)

    def _keep(self, entry: Entry, text: str | None) -> bool:
        """In the file; nothing is the default. Whether that went well."""
        try:
            if text is None:
                self._preferences.reset(entry, check=partial(check, self.app))
            else:
                self._preferences.change(entry, text, check=partial(check, self.app))
            dress(self.app, self._preferences.read())
        except SparkDeskError as error:
            self._warn(str(error))
            return False
        self._warn("")
        self._show()
        self.explain()
        after = self._entries[entry.name]
        self.notify(f"{entry.title}: {shown_value(after)}.", timeout=2)
        return True

    def _end_editing(self) -> None:
        self.query_one(Input).display = False
        self.query_one(SettingRows).focus()

    def _warn(self, words: str) -> None:
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(words)
        trouble.update(Content.assemble(("✗ ", "bold $error"), words))

    # Leaving

    async def action_close(self) -> None:
        if self.query_one(Input).display:
            self._end_editing()
            self.read()
        else:
            await self.app.run_action("app.go_back")

    async def action_reload(self) -> None:
        await self.app.run_action("app.go_back")
        await self.app.run_action("screen.reload")
