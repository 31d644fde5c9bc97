"""The client against a real child process with a scripted engine: answers, cancelling, switching, closing."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import ContextFull, EngineCrashed, EngineError, ModelLoadError
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Compared, Finished, Loaded, Loading, Prefilling, RoundDone
from tests.runner import fake_child
from tests.runner.fake_child import COMMAND, INFO

UNTIL_CANCELLED = GenerationSettings()
TEN = GenerationSettings(max_tokens=10)


@pytest.fixture
def client() -> Iterator[EngineClient]:
    with EngineClient(child_command=COMMAND) as client:
        list(client.load(LoadSettings("fake")))
        yield client


def finished(events: Iterator[Prefilling | RoundDone | Finished]) -> Finished:
    *_, last = events
    assert isinstance(last, Finished)
    return last


def test_loading_tells_its_progress_and_ends_with_the_model() -> None:
    with EngineClient(child_command=COMMAND) as client:
        assert client.model is None and not client.is_alive
        *progress, last = client.load(LoadSettings("fake"))
        assert list(dict.fromkeys(progress)) == [Loading("target", 0.0), Loading("warm-up", 1.0)]
        assert isinstance(last, Loaded)
        assert client.model == last.model == INFO
        assert client.is_alive


def test_progress_is_thinned_out_before_it_is_sent() -> None:
    """llama.cpp reports once a tensor; thousands of lines would queue in front of a screen."""
    with EngineClient(child_command=COMMAND) as client:
        assert len(list(client.load(LoadSettings("many reports")))) < 100


def test_a_reply_comes_round_by_round(client: EngineClient) -> None:
    first, *rounds, last = client.generate([fake_child.COUNT, 2], TEN)
    assert isinstance(first, Prefilling) and first.progress.total == 2
    assert [event.pieces for event in rounds if isinstance(event, RoundDone)] == [
        (bytes([100 + i]),) for i in range(10)
    ]
    assert isinstance(last, Finished) and last.stop_reason == "length" and last.stats.generated == 10


def test_control_tokens_are_spelled_out_for_whoever_asks(client: EngineClient) -> None:
    """Some models write their tool calls with control tokens, which are empty pieces for everyone else."""
    reply = client.ask_for_reply([fake_child.COUNT], GenerationSettings(max_tokens=2), spells_control=True)
    pieces = [event.pieces for event in reply.events() if isinstance(event, RoundDone)]
    assert pieces == [(b"<100>",), (b"<101>",)]


def test_text_is_tokenized_and_tokens_compared(client: EngineClient) -> None:
    assert client.tokenize("aé") == tuple("aé".encode())
    assert client.compare([1, 2], 9, 5) == Compared(4.0, 0.5)


def test_the_models_end_tokens_end_the_reply_unless_told_otherwise(client: EngineClient) -> None:
    """Whoever asks for a reply should not have to know the vocabulary; a benchmark must be able to run on."""
    assert finished(client.generate([fake_child.END_TOKEN], TEN)).stop_reason == "end"
    assert finished(client.generate([fake_child.END_TOKEN], TEN, ignore_end=True)).stop_reason == "length"


def test_errors_come_back_under_their_own_class(client: EngineClient) -> None:
    """`except ContextFull` above the process boundary must work, with message and hint."""
    with pytest.raises(ContextFull, match="context holds 8") as caught:
        list(client.generate([fake_child.FULL], TEN))
    assert caught.value.hint == "Shorten it."
    assert finished(client.generate([fake_child.COUNT], TEN)).stats.generated == 10


def test_an_unexpected_exception_is_an_answer_and_the_child_goes_on(client: EngineClient) -> None:
    """A bug in the engine must not leave the desk waiting for an answer that never comes."""
    with pytest.raises(EngineError, match="KeyError"):
        list(client.generate([fake_child.BUG], TEN))
    assert client.tokenize("a") == (97,)


def test_a_missing_model_is_said_and_nothing_is_left_behind() -> None:
    with EngineClient(child_command=COMMAND) as client:
        with pytest.raises(ModelLoadError):
            list(client.load(LoadSettings("missing")))
        assert client.model is None and not client.is_alive
        with pytest.raises(EngineError, match="No model"):
            client.tokenize("a")


def test_a_second_load_ends_the_first_process(client: EngineClient, tmp_path: Path) -> None:
    """Two models in memory at once is what the user cannot afford."""
    log = tmp_path / "log"
    list(client.load(LoadSettings(f"fake@{log}")))
    list(client.load(LoadSettings(f"fake@{log}")))
    first, second = (int(line.split()[1]) for line in log.read_text().splitlines())
    assert first != second
    assert not Path(f"/proc/{first}").exists()
    assert client.tokenize("a") == (97,)


def test_cancel_ends_the_reply_within_a_round(client: EngineClient) -> None:
    seen_after = 0
    is_cancelled = False
    for event in client.generate([fake_child.SLOWLY], UNTIL_CANCELLED):
        if isinstance(event, RoundDone):
            seen_after += is_cancelled
            if not is_cancelled:
                client.cancel()
                is_cancelled = True
    assert isinstance(event, Finished) and event.stop_reason == "cancelled"
    assert seen_after <= 1


def test_cancel_reaches_a_reply_that_is_still_reading_its_prompt(client: EngineClient) -> None:
    events = client.generate([fake_child.FOREVER_IN_PREFILL], UNTIL_CANCELLED)
    next(events)
    client.cancel()
    assert finished(events).stop_reason == "cancelled"


def test_cancel_without_a_reply_does_not_touch_the_next_one(client: EngineClient) -> None:
    """A late Esc must not swallow the answer to the next question."""
    client.cancel()
    assert finished(client.generate([fake_child.COUNT], TEN)).stop_reason == "length"


def test_cancel_comes_from_any_thread(client: EngineClient) -> None:
    threading.Timer(0.1, client.cancel).start()
    assert finished(client.generate([fake_child.ENDLESS], UNTIL_CANCELLED)).stop_reason == "cancelled"


def test_cancelling_one_reply_leaves_those_that_wait(client: EngineClient) -> None:
    """A server's client that goes away must not take another one's answer with it."""
    first = client.ask_for_reply([fake_child.ENDLESS], UNTIL_CANCELLED)
    second = client.ask_for_reply([fake_child.SLOWLY], UNTIL_CANCELLED)
    third = client.ask_for_reply([fake_child.COUNT], TEN)
    second.cancel()
    threading.Timer(0.1, first.cancel).start()
    assert finished(first.events()).stop_reason == "cancelled"
    assert finished(second.events()) == Finished("cancelled", ReplyStats(prompt_tokens=1))
    assert finished(third.events()).stop_reason == "length"


def test_a_reply_that_is_over_cannot_be_cancelled(client: EngineClient) -> None:
    """Its number must not reach a later one."""
    reply = client.ask_for_reply([fake_child.COUNT], TEN)
    assert finished(reply.events()).stop_reason == "length"
    reply.cancel()
    assert finished(client.generate([fake_child.COUNT], TEN)).stop_reason == "length"


def test_text_is_tokenized_in_mid_reply(client: EngineClient) -> None:
    """Counting what is being typed must not wait for the answer to what was typed before."""
    events = client.generate([fake_child.SLOWLY], GenerationSettings(max_tokens=100))
    for _ in range(3):
        next(events)
    began = time.perf_counter()
    assert client.tokenize("count me") == tuple(b"count me")
    assert time.perf_counter() - began < 20 * fake_child.ROUND_SECONDS
    assert finished(events).stats.generated == 100


def test_a_reply_closed_early_stops_and_leaves_the_next_request_clean(client: EngineClient) -> None:
    """Answers of the closed reply must not be taken for answers to the next request."""
    events = client.generate([fake_child.SLOWLY], UNTIL_CANCELLED)
    for _ in range(4):
        next(events)
    events.close()
    began = time.perf_counter()
    assert client.tokenize("b") == (98,)
    assert time.perf_counter() - began < 10 * fake_child.ROUND_SECONDS
    assert finished(client.generate([fake_child.COUNT], TEN)).stats.generated == 10


def test_a_reply_interrupted_by_ctrl_c_stops_too(client: EngineClient) -> None:
    """KeyboardInterrupt arrives while waiting for the next round: the child must not go on for nobody."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    threading.Timer(0.2, signal.pthread_kill, (main_thread, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(client.generate([fake_child.FOREVER_IN_PREFILL], UNTIL_CANCELLED))
    assert client.tokenize("c") == (99,)


