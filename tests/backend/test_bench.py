"""The desk's bench with the real engine: a race of Spark Tiny, and never a reply at the same time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.backend.local import LocalBackend
from sparkdesk.backend.shared_engine import SharedEngine
from sparkdesk.bench.race import PLAIN, SPECULATIVE, ArmAdvanced, Race, RaceSettings
from sparkdesk.bench.requests import CardMade, SuiteAsked
from sparkdesk.bench.results import Comparison
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.chat.events import ReplyAdvanced, ReplyBroken, ReplyFinished
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineBusy, UsageError
from sparkdesk.loading.choice import demo_pair
from sparkdesk.runner.client import EngineClient
from sparkdesk.ui.bench.protocol import Bench

pytestmark = pytest.mark.native
HOW = LoadSettings("", context_tokens=512, threads=1)
QUESTION = "Count from 1 to 40."


@pytest.fixture(scope="module")
def desk(tiny_pair: SyntheticPair) -> Iterator[LocalBackend]:
    chat = ChatSettings(sampling=SamplingSettings(temperature=0.0), max_tokens=60)
    made = LocalBackend(demo_pair(), SharedEngine(EngineClient()), how=lambda: HOW, chat=chat)
    list(made.load())
    yield made
    made.close()


def as_the_screen_sees_it(desk: LocalBackend) -> Bench:
    """mypy checks that the protocol is satisfied."""
    return desk.bench


def test_spark_tiny_races_and_says_the_same_twice(desk: LocalBackend) -> None:
    # A length of its own, for the scheduler may park where the machine is busy with other tests.
    how = RaceSettings(max_tokens=240, speculation=SpeculationSettings(True, 4))
    events = list(as_the_screen_sees_it(desk).race(QUESTION, how))
    found = events[-1]
    assert isinstance(found, Race)
    assert {event.arm for event in events if isinstance(event, ArmAdvanced)} == {PLAIN, SPECULATIVE}
    assert found.judgement is not None and found.judgement.kind in ("identical", "near-tie")
    assert found.plain.text.startswith("1, 2, 3, 4, 5") and found.plain.text.endswith("40")
    assert found.accepted_length > 1.5 and found.plain.reply.stats.accepted_length == 1.0
    for arm in (found.plain, found.speculative):
        stats = arm.reply.stats
        assert stats.prefilled_tokens == stats.prompt_tokens
        assert arm.finish_ms == pytest.approx(stats.prefill_ms + stats.decode_ms)
        assert arm.total_tokens == stats.generated + stats.has_end
    assert any(piece.is_drafted for step in found.speculative.steps for piece in step.pieces)


def test_spark_tiny_is_offered_its_own_suite(desk: LocalBackend) -> None:
    assert QUESTION in [prompt.text for prompt in desk.bench.prompts()]


def test_while_it_measures_no_reply_is_made_and_afterwards_one_is(desk: LocalBackend) -> None:
    import threading

    race = iter(desk.bench.race(QUESTION, RaceSettings(max_tokens=120)))
    assert next(race) and desk.is_measuring
    ends: list[object] = []
    thread = threading.Thread(target=lambda: ends.append(list(desk.conversation.reply("Hello."))[-1]))
    thread.start()
    thread.join()
    (end,) = ends
    assert isinstance(end, ReplyBroken) and "bench is measuring" in end.cause and not end.needs_reload
    del race
    assert not desk.is_measuring and desk.conversation.messages == ()
    *_, last = desk.conversation.reply("Hello.")
    assert isinstance(last, ReplyFinished)


def test_while_a_reply_is_made_nothing_is_measured(desk: LocalBackend) -> None:
    reply = desk.conversation.reply(QUESTION)
    assert next(event for event in reply if isinstance(event, ReplyAdvanced))
    with pytest.raises(EngineBusy, match="A reply is being written"):
        next(desk.bench.race(QUESTION, RaceSettings()))
    list(reply)
    assert next(desk.bench.race(QUESTION, RaceSettings()))
    assert not desk.is_measuring


def test_a_run_of_spark_tiny_is_kept_without_text_and_makes_a_card(desk: LocalBackend, tmp_path: Path) -> None:
    bench = as_the_screen_sees_it(desk)
    asked = SuiteAsked(("counting", "facts"), 1, 40)
    events = list(bench.run(asked))
    compared = [event for event in events if isinstance(event, Comparison)]
    assert [each.domain for each in compared] == ["counting", "facts"]
    run = bench.keep(asked, compared, is_complete=True)
    written = run.path.read_text("utf-8")
    assert "Count from" not in written and "capital" not in written and str(Path.home()) not in written
    assert bench.runs()[0].found == run.found
    *_, made = bench.card(run)
    assert isinstance(made, CardMade)
    assert all(len(facts["sha256"]) == 64 for facts in made.card["files"].values())
    assert "sparkdesk bench run --suite tiny --domains counting,facts --limit 1 --max-tokens 40" in made.markdown
    assert [path.name for path in bench.save(made, tmp_path / "card.md")] == ["card.md", "card.json"]
    with pytest.raises(UsageError, match="exists already"):
        bench.save(made, tmp_path / "card.md")
    (only,) = bench.card(bench.runs()[0])
    assert isinstance(only, CardMade), "the hashes were remembered"
    bench.forget(run)
    assert bench.runs() == ()
