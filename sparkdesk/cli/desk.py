"""The desk the screen is given: a chosen pair, the engine's process, and the conversation with it."""

import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli.opening import open_pair
from sparkdesk.cli.pairs import ChosenPair, library_pair
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.runner.client import EngineClient

if TYPE_CHECKING:
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.memory import MemoryHistory

_DRAWING_NICENESS = 5


class PairDesk:
    """Satisfies ui.desk.Desk. Nothing is started before `open`."""

    def __init__(self, pair: ChosenPair, engine: EngineClient, *, how: LoadSettings, chat: ChatSettings) -> None:
        self._pair, self._engine, self._how, self._chat = pair, engine, how, chat
        self._conversation: Conversation | None = None
        self._history: MemoryHistory | None = None
        self._is_closed = False

    @property
    def name(self) -> str:
        return self._pair.name

    @property
    def examples(self) -> tuple[str, ...]:
        return self._pair.examples

    @property
    def speculation(self) -> SpeculationSettings:
        return self._chat.speculation if self._conversation is None else self._conversation.settings.speculation

    @property
    def model(self) -> ModelInfo | None:
        return self._engine.model if self._engine.is_alive else None

    @property
    def recommended(self) -> SamplingSettings:
        return SamplingSettings()

    @property
    def conversation(self) -> "Conversation":
        return self._conversation or self.start_conversation()

    @property
    def history(self) -> "MemoryHistory":
        if self._history is None:
            from sparkdesk.chat.history.memory import MemoryHistory

            self._history = MemoryHistory()
        return self._history

    def start_conversation(self) -> "Conversation":
        # Brings jinja2, which the first paint need not wait for.
        from sparkdesk.chat.conversation import Conversation

        settings = self._chat if self._conversation is None else self._conversation.settings
        self._conversation = Conversation(self._engine, settings=settings, keeper=self.history)
        return self._conversation

    def open_conversation(self, key: int) -> "Conversation":
        from sparkdesk.chat.conversation import Conversation

        kept = self.history.read(key)
        settings = replace(kept.settings, speculation=self.speculation)
        self._conversation = Conversation(
            self._engine, settings=settings, tree=kept.tree, keeper=self.history, key=key, title=kept.title
        )
        return self._conversation

    def open(self) -> Generator[Progress | Notice, None, None]:
        steps = open_pair(self._engine, self._pair, how=self._how, speculation=self.speculation)
        try:
            for event in steps:
                if self._is_closed:
                    raise EngineError("The desk was closed while the models were being made ready.")
                yield event
        finally:
            steps.close()
        yield from self._missing_template()
        _let_the_engine_go_first()

    def reload(self) -> Generator[Progress | Notice, None, None]:
        yield from self.open()
        self.conversation.attach(self._engine)

    def switch(self, pair: str) -> Generator[Progress | Notice, None, None]:
        self._pair = library_pair(pair)
        yield from self.reload()

    def close(self) -> None:
        self._is_closed = True
        self._engine.close()

    def _missing_template(self) -> Iterator[Notice]:
        if self.conversation.is_template_missing:
            yield Notice("This model brings no chat template: it continues your text as it stands.")


def _let_the_engine_go_first() -> None:
    """Give the thread that draws a lower priority than the engine, whose threads all wait for the slowest of them.

    On Linux a priority belongs to one thread, and the main thread has the number of the process; the engine runs
    already and keeps its own. It matters where there are few cores and steps are short.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, os.getpid(), _DRAWING_NICENESS)