def test_a_reply_never_asked_for_is_never_made(client: EngineClient) -> None:
    """An iterator that is made and dropped costs nothing."""
    client.generate([fake_child.ENDLESS], UNTIL_CANCELLED)
    assert client.tokenize("a") == (97,)


def test_speculation_switches_in_mid_reply(client: EngineClient) -> None:
    switched = SpeculationSettings(is_enabled=True, draft_length=5)
    settings = GenerationSettings(max_tokens=200, speculation=SpeculationSettings(is_enabled=False))
    flags = []
    for event in client.generate([fake_child.SLOWLY], settings):
        if isinstance(event, RoundDone):
            flags.append(event.is_speculating)
            assert event.is_speculating == event.round.is_drafted[0]
            if len(flags) == 3:
                client.set_speculation(switched)
            if event.round.drafted == 5:
                client.cancel()
    assert flags[:3] == [False] * 3
    assert flags.index(True) <= 5


def test_speculation_is_not_carried_over_to_the_next_reply(client: EngineClient) -> None:
    """Each Generate brings its own choice; a leftover from an earlier reply would overrule it."""
    client.set_speculation(SpeculationSettings(is_enabled=False))
    _, first, *_ = client.generate([fake_child.COUNT], TEN)
    assert isinstance(first, RoundDone) and first.is_speculating


