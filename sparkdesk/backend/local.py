"""The models of this machine behind the screen: a chosen pair, the engine's process, and the conversation with it."""

import os
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.backend.conversations import BackendConversations
from sparkdesk.backend.shared_engine import SharedEngine
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.fit import FreeMemory
from sparkdesk.loading.choice import ChosenPair, PairFiles, named_pair
from sparkdesk.loading.loading import open_pair
from sparkdesk.loading.placement import LoadedPair, free_memory_without

if TYPE_CHECKING:
    from sparkdesk.backend.bench import LocalBench
    from sparkdesk.backend.models import LocalModels
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.pending import AnyHistory
    from sparkdesk.chat.responder import Responder

_DRAWING_NICENESS = 5
_LAST_WORDS_SECONDS = 1.0
"""How long leaving waits for a reply that is being stopped, so that all of it is kept."""


class LocalBackend:
    """Satisfies ui.protocol.Backend. Nothing is started before `load`."""

    def __init__(
        self,
        pair: ChosenPair,
        engine: SharedEngine,
        *,
        how: Callable[[], LoadSettings],
        chat: ChatSettings,
        history_file: Path | None = None,
        continues: bool = False,
    ) -> None:
        """`how` is asked before every load: the settings may have changed. It may raise a UsageError.

        Without `history_file` conversations end with the program. `continues` begins with the last one.
        """
        self._pair, self._engine, self._how = pair, engine, how
        self._conversations = BackendConversations(
            self._responder, chat=chat, history_file=history_file, continues=continues
        )
        self._files: PairFiles | None = None
        self._is_closed = False

    @property
    def name(self) -> str:
        return self._pair.name

    @property
    def examples(self) -> tuple[str, ...]:
        return self._pair.examples

    @property
    def speculation(self) -> SpeculationSettings:
        return self._conversations.speculation

    @property
    def model(self) -> ModelInfo | None:
        return self._engine.model if self._engine.client.is_alive else None

    @property
    def engine_words(self) -> str:
        return self._engine.client.stderr_tail

    @property
    def recommended(self) -> SamplingSettings:
        return self._conversations.recommended(self._engine.model)

    @property
    def loaded(self) -> LoadedPair | None:
        """The files in memory; None where there are none."""
        model = self.model
        if model is None or self._files is None:
            return None
        return LoadedPair(
            self._files,
            model.context_tokens,
            model.gpu_layers,
            cpu_experts=model.cpu_experts,
            cache_type=model.cache_type,
            rollback_states=model.rollback_states,
        )

    @property
    def conversation(self) -> "Conversation":
        return self._conversations.open

    @property
    def history(self) -> "AnyHistory":
        return self._conversations.history

    def start_conversation(self) -> "Conversation":
        return self._conversations.start()

    def open_conversation(self, key: int) -> "Conversation":
        return self._conversations.take(key)

    def files(self) -> PairFiles:
        """Of the pair that is loaded: they are there, so nothing is made now."""
        from sparkdesk.bench.engine import Returning

        steps = Returning(self._pair.prepare())
        for _ in steps:
            pass
        return steps.result

    @property
    def is_stalled(self) -> bool:
        return self._engine.client.is_stalled

    @property
    def is_measuring(self) -> bool:
        return self._engine.is_reserved

    @cached_property
    def models(self) -> "LocalModels":
        from sparkdesk.backend.models import LocalModels
        from sparkdesk.config.paths import user_paths
        from sparkdesk.config.settings import read_settings

        paths = user_paths()
        return LocalModels(self, paths, read_settings(paths.settings_file), how=self._how)

    @cached_property
    def bench(self) -> "LocalBench":
        from sparkdesk.backend.bench import LocalBench
        from sparkdesk.config.paths import user_paths

        return LocalBench(self, self._engine, folder=user_paths().runs)

    def load(self) -> Generator[Progress | Notice, None, None]:
        yield from self._load(self.speculation)

    def _load(self, speculation: SpeculationSettings) -> Generator[Progress | Notice, None, None]:
        steps = self._steps(speculation)
        try:
            for event in steps:
                if self._is_closed:
                    raise EngineError("SparkDesk was closed while the models were being made ready.")
                yield event
        finally:
            steps.close()
        self._conversations.take_advice(self.model)
        yield from self._what_to_know()
        _let_the_engine_go_first()

    def reload(self) -> Generator[Progress | Notice, None, None]:
        yield from self.load()
        self._conversations.go_on()

    def switch(self, pair: str) -> Generator[Progress | Notice, None, None]:
        """What cannot be opened at all is refused before the loaded pair is given up; what fails later leaves the old
        pair to be reloaded."""
        old, self._pair = self._pair, named_pair(pair)
        try:
            # A fixed draft length was chosen for the old pair's draft: a shorter block is no reason to refuse this one.
            yield from self._load(SpeculationSettings(self.speculation.is_enabled))
        except BaseException:
            self._pair = old
            raise
        self._conversations.go_on()

    def close(self) -> None:
        """A reply in the making is stopped and kept."""
        self._is_closed = True
        self._conversations.rest(_LAST_WORDS_SECONDS)
        self._engine.client.close()
        self._conversations.close()

    def _responder(self) -> "Responder":
        from sparkdesk.chat.local_responder import LocalResponder

        return LocalResponder(self._engine)

    def _steps(self, speculation: SpeculationSettings) -> Generator[Progress | Notice, None, None]:
        files: PairFiles = yield from self._pair.prepare()
        pair = replace(self._pair, prepare=lambda: _ready(files))
        room = self._free_memory_without_loaded
        yield from open_pair(self._engine.client, pair, how=self._how(), speculation=speculation, ask_free_memory=room)
        self._files = files

    def _free_memory_without_loaded(self) -> FreeMemory:
        from sparkdesk.doctor.free_memory import free_memory

        return free_memory_without(free_memory(), self.loaded)

    def _what_to_know(self) -> Iterator[Notice]:
        if self.model is not None and not self.model.chat_template:
            yield Notice("This model has no chat template: it continues your text as it is.")
        if trouble := self._conversations.take_trouble():
            yield Notice(trouble)


def _ready(files: PairFiles) -> Generator[Progress, None, PairFiles]:
    yield from ()
    return files


def _let_the_engine_go_first() -> None:
    """Give the thread that draws a lower priority than the engine, whose threads all wait for the slowest of them.

    On Linux a priority belongs to one thread, and the main thread has the number of the process; the engine runs
    already and keeps its own. It matters where there are few cores and steps are short.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, os.getpid(), _DRAWING_NICENESS)
