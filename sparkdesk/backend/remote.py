"""A server somewhere else behind the screen: the same conversations, with replies that come over the network."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.backend.conversations import BackendConversations
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice, Progress
from sparkdesk.loading.choice import GENERAL_EXAMPLES

if TYPE_CHECKING:
    from sparkdesk.backend.models import LocalModels
    from sparkdesk.backend.no_bench import NoBench
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.pending import AnyHistory
    from sparkdesk.remote.client import Server
    from sparkdesk.remote.dialect import ServedModel
    from sparkdesk.remote.responder import RemoteResponder

_LAST_WORDS_SECONDS = 1.0
"""How long leaving waits for a reply that is being stopped, so that all of it is kept."""


class RemoteBackend:
    """Satisfies ui.protocol.Backend. The server is first asked in `load`."""

    examples = GENERAL_EXAMPLES
    is_measuring = False
    is_stalled = False
    loaded = None
    """Nothing lies in this machine's memory."""

    def __init__(
        self,
        make_server: "Callable[[], Server]",
        *,
        name: str,
        wanted: str = "",
        how: Callable[[], LoadSettings],
        chat: ChatSettings,
        history_file: Path | None = None,
        continues: bool = False,
    ) -> None:
        """`name` is the server's address; `wanted` the model to talk to, where it has several."""
        self._make_server, self._name, self._wanted, self._how = make_server, name, wanted, how
        self._server: Server | None = None
        self._served: ServedModel | None = None
        self._model: ModelInfo | None = None
        self._conversations = BackendConversations(
            self._make_responder, chat=replace(chat, server=name), history_file=history_file, continues=continues
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def speculation(self) -> SpeculationSettings:
        return self._conversations.speculation

    @property
    def model(self) -> ModelInfo | None:
        return self._model

    @property
    def engine_words(self) -> str:
        return "The engine is the server's; its own log says more."

    @property
    def recommended(self) -> SamplingSettings:
        return self._conversations.recommended(self._model)

    @property
    def conversation(self) -> "Conversation":
        return self._conversations.open

    @property
    def history(self) -> "AnyHistory":
        return self._conversations.history

    @cached_property
    def bench(self) -> "NoBench":
        from sparkdesk.backend.no_bench import NoBench

        return NoBench(self._name)

    @cached_property
    def models(self) -> "LocalModels":
        from sparkdesk.backend.models import LocalModels
        from sparkdesk.config.paths import user_paths
        from sparkdesk.config.settings import read_settings

        paths = user_paths()
        return LocalModels(self, paths, read_settings(paths.settings_file), how=self._how)

    def start_conversation(self) -> "Conversation":
        return self._conversations.start()

    def open_conversation(self, key: int) -> "Conversation":
        return self._conversations.take(key)

    def load(self) -> Iterator[Progress | Notice]:
        yield Progress(f"Asking {self._name}", 0, 0, "")
        server = self._make_server()
        try:
            served = _chosen(server.models(), self._wanted, self._name)
        except BaseException:
            server.close()
            raise
        if self._server is not None:
            self._server.close()
        self._server, self._served, self._model = server, served, _info(served, self._name)
        yield Progress(f"Asking {self._name}", 1, 1, "")
        self._conversations.take_advice(self._model)
        if trouble := self._conversations.take_trouble():
            yield Notice(trouble)

    def reload(self) -> Iterator[Progress | Notice]:
        yield from self.load()
        self._conversations.go_on()

    def switch(self, pair: str) -> Iterator[Progress | Notice]:
        raise EngineError(
            f"This desk is connected to {self._name}, and pairs of this machine do not run there.",
            f"Open it in a desk of its own: sparkdesk chat {pair}.",
        )

    def close(self) -> None:
        self._conversations.rest(_LAST_WORDS_SECONDS)
        if self._server is not None:
            self._server.close()
        self._conversations.close()

    def _make_responder(self) -> "RemoteResponder":
        from sparkdesk.remote.responder import RemoteResponder

        if self._server is None or self._served is None:
            raise EngineError(f"There is no connection to {self._name}.", "Connect first.")
        return RemoteResponder(self._server, self._served, on_loss=self._lose)

    def _lose(self) -> None:
        self._model = None


def _chosen(models: "list[ServedModel]", wanted: str, name: str) -> "ServedModel":
    if not models:
        raise EngineError(f"{name} serves no model.", "Load one there.")
    if not wanted:
        return models[0]
    found = next((model for model in models if model.name.lower() == wanted.lower()), None)
    if found is None:
        known = ", ".join(model.name for model in models)
        raise EngineError(f"{name} has no model {wanted}.", f"It has {known}.")
    return found


def _info(served: "ServedModel", name: str) -> ModelInfo:
    """What the server tells; the rest is nothing, and is not shown."""
    return ModelInfo(
        name=served.title,
        architecture=served.architecture,
        vocabulary_size=0,
        parameter_count=served.parameter_count,
        size_bytes=0,
        context_tokens=served.context_tokens,
        trained_context_tokens=0,
        chat_template=None,
        bos_piece="",
        eos_piece="",
        end_tokens=(),
        devices=(f"{served.server} at {name}",),
        gpu_layers=0,
        threads=0,
        draft_name=served.draft_name or None,
        block_size=served.block_size,
        switch_problem="" if served.can_switch else f"{served.server} drafts as it was started, or not at all.",
    )
