"""Once a pair is loaded, its replies end where its chat template ends a turn."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.loading.choice import chosen_pair
from sparkdesk.loading.loading import open_pair
from sparkdesk.runner import client
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Generate, Loaded, Loading
from tests.reply_scripts import saying
from tests.scripted_engine import BOS, CHATML, CONTROL, END, MODEL, ScriptedEngine


class Client(EngineClient):
    """Loads at once, in no process."""

    loads: ModelInfo = MODEL
    adds_bos = False

    def load(self, settings: LoadSettings) -> Generator[Loading | Loaded, None, None]:
        self._model = self.loads
        yield Loaded(self.loads, 1.0)

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        return ScriptedEngine(saying(), adds_bos=self.adds_bos).tokenize(text, parse_special)


@pytest.mark.parametrize("adds_bos", [False, True])
def test_replies_end_where_the_template_ends_a_turn(
    adds_bos: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a base model's file, which names only the end of a text, replies went on with the user's next message."""
    (tmp_path / "t.gguf").write_bytes(b"GGUF")
    asked: list[Generate] = []
    monkeypatch.setattr(client, "Reply", lambda child, request: asked.append(request))
    monkeypatch.setattr(EngineClient, "_living_child", lambda self: None)
    monkeypatch.setattr("sparkdesk.loading.loading.fitted", lambda files, how, ask_free_memory: (how, None))
    engine = Client()
    engine.adds_bos = adds_bos
    engine.loads = replace(MODEL, chat_template=CHATML, control_pieces=tuple(CONTROL), end_tokens=(7,))
    pair = chosen_pair(str(tmp_path / "t.gguf"), None, None)
    list(open_pair(engine, pair, how=LoadSettings(""), speculation=SpeculationSettings()))
    assert engine.model is not None and engine.model.end_tokens == (7, END) and BOS not in engine.model.end_tokens
    engine.ask_for_reply((1,), GenerationSettings(stop_tokens=frozenset((3,))))
    engine.ask_for_reply((1,), GenerationSettings(), ignore_end=True)
    assert [request.settings.stop_tokens for request in asked] == [{3, 7, END}, frozenset()]
