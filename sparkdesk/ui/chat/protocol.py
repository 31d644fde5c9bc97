"""What the chat needs from below: a model that loads, a conversation that replies, and the history of conversations.

The real ones are in backend/, which the screen does not know; tests and the screen's own development use scripted ones.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sparkdesk.chat.events import ReplyEvent
from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count, Found, Summary
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.events import Report


class Conversation(Protocol):
    """One conversation with the loaded model. One reply at a time; the other methods come from any thread.

    The four ways of making a reply (`reply`, `edit`, `regenerate`, `go_on`) work alike: each runs in the thread that
    iterates and ends with exactly one ReplyFinished or ReplyBroken. Failures of the engine are told as ReplyBroken; a
    SparkDeskError may be raised before the first event (then nothing is kept). Closing the iterator early stops the
    reply.
    """

    @property
    def key(self) -> int | None:
        """In the history; None for one that is empty or not kept."""
        ...

    @property
    def title(self) -> str:
        """The user's own, else the first words; empty before the first message."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]:
        """Of the branch that is shown, from the first; without the system prompt, which is a setting."""
        ...

    @property
    def not_kept(self) -> str:
        """Why the history could not take what was said last; empty where it could, or should not."""
        ...

    @property
    def left_out(self) -> int:
        """How many of the first messages the model no longer reads, because the context is full."""
        ...

    @property
    def settings(self) -> ChatSettings:
        """What the next reply is made with; its `speculation` is what holds now."""
        ...

    def set_settings(self, settings: ChatSettings) -> None:
        """From the next reply on. Its `speculation` is ignored: that is set_speculation's business."""
        ...

    def branch(self, index: int) -> Branch:
        """Which version of the message at `index` is shown, and how many there are."""
        ...

    def switch_branch(self, index: int, step: int) -> None:
        """Show the next (1) or the previous (-1) version of the message at `index`, with what followed it last."""
        ...

    def reply(self, text: str, attachments: Sequence[Attachment] = ()) -> Iterator[ReplyEvent]:
        """Add the user's text and make a reply."""
        ...

    def edit(self, index: int, text: str) -> Iterator[ReplyEvent]:
        """Another version of the user's message at `index`, with its attachments, and a reply to it."""
        ...

    def regenerate(self) -> Iterator[ReplyEvent]:
        """Another reply to the last user's message."""
        ...

    def go_on(self) -> Iterator[ReplyEvent]:
        """Go on with the last reply where it was stopped, cut or broken off; the texts of the events are what is new,
        ReplyFinished.text is the whole."""
        ...

    def count(self, text: str, attachments: Sequence[Attachment] = ()) -> Count:
        """What sending this would take, oldest messages left out as they would be. Takes a moment: not for the
        screen's own thread. Raises EngineError."""
        ...

    def stop(self) -> None:
        """End the reply in progress after its current round, with stop_reason "cancelled". No reply: no effect.

        Said again a while later, it ends the engine too: one that hangs heeds nothing else."""
        ...

    def abandon(self) -> None:
        """End the reply in progress at once, and the engine with it. Not for the screen's own thread."""
        ...

    def set_speculation(self, is_enabled: bool, draft_length: int | None) -> None:
        """Hold from the next round on, also in mid-reply. Without a usable draft: no effect."""
        ...


class History(Protocol):
    """The conversations that are kept on this machine. Methods may be called from any thread and take milliseconds.

    All raise HistoryError where the disk or the file says no.
    """

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        """Newest first."""
        ...

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        """Conversations in which all words occur (the last may be begun only), best first."""
        ...

    def saved_ms(self) -> float:
        """What speculation won against plain decoding in all replies kept here; negative when it lost."""
        ...

    def rename(self, key: int, title: str) -> None: ...

    def delete(self, key: int) -> None:
        """Can be undone until the program ends."""
        ...

    def undelete(self, key: int) -> None: ...

    def export(self, key: int, form: str) -> str:
        """`form` is "markdown" (the branch that is shown) or "json" (everything)."""
        ...


class ChatBackend(Protocol):
    """A target with its draft, from loading to closing. Made cheaply: nothing heavy happens before `load`."""

    @property
    def name(self) -> str:
        """What is about to be loaded, for the screen to show meanwhile: "Spark Tiny"."""
        ...

    @property
    def examples(self) -> tuple[str, ...]:
        """Prompts worth trying with this model; see loading/examples.py. Three fit the empty screen."""
        ...

    @property
    def speculation(self) -> SpeculationSettings:
        """What the conversation starts with."""
        ...

    @property
    def model(self) -> ModelInfo | None:
        """What is loaded; None before `load` is through and after a crash. Its draft_name and draft_problem tell the
        screen whether there is anything to switch."""
        ...

    @property
    def recommended(self) -> SamplingSettings:
        """What the makers of the loaded model recommend, for thinking as it is switched now."""
        ...

    @property
    def conversation(self) -> Conversation:
        """The one on the screen. Stays the same object over `reload` and `switch`."""
        ...

    @property
    def history(self) -> History: ...

    def start_conversation(self) -> Conversation:
        """A new, empty one becomes `conversation`; no reply may be in the making. System prompt and sampling go on."""
        ...

    def open_conversation(self, key: int) -> Conversation:
        """One of the history becomes `conversation`, with its settings; no reply may be in the making.

        Raises HistoryError.
        """
        ...

    @property
    def is_stalled(self) -> bool:
        """Whether the engine lives and does not react. It is ended by itself when that goes on."""
        ...

    @property
    def is_measuring(self) -> bool:
        """Whether the bench has the engine for itself; no reply can be made then. Asked from any thread."""
        ...

    def load(self) -> Iterator[Report]:
        """Get everything ready: convert what must be converted, start the engine, load the pair.

        Runs in the thread that iterates, and is called again to retry. Yields at least twice a second, because the
        screen cancels by closing the iterator between two events; what was begun is then undone. Raises a
        SparkDeskError when it fails. A draft that cannot be used is no failure: it is told in model.draft_problem.
        """
        ...

    def reload(self) -> Iterator[Report]:
        """Replace a dead or unwanted engine by a new one, like `load`; the conversation keeps its messages."""
        ...

    def switch(self, pair: str) -> Iterator[Report]:
        """Load another pair of the library by its name, like `load`; the conversation goes on with it. When it fails
        before the old engine was given up, the old pair stays loaded."""
        ...
