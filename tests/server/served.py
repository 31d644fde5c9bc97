"""A server on a real socket, in a thread of its own, with a scripted engine behind it, or any other."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sparkdesk.server.jobs.dispatcher import Dispatcher
from sparkdesk.server.jobs.engine import ServedEngine
from sparkdesk.server.jobs.reply_channel import MOST_WAITING_BYTES
from sparkdesk.server.requests.models import RequestDefaults
from sparkdesk.server.web.app import build_app
from sparkdesk.server.web.security import Policy
from sparkdesk.server.web.serving import RunningServer, Tls, listen
from tests.reply_scripts import Answer, answering
from tests.scripted_engine import MODEL as CHATML_MODEL
from tests.scripted_engine import ScriptedEngine

TEMPLATE = (
    "{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif -%}"
    "{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function.name }} "
    "{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}"
    "</tool_call>{% endfor %}{% endfor %}<|assistant|>"
)
CONTEXT_TOKENS = 200_000
MODEL = replace(
    CHATML_MODEL,
    chat_template=TEMPLATE,
    vocabulary_size=0x110000,
    eos_piece="",
    context_tokens=CONTEXT_TOKENS,
    trained_context_tokens=CONTEXT_TOKENS,
)
"""It shows tools to the model, and holds a long prompt."""

DEFAULTS = RequestDefaults(
    names=("scripted", "other-name"), block_size=MODEL.block_size, vocabulary_size=MODEL.vocabulary_size
)


@dataclass
class Listening:
    """What tests need to know of a server."""

    url: str
    running: RunningServer
    log: list[str] = field(default_factory=list)

    @property
    def dispatcher(self) -> Dispatcher:
        return self.running.dispatcher

    def until_logged(self, text: str, seconds: float = 10.0) -> None:
        """The log is written a moment after the response."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in self.log):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)


@dataclass
class Served(Listening):
    """One whose engine is a script."""

    engine: ScriptedEngine = field(kw_only=True)


def server_engine(answer: Answer | str, *, round_tokens: int = 3, **options: Any) -> ScriptedEngine:
    return ScriptedEngine(answering(answer, round_tokens=round_tokens), **{"model": MODEL, **options})


@contextmanager
def served(engine: ScriptedEngine, **options: Any) -> Iterator[Served]:
    with listening(engine, **{"reload": engine.reload, **options}) as server:
        try:
            yield Served(server.url, server.running, server.log, engine=engine)
        finally:
            engine.gate.set()


@contextmanager
def listening(
    engine: ServedEngine,
    *,
    reload: Callable[[], None],
    policy: Policy | None = None,
    defaults: RequestDefaults = DEFAULTS,
    capacity: int = 64,
    grace_s: float = 1.0,
    stalled_s: float = 30.0,
    most_waiting_bytes: int = MOST_WAITING_BYTES,
    send_buffer: int | None = None,
    idle_unload_s: float | None = None,
    tls: Tls | None = None,
) -> Iterator[Listening]:
    log: list[str] = []
    listener = listen("127.0.0.1", 0)
    if send_buffer is not None:  # connections inherit it; the system's own holds megabytes
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    port = listener.getsockname()[1]
    is_ready = threading.Event()
    dispatcher = Dispatcher(
        engine,
        reload=reload,
        capacity=capacity,
        most_waiting_bytes=most_waiting_bytes,
        idle_unload_s=idle_unload_s,
        log=log.append,
    )
    app = build_app(dispatcher, defaults, policy or Policy(), log=log.append, stalled_s=stalled_s)
    running = RunningServer(app, dispatcher, grace_s=grace_s, on_ready=is_ready.set, tls=tls)
    thread = threading.Thread(target=running.run, args=(listener,), name="served")
    thread.start()
    assert is_ready.wait(30), "the server does not start"
    try:
        yield Listening(f"{'https' if tls else 'http'}://127.0.0.1:{port}", running, log)
    finally:
        running.stop()
        thread.join(30)
        assert not thread.is_alive(), "the server does not end"
