"""Which conversation is open, and what becomes of the others: the sidebar, opening, deleting, exporting."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from sparkdesk.errors import SparkDeskError
from sparkdesk.local_path import home_folder
from sparkdesk.ui.chat.loading import ModelLoader
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.reply_controller import ReplyController
from sparkdesk.ui.chat.sidebar_messages import (
    ConversationPicked,
    ConversationUndeleted,
    DeleteAsked,
    ExportAsked,
    HistoryFailed,
    NewAsked,
    SidebarClosed,
    SidebarMessage,
)
from sparkdesk.ui.chat.state import Stage, why_bench_first
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.keys import key_name

if TYPE_CHECKING:
    from sparkdesk.ui.chat.widgets.sidebar import Sidebar

Act = Callable[[], Awaitable[None]]


@dataclass
class ConversationOpened(Message):
    """Another one became the backend's."""


class Conversations:
    """Posts ConversationOpened. What would end a reply waits for its end; nothing that waits is lost."""

    def __init__(self, view: ChatView, backend: ChatBackend, loader: ModelLoader, replies: ReplyController) -> None:
        self._view, self._backend, self._loader, self._replies = view, backend, loader, replies
        self._sidebar: Sidebar | None = None
        self._waiting: list[Act] = []
        self._waiting_load: Act | None = None
        """Comes after all that waits, for it goes on when it has only begun."""

    async def handle(self, message: SidebarMessage) -> None:
        """What the sidebar asks for."""
        match message:
            case ConversationPicked(key):
                await self.open(key)
            case NewAsked():
                await self.begin()
            case DeleteAsked():
                await self._delete_between_replies(message)
            case ConversationUndeleted(key, was_open):
                if was_open and not self._backend.conversation.messages:  # nothing was said since
                    await self.open(key)
            case ExportAsked(key, title):
                self._export(key, title)
            case HistoryFailed(cause, hint):
                self._report(cause, hint)
            case SidebarClosed():
                self._close_sidebar()

    # Between replies

    async def after_reply(self) -> None:
        self.watch_history()
        while self._waiting:
            await self._waiting[0]()
            del self._waiting[0]
        load, self._waiting_load = self._waiting_load, None
        if load is not None:
            await load()
        self.refresh()

    async def _between_replies(self, act: Act) -> None:
        """Now, or in mid-reply: stop the reply and do it after its end, in the order in which it was asked for."""
        if self._view.stage is Stage.REPLYING or self._waiting:
            self._waiting.append(act)
            self._replies.stop()
        else:
            await act()

    async def reload(self) -> None:
        """The model. In mid-reply, so only where the engine does not react, that reply is ended first and kept."""
        if self._view.stage is Stage.REPLYING:
            self._waiting_load = self._loader.reload
            await asyncio.to_thread(self._backend.conversation.abandon)
        else:
            await self._loader.reload()

    def watch_history(self) -> None:
        """The chat goes on without its history; the screen says so for as long, and aloud at the beginning."""
        if self._view.stage is Stage.LOADING:
            return
        before, self._view.not_kept = self._view.not_kept, self._backend.conversation.not_kept
        if self._view.not_kept and not before:
            self._view.notify(self._view.not_kept, severity="error", timeout=15, markup=False)
        elif before and not self._view.not_kept:
            self._view.notify("The history is kept again, with everything that was said.", timeout=8)

    def lost_by_leaving(self) -> str:
        """Why the open conversation is not kept; empty where it is, or has nothing in it."""
        if not self._view.not_kept:
            return ""
        conversation = self._backend.conversation
        return conversation.not_kept if conversation.messages else ""

    def _is_loading(self) -> bool:
        is_loading = self._view.stage is Stage.LOADING
        if is_loading:
            self._view.notify("The model is still loading.", severity="warning")
        return is_loading

    # Opening

    async def begin(self) -> None:
        """A new one."""
        if self._view.model is not None:
            self._return_to_prompt()
            await self._between_replies(self._begin)

    async def open(self, key: int) -> None:
        """In mid-reply the reply is stopped first, and kept."""
        self._return_to_prompt()
        is_open = key == self._backend.conversation.key and not self._waiting
        if not is_open and not self._is_loading():
            await self._between_replies(partial(self._open, key))

    async def switch_model(self, name: str) -> None:
        """Load another pair of the library; the conversation goes on with it."""
        key = partial(key_name, self._view)
        if self._view.stage is Stage.LOADING:
            self._view.notify(f"A model is being loaded. {key('chat.stop')} cancels that.", severity="warning")
        elif self._backend.is_measuring:
            self._view.notify(why_bench_first(key), severity="warning")
        elif self._view.stage is Stage.REPLYING:
            self._waiting_load = partial(self._loader.switch, name)
            self._replies.stop()
        else:
            await self._loader.switch(name)

    async def _begin(self) -> None:
        self._backend.start_conversation()
        self._view.tell(ConversationOpened())

    async def _open(self, key: int) -> None:
        try:
            await asyncio.to_thread(self._backend.open_conversation, key)
        except SparkDeskError as error:
            self._report(error.message, error.hint)
        else:
            self._view.tell(ConversationOpened())

    # Deleting

    async def _delete_between_replies(self, message: DeleteAsked) -> None:
        """One that is open, or about to be, after the reply in it."""
        if message.key == self._backend.conversation.key and self._is_loading():
            return
        if message.key == self._backend.conversation.key or self._waiting:
            await self._between_replies(partial(self._delete, message))
        else:
            await self._delete(message)

    async def _delete(self, message: DeleteAsked) -> None:
        try:
            await asyncio.to_thread(self._backend.history.delete, message.key)
        except SparkDeskError as error:
            self._report(error.message, error.hint)
            return
        was_open = message.key == self._backend.conversation.key
        if self._sidebar is not None:
            self._sidebar.tell_deleted(message, was_open=was_open)
        if was_open:
            await self._begin()
        self.refresh()

    @property
    def deleted_title(self) -> str:
        """Of the conversation that was deleted last and can be brought back."""
        return self._sidebar.deleted_title if self._sidebar is not None else ""

    def undelete(self) -> None:
        if self._sidebar is not None:
            self._sidebar.action_undelete()

    # Exporting

    def export(self) -> None:
        """The one that is open."""
        conversation = self._backend.conversation
        if conversation.key is None:
            self._view.notify("There is nothing to export yet.", severity="warning")
        else:
            self._export(conversation.key, conversation.title)

    def _export(self, key: int, title: str) -> None:
        from sparkdesk.ui.chat.dialogs.export import ExportScreen

        def tell(path: Path | None) -> None:
            if path is not None:
                self._view.notify(f"Exported to {path}.", markup=False)

        make = partial(self._backend.history.export, key)
        dialog = ExportScreen(title, make, home=home_folder(), here=Path.cwd())
        self._view.app.push_screen(dialog, tell)

    # The sidebar

    async def toggle_sidebar(self) -> None:
        """Comes with the keys in it, leaves when it has them, and takes them when it stands beside unused."""
        if self._sidebar is None:
            from sparkdesk.ui.chat.widgets.sidebar import Sidebar

            self._sidebar = Sidebar(self._backend)
            self._sidebar.set_reactive(Sidebar.open_key, self._backend.conversation.key)
            await self._view.query_one("#body").mount(self._sidebar, before=0)
            self._sidebar.come()
        elif self._sidebar.display and self._sidebar.has_focus_within:
            self._close_sidebar()
        else:
            self._sidebar.come()

    def _close_sidebar(self) -> None:
        if self._sidebar is not None:
            self._sidebar.display = False
        self._view.composer.prompt.focus()

    def refresh(self) -> None:
        """Something changed about what is kept, or which of it is open."""
        if self._sidebar is not None:
            self._sidebar.open_key = self._backend.conversation.key
            self._sidebar.refresh_list()

    def _report(self, cause: str, hint: str) -> None:
        """Where one looks: in the sidebar, or in passing."""
        if self._sidebar is not None and self._sidebar.display:
            self._sidebar.say_trouble(cause, hint)
        else:
            words = f"{cause} {hint}".strip()
            self._view.notify(words, severity="error", timeout=10, markup=False)

    def _return_to_prompt(self) -> None:
        if self._sidebar is not None and not self._sidebar.has_room_beside:
            self._sidebar.display = False
        self._view.composer.prompt.focus()