def test_a_library_that_prints_does_not_disturb_the_wire(client: EngineClient) -> None:
    """llama.cpp and GPU drivers print to stdout when they please."""
    assert finished(client.generate([fake_child.NOISE], TEN)).stats.generated == 10
    deadline_s = time.perf_counter() + 5
    while "printed by a C library" not in client.stderr_tail and time.perf_counter() < deadline_s:
        time.sleep(0.001)  # stderr is read by a thread of its own
    assert "printed by a C library" in client.stderr_tail


def test_a_thousand_quick_requests_are_answered_in_order(client: EngineClient) -> None:
    for number in range(1000):
        text = str(number)
        assert client.tokenize(text) == tuple(text.encode())


def test_requests_of_several_threads_get_their_own_answers(client: EngineClient) -> None:
    """The screen counts tokens while a reply is being asked for."""
    wrong: list[str] = []

    def ask(name: str) -> None:
        wrong.extend(name for _ in range(200) if client.tokenize(name) != tuple(name.encode()))

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    assert finished(client.generate([fake_child.COUNT], TEN)).stats.generated == 10
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_huge_message_goes_through_both_ways(client: EngineClient) -> None:
    """Larger than any pipe's buffer: a side that writes without the other reading would hang."""
    text = "x" * 4_000_000
    assert len(client.tokenize(text)) == len(text)


def test_a_load_that_makes_no_progress_still_shows_life() -> None:
    """The screen cancels between two events: without any, Esc would wait for a slow disk."""
    with EngineClient(child_command=COMMAND) as client:
        events = client.load(LoadSettings("endless"))
        began = time.perf_counter()
        assert [next(events) for _ in range(3)] == [Loading("target", 0.0)] * 3
        assert time.perf_counter() - began < 3
        events.close()


def test_close_unblocks_a_load_that_never_ends() -> None:
    """Quitting while a model loads from a slow disk."""
    client = EngineClient(child_command=COMMAND)
    events = client.load(LoadSettings("endless"))
    next(events)
    threading.Timer(0.1, client.close).start()
    began = time.perf_counter()
    with pytest.raises(EngineError, match="closed") as caught:
        list(events)
    assert not isinstance(caught.value, EngineCrashed)
    assert time.perf_counter() - began < 1.0


def test_a_load_closed_early_leaves_no_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    client = EngineClient(child_command=COMMAND)
    events = client.load(LoadSettings(f"endless@{log}"))
    next(events)
    while not log.exists() or not log.read_text():
        time.sleep(0.01)
    events.close()
    assert not Path(f"/proc/{log.read_text().split()[1]}").exists()


def test_close_unblocks_a_reply_in_another_thread(client: EngineClient) -> None:
    threading.Timer(0.1, client.close).start()
    with pytest.raises(EngineError, match="closed"):
        list(client.generate([fake_child.ENDLESS], UNTIL_CANCELLED))


def test_close_may_be_called_twice_and_at_any_time() -> None:
    client = EngineClient(child_command=COMMAND)
    client.close()
    list(client.load(LoadSettings("fake")))
    client.close()
    client.close()
    assert not client.is_alive
    client.cancel()
