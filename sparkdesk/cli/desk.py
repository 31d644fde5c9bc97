"""The desk the screen is given: a chosen pair, the engine's process, and the conversation with it."""

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli.fitting import LoadedPair, room_without
from sparkdesk.cli.opening import open_pair
from sparkdesk.cli.pairs import ChosenPair, PairFiles, named_pair
from sparkdesk.cli.shared_engine import SharedEngine
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError, HistoryError
from sparkdesk.events import Notice, Progress
from sparkdesk.fit import Room

if TYPE_CHECKING:
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.opening import AnyHistory
    from sparkdesk.cli.measuring import DeskBench
    from sparkdesk.cli.shelf import HomeShelf

_DRAWING_NICENESS = 5
_LAST_WORDS_SECONDS = 1.0
"""How long leaving waits for a reply that is being stopped, so that all of it is kept."""


class PairDesk:
    """Satisfies ui.desk.Desk. Nothing is started before `open`."""

    def __init__(
        self,
        pair: ChosenPair,
        engine: SharedEngine,
        *,
        how: Callable[[], LoadSettings],
        chat: ChatSettings,
        history_file: Path | None = None,
    ) -> None:
        """`how` is asked before every load: the settings may have changed. It may raise a UsageError.

        Without `history_file` conversations end with the program.
        """
        self._pair, self._engine, self._how, self._chat = pair, engine, how, chat
        self._history_file, self._history_trouble = history_file, ""
        self._conversation: Conversation | None = None
        self._history: AnyHistory | None = None
        self._files: PairFiles | None = None
        self._first_use = threading.RLock()
        """Which conversation there is at first is decided once, whoever asks first."""
        self._advised_for: ModelInfo | None = None
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
        from sparkdesk.chat.recommended import recommended_sampling

        is_thinking = self._conversation.settings.is_thinking if self._conversation else self._chat.is_thinking
        return recommended_sampling(self._engine.model, is_thinking=is_thinking)

    @property
    def loaded(self) -> LoadedPair | None:
        """The files in memory; None where there are none."""
        model = self.model
        if model is None or self._files is None:
            return None
        return LoadedPair(self._files, model.context_tokens, model.gpu_layers)

    @property
    def shelf(self) -> "HomeShelf":
        from sparkdesk.cli.shelf import HomeShelf
        from sparkdesk.paths import user_paths
        from sparkdesk.settings import read_settings

        paths = user_paths()
        return HomeShelf(self, paths, read_settings(paths.settings_file), how=self._how)

    @property
    def conversation(self) -> "Conversation":
        with self._first_use:
            return self._conversation or self._resume()

    @property
    def history(self) -> "AnyHistory":
        with self._first_use:
            if self._history is None:
                self._history, self._history_trouble = _history(self._history_file)
            return self._history

    def _resume(self) -> "Conversation":
        """The one in which something was said last, with what the command line asks for."""
        try:
            for last in self.history.newest(1):
                conversation = self.open_conversation(last.key)
                asked = {name: getattr(self._chat, name) for name in _asked_for(self._chat)}
                conversation.settings = replace(conversation.settings, **asked)
                return conversation
        except HistoryError as error:
            self._history_trouble = str(error)
        return self.start_conversation()

    def start_conversation(self) -> "Conversation":
        # Brings jinja2, which the first paint need not wait for.
        from sparkdesk.chat.conversation import Conversation
        from sparkdesk.chat.local_speaker import LocalSpeaker

        settings = self._chat if self._conversation is None else self._conversation.settings
        if settings.sampling == SamplingSettings():  # nobody chose anything
            settings = replace(settings, sampling=self.recommended)
        self._conversation = Conversation(LocalSpeaker(self._engine), settings=settings, keeper=self.history)
        return self._conversation

    def open_conversation(self, key: int) -> "Conversation":
        from sparkdesk.chat.conversation import Conversation
        from sparkdesk.chat.local_speaker import LocalSpeaker

        kept = self.history.read(key)
        settings = replace(kept.settings, speculation=self.speculation)
        self._conversation = Conversation(
            LocalSpeaker(self._engine),
            settings=settings,
            tree=kept.tree,
            keeper=self.history,
            key=key,
        )
        return self._conversation

    def files(self) -> PairFiles:
        """Of the pair that is loaded: they are there, so nothing is made now."""
        from sparkdesk.bench.engine import Returning

        steps = Returning(self._pair.prepare())
        for _ in steps:
            pass
        return steps.result

    @property
    def is_measuring(self) -> bool:
        return self._engine.is_reserved

    @property
    def bench(self) -> "DeskBench":
        from sparkdesk.cli.measuring import DeskBench
        from sparkdesk.paths import user_paths

        return DeskBench(self, self._engine, folder=user_paths().runs)

    def open(self) -> Generator[Progress | Notice, None, None]:
        yield from self._opened(self.speculation)

    def _opened(self, speculation: SpeculationSettings) -> Generator[Progress | Notice, None, None]:
        steps = self._steps(speculation)
        try:
            for event in steps:
                if self._is_closed:
                    raise EngineError("The desk was closed while the models were being made ready.")
                yield event
        finally:
            steps.close()
        self._take_advice()
        yield from self._what_to_know()
        _let_the_engine_go_first()

    def reload(self) -> Generator[Progress | Notice, None, None]:
        yield from self.open()
        self._go_on()

    def switch(self, pair: str) -> Generator[Progress | Notice, None, None]:
        """What cannot be opened at all is refused before the loaded pair is given up; what fails later leaves the old
        pair to be reloaded."""
        old, self._pair = self._pair, named_pair(pair)
        try:
            # A fixed draft length was chosen for the old pair's draft: a shorter block is no reason to refuse this one.
            yield from self._opened(SpeculationSettings(self.speculation.is_enabled))
        except BaseException:
            self._pair = old
            raise
        self._go_on()

    def close(self) -> None:
        """A reply in the making is stopped and kept."""
        self._is_closed = True
        if self._conversation is not None:
            self._conversation.rest(_LAST_WORDS_SECONDS)
        self._engine.close()
        if self._history is not None:
            self._history.close()

    def _go_on(self) -> None:
        from sparkdesk.chat.local_speaker import LocalSpeaker

        self.conversation.attach(LocalSpeaker(self._engine))

    def _steps(self, speculation: SpeculationSettings) -> Generator[Progress | Notice, None, None]:
        files: PairFiles = yield from self._pair.prepare()
        pair = replace(self._pair, prepare=lambda: _ready(files))
        room = self._room_without_loaded
        yield from open_pair(self._engine, pair, how=self._how(), speculation=speculation, ask_room=room)
        self._files = files

    def _room_without_loaded(self) -> Room:
        from sparkdesk.doctor.room import free_room

        return room_without(free_room(), self.loaded)

    def _take_advice(self) -> None:
        """Sampling that was as recommended for the model before is now as recommended for this one."""
        from sparkdesk.chat.recommended import follow, recommended_sampling

        conversation = self.conversation
        settings = conversation.settings
        before = recommended_sampling(self._advised_for, is_thinking=settings.is_thinking)
        sampling = follow(settings.sampling, before, self.recommended)
        self._advised_for = self.model
        if sampling != settings.sampling:
            conversation.set_settings(replace(settings, sampling=sampling))

    def _what_to_know(self) -> Iterator[Notice]:
        if self.model is not None and not self.model.chat_template:
            yield Notice("This model brings no chat template: it continues your text as it stands.")
        if self._history_trouble:
            yield Notice(self._history_trouble)
            self._history_trouble = ""


def _history(path: Path | None) -> "tuple[AnyHistory, str]":
    """With what there is to say about it."""
    if path is None:
        from sparkdesk.chat.history.memory import MemoryHistory

        return MemoryHistory(), ""
    from sparkdesk.chat.history.opening import open_history

    return open_history(path)


def _asked_for(chat: ChatSettings) -> list[str]:
    """What is not as usual; speculation is the desk's, whatever is talked about."""
    usual = ChatSettings()
    names = [field.name for field in fields(ChatSettings) if field.name != "speculation"]
    return [name for name in names if getattr(chat, name) != getattr(usual, name)]


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
