"""The whole screen in front of a server: asks, shows what it tells, survives its end, and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.backend.remote import RemoteBackend
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli.app import run
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import EngineError
from sparkdesk.remote.client import Server
from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.speculation_switch import SpeculationSwitch
from sparkdesk.ui.protocol import Backend
from sparkdesk.ui.shared.prompt import Prompt
from tests.remote.dialects import DONE, STOP, Script, server, text


@pytest.fixture
def script() -> Script:
    return Script(chunks=[text("Hello "), text("from afar."), STOP, DONE])


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    with server(script) as url:
        yield url


def desk_at(url: str, *, wanted: str = "") -> RemoteBackend:
    how = LoadSettings("")
    return RemoteBackend(lambda: Server(url), name=url, wanted=wanted, how=lambda: how, chat=ChatSettings())


def as_the_screen_sees_it(desk: RemoteBackend) -> Backend:
    """mypy checks that the protocol is satisfied."""
    return desk


async def test_a_chat_with_a_server(url: str, script: Script) -> None:
    app = SparkDeskApp(as_the_screen_sees_it(desk_at(url)))
    async with app.run_test(size=(110, 32)) as pilot:

        async def until(stage: Stage) -> ChatScreen:
            for _ in range(500):
                screen = app.screen
                if isinstance(screen, ChatScreen) and screen.stage is stage:
                    return screen
                await pilot.pause(0.02)
            raise AssertionError(f"never came to {stage}")

        screen = await until(Stage.READY)
        shown = str(screen.query_one(SpeculationSwitch).render())
        assert "managed by the server" in shown and screen.view.model is not None and screen.view.model.name == "qwen"
        screen.query_one(Prompt).show("Hello")
        await pilot.press("enter")
        await pilot.pause()
        await until(Stage.READY)
        assert screen.backend.conversation.messages[-1].content == "Hello from afar."
        await pilot.press("ctrl+s")
        script.cut, script.chunks = True, [text("Half a ")]
        screen.query_one(Prompt).show("Again")
        await pilot.press("enter")
        await until(Stage.DOWN)
        assert screen.backend.conversation.messages[-1].content == "Half a "
        script.cut, script.chunks = False, [text("Back."), STOP, DONE]
        await pilot.press("ctrl+r")
        await until(Stage.READY)
        screen.query_one(Prompt).show("And now?")
        await pilot.press("enter")
        await pilot.pause()
        await until(Stage.READY)
        assert screen.backend.conversation.messages[-1].content == "Back."


def test_a_model_can_be_chosen(url: str) -> None:
    desk = desk_at(url, wanted="QWEN.gguf")
    list(desk.load())
    assert desk.model is not None and desk.model.context_tokens == 8192 and desk.model.parameter_count == 8_000_000_000
    with pytest.raises(EngineError, match="no model other"):
        list(desk_at(url, wanted="other").load())
    with pytest.raises(EngineError, match="is connected to"):
        list(desk.switch("qwen3-8b"))
    desk.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://127.0.0.1:1",), "needs a terminal"),
        ((), "URL"),
    ],
)
def test_from_the_command_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    assert run(["connect", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_key_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from argparse import Namespace

    from sparkdesk.cli.connect import _key
    from sparkdesk.errors import UsageError

    with pytest.raises(UsageError, match="cannot be read"):
        _key(Namespace(api_key=None, api_key_file=str(tmp_path / "none")))
    (tmp_path / "key").write_text("sesame\nrest")
    assert _key(Namespace(api_key=None, api_key_file=str(tmp_path / "key"))) == "sesame"
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    monkeypatch.delenv("SPARKDESK_API_KEY", raising=False)
    assert _key(Namespace(api_key=None, api_key_file=None)) == "from-the-environment"
