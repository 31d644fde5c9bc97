"""The part of the chat screen that keeps conversations: the sidebar, and opening, renaming, deleting, exporting."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerState

from sparkdesk.errors import SparkDeskError
from sparkdesk.ui.chat import sidebar_messages, status_lines
from sparkdesk.ui.chat.replies import ReplyingScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.prompt import Prompt
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.keys import key_name

if TYPE_CHECKING:
    from sparkdesk.ui.chat.widgets.sidebar import Sidebar

_SIDE_WORK = ("list", "saved", "history", "count", "attach")


@dataclass(frozen=True, slots=True)
class _Deleted:
    key: int
    title: str
    was_open: bool


class KeepingScreen(ReplyingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "f9",
            "conversations",
            "Chats",
            id="chat.conversations",
            tooltip="Show or leave the conversations kept",
        ),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._sidebar: Sidebar | None = None
        self._deleted: list[_Deleted] = []
        self._knows_saved = False
        self._after_reply: Callable[[], Awaitable[None]] | None = None
        self._told_not_kept = ""

    def focus_prompt(self) -> None:
        self.query_one(Prompt).focus()

    async def between_replies(self, act: Callable[[], Awaitable[None]]) -> None:
        """Now, or in mid-reply: stop the reply and do it after its end."""
        if self.stage is Stage.REPLYING:
            self._after_reply = act
            self.desk.conversation.stop()
        else:
            await act()

    async def when_settled(self) -> None:
        self._tell_once(self.desk.conversation.not_kept)
        act, self._after_reply = self._after_reply, None
        if act is not None:
            await act()
        else:
            self.refresh_kept()

    def _tell_once(self, not_kept: str) -> None:
        """The chat goes on without its history, and says so when that begins."""
        if not_kept and not_kept != self._told_not_kept:
            self.notify(not_kept, severity="error", timeout=15, markup=False)
        self._told_not_kept = not_kept

    async def action_new_conversation(self) -> None:
        if self.model is not None:
            await self.between_replies(self._begin_conversation)

    async def _begin_conversation(self) -> None:
        self.desk.start_conversation()
        await self.show_conversation()

    async def switch_pair(self, name: str) -> None:
        """Load another pair of the library; the conversation goes on with it."""
        if self.stage is Stage.OPENING:
            self.notify(f"A model is being loaded. {key_name(self, 'chat.stop')} cancels that.", severity="warning")
            return
        if self.desk.is_measuring:
            self.notify(self.why_bench_first(), severity="warning")
            return
        await self.between_replies(partial(self.start, partial(self.desk.switch, name), name))

    # The sidebar

    async def action_conversations(self) -> None:
        """Comes with the keys in it, leaves when it has them, and takes them when it stands beside unused."""
        if self._sidebar is None:
            from sparkdesk.ui.chat.widgets.sidebar import Sidebar

            self._sidebar = Sidebar()
            self._sidebar.set_reactive(Sidebar.open_key, self.desk.conversation.key)
            await self.query_one("#body").mount(self._sidebar, before=0)
            self._sidebar.come()
        elif self._sidebar.display and self._sidebar.has_focus_within:
            self.leave_sidebar()
        else:
            self._sidebar.come()

    @on(sidebar_messages.SidebarClosed)
    def leave_sidebar(self) -> None:
        if self._sidebar is not None:
            self._sidebar.display = False
        self.focus_prompt()

    def refresh_kept(self) -> None:
        """Something changed about what is kept, or which of it is open."""
        if self._sidebar is not None:
            self._sidebar.open_key = self.desk.conversation.key
            if self._sidebar.display:
                self.bring_list(self._sidebar.words)

    # What is kept

    @on(sidebar_messages.ListAsked)
    def ask_for_list(self, message: sidebar_messages.ListAsked) -> None:
        self.bring_list(message.words)

    @work(thread=True, exclusive=True, group="list", exit_on_error=False)
    def bring_list(self, words: str) -> None:
        history = self.desk.history
        try:
            found = history.search(words) if words else history.newest()
        except SparkDeskError as error:
            self.post_message(sidebar_messages.HistoryFailed(error.message, error.hint))
        else:
            self.post_message(sidebar_messages.ListBrought(words, found))

    @work(thread=True, group="saved", exit_on_error=False)
    def bring_saved(self) -> None:
        """Once, at the start; what follows is added as it comes."""
        try:
            self.post_message(sidebar_messages.SavedTold(self.desk.history.saved_ms()))
        except SparkDeskError as error:
            self.post_message(sidebar_messages.HistoryFailed(error.message, error.hint))

    @on(sidebar_messages.SavedTold)
    def show_saved(self, message: sidebar_messages.SavedTold) -> None:
        in_all = self.meter.in_all
        self.meter.in_all = replace(in_all, saved_ms=in_all.saved_ms + message.saved_ms)
        self.figures = self.meter.figures()

    @on(sidebar_messages.ListBrought)
    def show_list(self, message: sidebar_messages.ListBrought) -> None:
        if self._sidebar is not None and message.words == self._sidebar.words:
            self._sidebar.show(message.found)

    @on(sidebar_messages.HistoryFailed)
    def show_history_trouble(self, message: sidebar_messages.HistoryFailed) -> None:
        if self._sidebar is not None and self._sidebar.display:
            self._sidebar.say_trouble(message.cause, message.hint)
        else:
            self.notify(f"{message.cause} {message.hint}".strip(), severity="error", timeout=10)

    @on(Worker.StateChanged)
    def show_failed_work(self, event: Worker.StateChanged) -> None:
        """What no one expected, in the workers beside the reply and the opening."""
        error = event.worker.error
        if event.worker.group in _SIDE_WORK and event.state is WorkerState.ERROR and error is not None:
            self.notify(f"{status_lines.unexpected(error)} This is a bug in SparkDesk.", severity="error", timeout=15)

    @work(group="history", exit_on_error=False)
    async def change_kept(self, change: Callable[[], None], then: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(change)
        except SparkDeskError as error:
            self.post_message(sidebar_messages.HistoryFailed(error.message, error.hint))
        else:
            then()
            self.refresh_kept()

    # Opening

    @on(sidebar_messages.ConversationPicked)
    async def open_picked(self, message: sidebar_messages.ConversationPicked) -> None:
        if self._sidebar is not None and not self._sidebar.has_room_beside:
            self._sidebar.display = False
        self.focus_prompt()
        if message.key != self.desk.conversation.key:
            await self.open_kept(message.key)

    async def open_kept(self, key: int) -> None:
        """In mid-reply the reply is stopped first, and kept."""
        if self.stage is Stage.OPENING:
            self.notify("The model is still loading.", severity="warning")
            return
        await self.between_replies(partial(self._open_kept, key))

    async def _open_kept(self, key: int) -> None:
        try:
            await asyncio.to_thread(self.desk.open_conversation, key)
        except SparkDeskError as error:
            self.post_message(sidebar_messages.HistoryFailed(error.message, error.hint))
            return
        await self.show_conversation()

    @on(sidebar_messages.NewAsked)
    async def begin_new(self) -> None:
        if self._sidebar is not None and not self._sidebar.has_room_beside:
            self._sidebar.display = False
        self.focus_prompt()
        await self.action_new_conversation()

    # Changing

    @on(sidebar_messages.RenameAsked)
    def rename_kept(self, message: sidebar_messages.RenameAsked) -> None:
        self.change_kept(partial(self.desk.history.rename, message.key, message.title), lambda: None)

    @on(sidebar_messages.DeleteAsked)
    async def delete_kept(self, message: sidebar_messages.DeleteAsked) -> None:
        deleted = _Deleted(message.key, message.title, was_open=message.key == self.desk.conversation.key)
        if deleted.was_open and self.stage is Stage.OPENING:
            self.notify("The model is still loading.", severity="warning")
        elif deleted.was_open:
            await self.between_replies(partial(self._delete_open, deleted))
        else:
            self._delete(deleted)

    async def _delete_open(self, deleted: _Deleted) -> None:
        try:
            await asyncio.to_thread(self.desk.history.delete, deleted.key)
        except SparkDeskError as error:
            self.post_message(sidebar_messages.HistoryFailed(error.message, error.hint))
            return
        self._tell_deleted(deleted)
        await self._begin_conversation()

    def _delete(self, deleted: _Deleted) -> None:
        self.change_kept(partial(self.desk.history.delete, deleted.key), partial(self._tell_deleted, deleted))

    def _tell_deleted(self, deleted: _Deleted) -> None:
        self._deleted.append(deleted)
        if self._sidebar is not None:
            self._sidebar.say_deleted(deleted.title)

    @property
    def deleted_title(self) -> str:
        """Of the conversation that was deleted last and can be brought back."""
        return self._deleted[-1].title if self._deleted else ""

    @on(sidebar_messages.UndeleteAsked)
    def bring_back(self) -> None:
        """The last one deleted; once more, the one before."""
        if not self._deleted:
            self.notify("Nothing was deleted since the start.", severity="warning")
            return
        back = self._deleted.pop()

        def tell() -> None:
            if self._sidebar is not None:
                self._sidebar.forget_deleted()
            if back.was_open and not self.desk.conversation.messages:
                self.post_message(sidebar_messages.ConversationPicked(back.key))

        self.change_kept(partial(self.desk.history.undelete, back.key), tell)

    @on(sidebar_messages.ExportAsked)
    def export_kept(self, message: sidebar_messages.ExportAsked) -> None:
        from sparkdesk.ui.chat.dialogs.export import ExportScreen

        def tell(path: Path | None) -> None:
            if path is not None:
                self.notify(f"Exported to {path}.")

        make = partial(self.desk.history.export, message.key)
        dialog = ExportScreen(message.title, make, home=Path.home(), here=Path.cwd())
        self.app.push_screen(dialog, tell)

    def action_export(self) -> None:
        key, title = self.desk.conversation.key, self.desk.conversation.title
        if key is None:
            self.notify("There is nothing to export yet.", severity="warning")
        else:
            self.export_kept(sidebar_messages.ExportAsked(key, title))
