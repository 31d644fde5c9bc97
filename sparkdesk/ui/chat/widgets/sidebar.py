"""The sidebar with the kept conversations: search, the list, renaming in place, and what was just deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Input, OptionList, Static

from sparkdesk.chat.summary import Found, Summary
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.sidebar_messages import (
    ConversationPicked,
    ConversationUndeleted,
    DeleteAsked,
    ExportAsked,
    HistoryFailed,
    NewAsked,
    SidebarClosed,
)
from sparkdesk.ui.chat.widgets.conversation_list import ConversationList
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.background import in_background
from sparkdesk.ui.shared.bars import packed

ROOM_BESIDE = 132
"""Columns from which on the sidebar stands beside the conversation; below, it lies over it."""
_WIDTH = 35
"""Before it was ever laid out."""
_SEARCH_AFTER_S = 0.15
_UNDO_SHOWN_S = 8.0
_NONE_KEPT = "No conversations yet.\nWhat you write is kept here, on this machine only."
_LIST_ACTIONS = ("rename", "delete", "export", "new", "search", "close")


@dataclass(frozen=True, slots=True)
class _Deleted:
    key: int
    title: str
    was_open: bool


class Sidebar(Vertical):
    """Reads and renames what is kept by itself, and asks the screen for what concerns the conversation that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", show=False, id="chats.close"),
        Binding("r", "rename", "Rename", show=False, id="chats.rename"),
        Binding("delete", "delete", "Delete", show=False, id="chats.delete"),
        Binding("u", "undelete", "Undo deleting", show=False, id="chats.undelete"),
        Binding("x", "export", "Export", show=False, id="chats.export"),
        Binding("n", "new", "New conversation", show=False, id="chats.new"),
        Binding("slash", "search", "Search", show=False, id="chats.search"),
    ]

    open_key: reactive[int | None] = reactive(None, init=False)
    """Of the conversation on the screen."""

    def __init__(self, backend: ChatBackend) -> None:
        super().__init__()
        self._backend = backend
        self._found: Sequence[Summary] | Sequence[Found] = ()
        self._found_words = ""
        """What the list in sight was searched for."""
        self._opens_first = False
        """Enter was struck before the list of what was found came."""
        self._renamed: int | None = None
        self._trouble = ""
        self._deleted: list[_Deleted] = []
        """Since the start, the last one last."""
        self._shown_deleted = ""

    def compose(self) -> ComposeResult:
        yield Static("Conversations", classes="title")
        yield Input(placeholder="search in all of them", compact=True, id="search")
        with Vertical(id="kept"):
            yield Static(_NONE_KEPT, classes="none")
            yield ConversationList()
            yield Input(compact=True, id="rename")
        yield Static(classes="state")
        yield Static(classes="keys")

    def on_mount(self) -> None:
        self.query_one("#rename").display = False

    @property
    def words(self) -> str:
        return self.query_one("#search", Input).value.strip()

    @property
    def has_room_beside(self) -> bool:
        return self.screen.size.width >= ROOM_BESIDE

    @property
    def _list(self) -> ConversationList:
        return self.query_one(ConversationList)

    def come(self) -> None:
        """Into sight, ready for words."""
        self.display = True
        self.query_one("#search", Input).focus()
        self.refresh_list()

    def refresh_list(self) -> None:
        """Read again what is kept, or those in which the words occur. Out of sight it is read when it comes."""
        if not self.display:
            return
        words = self.words

        def read() -> Sequence[Summary] | Sequence[Found]:
            history = self._backend.history
            return history.search(words) if words else history.newest()

        in_background(self, read, group="list", done=partial(self._show, words), failed=self._fail)

    def _show(self, words: str, found: Sequence[Summary] | Sequence[Found]) -> None:
        if words != self.words:  # another list is on its way
            return
        self._found, self._found_words, self._trouble = found, words, ""
        empty = self.query_one(".none", Static)
        empty.display = not found
        empty.update(
            Content(f"No matches for “{safe_line(self.words)}”.\n{self._key('close')} shows all again.")
            if self.words
            else _NONE_KEPT
        )
        # The list has no width before it was laid out once.
        self.call_after_refresh(self._fill)
        self._say()

    def say_trouble(self, cause: str, hint: str) -> None:
        self._trouble = safe_line(f"{cause} {hint}".strip())
        self._say()

    def tell_deleted(self, message: DeleteAsked, *, was_open: bool) -> None:
        """For a while; the key holds on."""
        self._deleted.append(_Deleted(message.key, message.title, was_open))
        self._shown_deleted = message.title
        self.set_timer(_UNDO_SHOWN_S, lambda: self._hide_deleted(message.title))
        self._say()

    @property
    def deleted_title(self) -> str:
        """Of the conversation that was deleted last and can be brought back."""
        return self._deleted[-1].title if self._deleted else ""

    def _hide_deleted(self, title: str) -> None:
        if self._shown_deleted == title:
            self._shown_deleted = ""
            self._say()

    def _change(self, change: Callable[[], None], then: Callable[[], object]) -> None:
        def done(_: None) -> None:
            then()
            self.refresh_list()

        in_background(self, change, group="history", done=done, failed=self._fail)

    def _fail(self, cause: str, hint: str) -> None:
        self.post_message(HistoryFailed(cause, hint))

    def watch_open_key(self) -> None:
        self._fill()

    def on_resize(self) -> None:
        self.set_class(not self.has_room_beside, "-over")
        self._fill()

    # Searching

    @on(Input.Changed, "#search")
    def search_soon(self) -> None:
        self.set_timer(_SEARCH_AFTER_S, lambda words=self.words: self._search(words))

    @on(Input.Submitted, "#search")
    def open_chosen(self) -> None:
        chosen = self._list.chosen
        self._opens_first = self.words != self._found_words
        if self._opens_first:  # what is highlighted is of another list
            self.refresh_list()
        elif chosen:
            self.post_message(ConversationPicked(chosen.key))

    def _search(self, words: str) -> None:
        if words == self.words:  # nothing more was typed since
            self.refresh_list()

    def on_key(self, event: events.Key) -> None:
        search = self.query_one("#search", Input)
        if event.key == "down" and search.has_focus:
            event.stop()
            self._list.focus()
        elif event.key == "up" and self._list.has_focus and self._list.chosen_line <= 1 - int(self._list.scroll_y):
            event.stop()
            search.focus()

    # The list

    @on(OptionList.OptionSelected)
    def pick(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id:
            self.post_message(ConversationPicked(int(event.option.id)))

    def action_close(self) -> None:
        search = self.query_one("#search", Input)
        if self.query_one("#rename").display:
            self._end_renaming()
        elif search.value:
            search.value = ""
        else:
            self.post_message(SidebarClosed())

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    def action_new(self) -> None:
        self.post_message(NewAsked())

    def action_delete(self) -> None:
        if chosen := self._list.chosen:
            self.post_message(DeleteAsked(chosen.key, chosen.title))

    def action_undelete(self) -> None:
        """The last one deleted; once more, the one before."""
        if not self._deleted:
            self.notify("Nothing was deleted since the start.", severity="warning")
            return
        back = self._deleted.pop()

        def tell() -> None:
            self._hide_deleted(back.title)
            self.post_message(ConversationUndeleted(back.key, back.was_open))

        self._change(partial(self._backend.history.undelete, back.key), tell)

    def action_export(self) -> None:
        if chosen := self._list.chosen:
            self.post_message(ExportAsked(chosen.key, chosen.title))

    # Renaming

    def action_rename(self) -> None:
        chosen = self._list.chosen
        if chosen is None:
            return
        self._renamed = chosen.key
        field = self.query_one("#rename", Input)
        field.value = chosen.title
        field.styles.offset = (0, self._list.chosen_line)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#rename")
    def rename(self, event: Input.Submitted) -> None:
        if self._renamed is not None and event.value.strip():
            rename = partial(self._backend.history.rename, self._renamed, event.value.strip())
            self._change(rename, lambda: None)
        self._end_renaming()

    @on(events.DescendantBlur)
    def leave_renaming(self, event: events.DescendantBlur) -> None:
        if event.widget.id == "rename" and event.widget.display:
            self._end_renaming()

    def _end_renaming(self) -> None:
        self.query_one("#rename").display = False
        self._renamed = None
        self._list.focus()

    # What is said below

    @on(events.DescendantFocus)
    def show_keys(self) -> None:
        close = self._key("close")
        if self.query_one("#rename").has_focus:
            keys = [("Enter", "rename"), (close, "cancel")]
        elif self._list.has_focus:
            keys = [(self._key(action), action) for action in _LIST_ACTIONS]
        else:
            keys = [("Enter", "open"), ("↓", "list"), (close, "close")]
        bar = self.query_one(".keys", Static)
        pieces = (Content.assemble((f"{key} ", "bold $primary"), (what, "$spark-quiet")) for key, what in keys)
        bar.update(Content("\n").join(packed(pieces, self.content_size.width or _WIDTH, between="  ")))

    def _key(self, action: str) -> str:
        return key_name(self, f"chats.{action}")

    def _fill(self) -> None:
        self._list.show(self._found, open_key=self.open_key, now=datetime.now().astimezone())
        if self._opens_first and self.words == self._found_words:
            self.open_chosen()

    def _say(self) -> None:
        state = self.query_one(".state", Static)
        state.display = bool(self._trouble or self._shown_deleted)
        if self._trouble:
            state.update(Content.assemble(("✗ ", "bold $error"), self._trouble))
        elif self._shown_deleted:
            deleted = Content(f"Deleted “{safe_line(self._shown_deleted)}”.").truncate(
                self.content_size.width, ellipsis=True
            )
            state.update(Content.assemble(deleted, (f"\n{self._key('undelete')}", "bold $primary"), " undo"))
