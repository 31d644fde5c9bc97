"""The real child over the real llama.cpp: what the scripted one cannot show."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair, expected_text
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import ContextFull, EngineCrashed, ModelLoadError
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, Loaded, Prefilling, RoundDone
from tests.conftest import TINY_SHAPE

pytestmark = pytest.mark.native

GREEDY = GenerationSettings(max_tokens=60, sampling=SamplingSettings(temperature=0))


@pytest.fixture(scope="module")
def settings(quantized_pair: SyntheticPair) -> LoadSettings:
    """One thread: llama.cpp's threads wait for each other, and tests may have to share their cores."""
    target, draft = str(quantized_pair.target), str(quantized_pair.draft)
    return LoadSettings(target, draft, context_tokens=512, threads=1)


@pytest.fixture(scope="module")
def client(settings: LoadSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    """Loads whether or not this build of llama.cpp crashes on the usual buffers."""
    machine_file = tmp_path_factory.mktemp("state") / "machine.json"
    with EngineClient(machine_file=machine_file) as client:
        list(client.load(settings))
        yield client


def said(events: Iterator[Prefilling | RoundDone | Finished]) -> tuple[int, ...]:
    return tuple(token for event in events if isinstance(event, RoundDone) for token in event.round.tokens)


def test_the_pair_is_loaded_with_its_draft(client: EngineClient) -> None:
    assert client.model is not None
    assert client.model.block_size == 7 and not client.model.draft_problem


def test_the_text_is_the_targets_with_and_without_speculation(
    client: EngineClient, quantized_pair: SyntheticPair
) -> None:
    plain = GenerationSettings(60, sampling=GREEDY.sampling, speculation=SpeculationSettings(is_enabled=False))
    expected = expected_text(TINY_SHAPE, 60)
    assert said(client.generate(quantized_pair.prompt_tokens, GREEDY)) == expected
    assert said(client.generate(quantized_pair.prompt_tokens, plain)) == expected


def test_speculation_switches_in_mid_reply_without_a_prefill(
    client: EngineClient, quantized_pair: SyntheticPair
) -> None:
    settings = GenerationSettings(400, sampling=GREEDY.sampling, speculation=SpeculationSettings(is_enabled=False))
    flags: list[bool] = []
    for event in client.generate(quantized_pair.prompt_tokens, settings):
        if isinstance(event, RoundDone):
            flags.append(event.is_speculating)
            if len(flags) == 5:
                client.set_speculation(SpeculationSettings(draft_length=3))
    assert isinstance(event, Finished) and event.stats.accepted > 0
    assert not flags[0] and flags[-1]


def test_a_reply_closed_early_leaves_a_cache_that_is_still_right(
    client: EngineClient, quantized_pair: SyntheticPair
) -> None:
    """The child was stopped in mid-round; what it kept must still be what the tokens say."""
    events = client.generate(quantized_pair.prompt_tokens, GREEDY)
    for _ in range(5):
        next(events)
    events.close()
    assert said(client.generate(quantized_pair.prompt_tokens, GREEDY)) == expected_text(TINY_SHAPE, 60)


def test_a_prompt_that_does_not_fit_is_refused_and_the_child_goes_on(client: EngineClient) -> None:
    with pytest.raises(ContextFull, match="512"):
        list(client.generate([5] * 600, GREEDY))
    assert client.tokenize("a")


def test_a_crash_in_mid_reply_is_told_and_a_reload_answers_the_same(
    settings: LoadSettings, quantized_pair: SyntheticPair, tmp_path: Path
) -> None:
    with EngineClient(machine_file=tmp_path / "machine.json") as client:
        list(client.load(settings))
        assert client._child is not None
        endless = GenerationSettings(sampling=GREEDY.sampling)
        events = client.generate(quantized_pair.prompt_tokens, endless, ignore_end=True)
        next(events)
        os.kill(client._child.pid, signal.SIGKILL)
        with pytest.raises(EngineCrashed, match="SIGKILL"):
            list(events)
        list(client.load(settings))
        assert said(client.generate(quantized_pair.prompt_tokens, GREEDY)) == expected_text(TINY_SHAPE, 60)


def test_a_file_that_is_no_model_is_told_and_not_tried_twice(tmp_path: Path) -> None:
    path = tmp_path / "no model.gguf"
    path.write_bytes(b"GGUF" + b"\x00" * 100)
    with EngineClient() as client:
        began = time.perf_counter()
        with pytest.raises(ModelLoadError):
            list(client.load(LoadSettings(str(path))))
        assert time.perf_counter() - began < 10


def test_a_missing_draft_is_no_error(settings: LoadSettings) -> None:
    """Prompt lookup and plain decoding are always possible; the reason is told."""
    with EngineClient() as client:
        *_, last = client.load(LoadSettings(settings.target_path, "/nowhere/draft.gguf", threads=1))
        assert isinstance(last, Loaded)
        assert last.model.draft_problem and last.model.block_size == 0
        rounds = [event.round for event in client.generate([5], GREEDY) if isinstance(event, RoundDone)]
        assert rounds and not any(done.drafted for done in rounds)
