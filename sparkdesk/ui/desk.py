"""What the screen needs from below: a pair that opens and a conversation that replies. It knows of nothing else.

The command line assembles the real one; tests and the screen's own development use a scripted one.
"""

from collections.abc import Iterator
from typing import Protocol

from sparkdesk.chat.events import ReplyEvent
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.events import Notice, Progress

OpenEvent = Progress | Notice


class Conversation(Protocol):
    """One conversation with the loaded model. One reply at a time; the other methods come from any thread."""

    def reply(self, text: str) -> Iterator[ReplyEvent]:
        """Add the user's text and make a reply, in the thread that iterates.

        Ends with exactly one ReplyFinished or ReplyBroken. Failures of the engine are told as ReplyBroken; a
        SparkDeskError may be raised before the first event (then the user's text is not kept). Closing the iterator
        early stops the reply.
        """
        ...

    def stop(self) -> None:
        """End the reply in progress after its current round, with stop_reason "cancelled". No reply: no effect."""
        ...

    def set_speculation(self, is_enabled: bool, draft_length: int | None) -> None:
        """Hold from the next round on, also in mid-reply. Without a usable draft: no effect."""
        ...

    def clear(self) -> None:
        """Forget all messages; the next reply starts a new conversation."""
        ...


class Desk(Protocol):
    """A pair of models, from opening to closing. Made cheaply: nothing heavy happens before `open`."""

    @property
    def name(self) -> str:
        """What is about to be opened, for the screen to show before the model is loaded: "Spark Tiny"."""
        ...

    @property
    def examples(self) -> tuple[str, ...]:
        """Prompts worth trying with this model; see ui/examples.py. Three fit the empty screen."""
        ...

    @property
    def speculation(self) -> SpeculationSettings:
        """What the conversation starts with."""
        ...

    @property
    def model(self) -> ModelInfo | None:
        """What is loaded; None before `open` is through and after a crash. Its draft_name and draft_problem tell the
        screen whether there is anything to switch."""
        ...

    @property
    def conversation(self) -> Conversation:
        """Asked for only once `open` is through. Stays the same object over `reload`."""
        ...

    def open(self) -> Iterator[OpenEvent]:
        """Get everything ready: convert what must be converted, start the engine, load the pair.

        Runs in the thread that iterates, and is called again to retry. Yields at least twice a second, because the
        screen cancels by closing the iterator between two events; what was begun is then undone. Raises a
        SparkDeskError when it fails. A draft that cannot be used is no failure: it is told in model.draft_problem.
        """
        ...

    def reload(self) -> Iterator[OpenEvent]:
        """Replace a dead or unwanted engine by a new one, like `open`; the conversation keeps its messages."""
        ...

    def close(self) -> None:
        """Free everything. Called once, from any thread; makes an `open` or `reply` in another thread end soon."""
        ...
