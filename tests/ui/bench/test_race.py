"""The race on the screen: asked, measured, replayed, shared, stopped, and refused while the engine has other work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.widgets import Input, OptionList

from sparkdesk.bench.results import Judgement
from sparkdesk.errors import EngineBusy, EngineCrashed
from sparkdesk.ui.bench.race_view import RaceView
from sparkdesk.ui.bench.screen import BenchScreen
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.commands import of_screen
from sparkdesk.ui.help import HelpScreen
from sparkdesk.ui.shared.banner import Banner
from sparkdesk.ui.shared.cycle import Cycle
from sparkdesk.ui.shared.prompt import Prompt
from tests.ui.fake_backend import FakeBackend, Script, with_problem
from tests.ui.fake_bench import STORY, BenchScript
from tests.ui.harness import NARROW, WIDE, Harness, open_app

GATED = BenchScript(is_gated=True)


def bench(harness: Harness) -> BenchScreen:
    screen = harness.app.screen
    assert isinstance(screen, BenchScreen)
    return screen


def banner(harness: Harness) -> str:
    found = bench(harness).query_one(Banner)
    return str(found.content) if found.display else ""


@asynccontextmanager
async def at_bench(
    script: BenchScript | None = None, *, desk: FakeBackend | None = None, size: tuple[int, int] = WIDE
) -> AsyncIterator[Harness]:
    async with open_app(desk or FakeBackend(bench=script), size=size) as harness:
        await harness.pilot.press("f8")
        await harness.until(lambda: isinstance(harness.app.screen, BenchScreen))
        yield harness


async def ask(harness: Harness, text: str = "Tell me a story.") -> None:
    prompt = bench(harness).query_one(Prompt)
    prompt.show(text)
    prompt.focus()
    await harness.pilot.press("enter")


async def race(harness: Harness, text: str = "Tell me a story.") -> RaceView:
    """Type it, wait for the measuring, and skip to the result."""
    await ask(harness, text)
    view = bench(harness).query_one(RaceView)
    await harness.until(lambda: view.race is not None and not bench(harness).measuring)
    await harness.pilot.press("s")
    await harness.until(lambda: view.replay.is_over)
    await harness.pilot.pause()
    return view


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_typed_prompt_is_raced_and_the_result_is_told(size: tuple[int, int]) -> None:
    async with at_bench(size=size) as harness:
        await race(harness)
        picture = harness.picture()
        for words in ("plain decoding · second", "speculation · ⚑ first", "Speculation wins by", "identical text"):
            assert words in picture
        assert "accepted length" in picture and "plain was measured first" in picture
        assert "than either alone." in picture
        (asked,) = harness.backend.bench.raced
        assert asked[0] == "Tell me a story." and asked[1].is_greedy


async def test_the_prompt_says_what_it_is_for() -> None:
    """It once invited to write a message, as the chat's does."""
    async with at_bench() as harness:
        assert "Prompt to race: Enter starts" in harness.picture()


async def test_an_empty_prompt_is_passed_by_a_key_that_is_told() -> None:
    """Digits name the tabs, and are written into the prompt."""
    async with at_bench(size=NARROW) as harness:
        assert "Right Suite" in harness.picture().splitlines()[-1]
        await harness.pilot.press("2")
        await harness.until(lambda: "Right Suite" not in harness.picture())
        await harness.pilot.press("backspace", "right")
        await harness.until(lambda: "Press s to start" in harness.picture())


async def test_where_nothing_was_drafted_no_acceptance_is_told() -> None:
    async with at_bench(BenchScript(is_parked=True)) as harness:
        await race(harness)
        assert "nothing was drafted, because it would not have paid" in harness.picture()
        assert "acceptance" not in harness.picture()


async def test_while_it_is_measured_the_screen_says_how_far_it_is_and_gives_nothing_away() -> None:
    async with at_bench(GATED) as harness:
        await ask(harness)
        while "of at most 200 tokens" not in harness.picture():
            harness.backend.bench.let(1)
            await harness.pilot.pause(0.02)
        picture = harness.picture()
        assert "▸ plain decoding" in picture and "○ with speculation" in picture and "measuring: race" in picture
        assert "tok/s" not in picture
        harness.backend.bench.let(1000)
        await harness.until(lambda: not bench(harness).measuring)


async def test_a_race_of_the_suite_is_chosen_with_the_arrows() -> None:
    async with at_bench() as harness:
        assert "counting" in harness.picture()
        await harness.pilot.press("down")
        await harness.until(lambda: bench(harness).query_one("#suite", OptionList).has_focus)
        await harness.pilot.press("down", "enter")
        await harness.until(lambda: bench(harness).query_one(RaceView).race)
        assert harness.backend.bench.raced[0][0] == "Count backwards from 37 to 9."


async def test_the_arm_that_goes_first_alternates_and_is_said() -> None:
    async with at_bench() as harness:
        await race(harness)
        await harness.pilot.press("r")
        await harness.until(lambda: len(harness.backend.bench.raced) == 2 and not bench(harness).measuring)
        await harness.pilot.press("s")
        await harness.until(lambda: "speculation was measured first" in harness.picture())
        assert [settings.is_plain_first for _, settings in harness.backend.bench.raced] == [True, False]
        assert {text for text, _ in harness.backend.bench.raced} == {"Tell me a story."}


async def test_a_sampled_race_has_one_seed_and_no_verdict() -> None:
    async with at_bench() as harness:
        bench(harness).query_one("#sampling", Cycle).focus()
        await harness.pilot.press("space")
        await race(harness)
        (asked,) = harness.backend.bench.raced
        assert asked[1].sampling.temperature == harness.backend.bench.sampling.temperature
        assert asked[1].sampling.seed is not None
        assert "there is no verdict" in harness.picture()


async def test_the_length_of_reply_and_draft_can_be_chosen() -> None:
    async with at_bench() as harness:
        bench(harness).query_one("#length", Cycle).focus()
        await harness.pilot.press("right")
        bench(harness).query_one("#draft", Cycle).focus()
        await harness.pilot.press("right", "right")
        await race(harness)
        (asked,) = harness.backend.bench.raced
        assert asked[1].max_tokens == 400 and asked[1].speculation.draft_length == 2


@pytest.mark.parametrize(
    ("judgement", "words"),
    [
        (Judgement("near-tie", 12, 0.02, 0.01), "near-tie at token 12 (margin 0.02 logits, noise 0.01): both texts"),
        (Judgement("diverged", 3, 5.0, 0.01), "DIVERGED at token 3"),
    ],
)
async def test_texts_that_differ_are_judged(judgement: Judgement, words: str) -> None:
    async with at_bench(BenchScript(judgement=judgement)) as harness:
        await race(harness)
        assert words in harness.picture()


async def test_a_draft_that_is_never_right_loses_and_that_is_said() -> None:
    async with at_bench(BenchScript(acceptance=0.0)) as harness:
        await race(harness)
        picture = harness.picture()
        assert "Plain decoding wins by" in picture and "plain decoding · ⚑ first" in picture


async def test_the_replay_runs_slower_faster_holds_and_comes_again() -> None:
    async with at_bench(BenchScript(text=STORY * 4, plain_ms=60)) as harness:
        view = bench(harness).query_one(RaceView)
        await ask(harness, "Go.")
        await harness.until(lambda: view.race is not None and not bench(harness).measuring)
        await harness.until(lambda: view.replay.at_ms > 0)
        await harness.pilot.press("space")
        held_ms = view.replay.at_ms
        assert "held" in harness.picture()
        await harness.pilot.press("minus")
        await harness.pilot.pause(0.2)
        assert view.replay.at_ms == held_ms and view.replay.speed == 0.5
        await harness.pilot.press("plus", "plus", "space")
        await harness.until(lambda: "2 times true speed" in harness.picture())
        await harness.until(lambda: view.replay.at_ms > held_ms)
        await harness.pilot.press("s")
        await harness.until(lambda: "wins" in harness.picture())
        await harness.pilot.press("w")
        await harness.until(lambda: not view.replay.is_over)


async def test_the_result_is_copied_in_one_line_without_the_prompt() -> None:
    async with at_bench() as harness:
        await race(harness, "My secret plan.")
        await harness.pilot.press("c")
        await harness.until(lambda: harness.app.clipboard)
        line = harness.app.clipboard
        assert line.startswith("SparkDesk race: Spark Tiny + Spark Tiny DSpark on CPU: ")
        assert "tok/s (" in line and line.endswith("greedy, identical")
        assert "secret" not in line and "\n" not in line


async def test_escape_stops_the_measuring_and_the_words_wait_to_be_changed() -> None:
    async with at_bench(GATED) as harness:
        await ask(harness)
        await harness.until(lambda: harness.backend.bench.is_measuring)
        await harness.pilot.press("escape")
        harness.backend.bench.let(1)
        await harness.until(lambda: not bench(harness).measuring)
        assert bench(harness).query_one(Prompt).text == "Tell me a story."
        assert "Stopped" in banner(harness) and not harness.backend.bench.is_measuring
        await harness.pilot.press("escape")
        await harness.until(lambda: isinstance(harness.app.screen, ChatScreen))


async def test_a_race_goes_on_behind_the_chat_which_says_why_it_cannot_reply() -> None:
    async with at_bench(GATED) as harness:
        await ask(harness)
        await harness.until(lambda: harness.backend.bench.is_measuring)
        await harness.pilot.press("f8")
        await harness.until(lambda: isinstance(harness.app.screen, ChatScreen))
        await harness.say("Hello?")
        (told,) = harness.app._notifications  # toasts are not drawn in tests
        assert told.message.startswith("The bench is measuring")
        assert harness.backend.conversation.sent == [] and harness.prompt.text == "Hello?"
        harness.backend.bench.let(1000)
        await harness.until(lambda: not harness.backend.bench.is_measuring)
        await harness.pilot.press("enter")
        await harness.until(lambda: harness.backend.conversation.sent == ["Hello?"])
        await harness.pilot.press("f8")
        await harness.until(lambda: bench(harness).query_one(RaceView).race)


async def test_while_a_reply_is_being_made_the_bench_says_so() -> None:
    async with at_bench() as harness:
        harness.backend.bench.refusal = EngineBusy("A reply is being written.", "Wait for its end.")
        await ask(harness)
        await harness.until(lambda: "A reply is being written. Wait for its end." in banner(harness))
        assert bench(harness).query_one(Prompt).text == "Tell me a story."


async def test_an_engine_that_dies_is_a_sentence_and_a_key() -> None:
    script = BenchScript(crash_after_rounds=40, failure=EngineCrashed("The engine died of SIGSEGV."))
    async with at_bench(script) as harness:
        await ask(harness)
        await harness.until(lambda: "SIGSEGV" in banner(harness))
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.backend.reloaded == 1)
        assert isinstance(harness.app.screen, ChatScreen)


async def test_a_bug_of_ours_is_shown_and_not_swallowed() -> None:
    async with at_bench(BenchScript(crash_after_rounds=4, surprise=KeyError("lane"))) as harness:
        await ask(harness)
        await harness.until(lambda: "Unexpected KeyError" in banner(harness))
        assert not bench(harness).measuring


async def test_without_a_draft_there_is_nothing_to_race() -> None:
    async with at_bench(desk=FakeBackend(Script(), model=with_problem("the vocabularies differ"))) as harness:
        assert "There is nothing to compare: the vocabularies differ" in banner(harness)
        await ask(harness)
        await harness.pilot.pause()
        assert harness.backend.bench.raced == []


async def test_the_palette_offers_the_keys_of_a_race() -> None:
    async with at_bench() as harness:
        await race(harness)
        titles = [command.title for command in of_screen(harness.app.screen)]
        assert {"Pause", "Replay", "Skip", "Faster", "Slower", "Copy", "New", "Run again"} <= set(titles)


async def test_the_last_prompt_of_the_chat_is_raced_from_the_palette() -> None:
    async with open_app() as harness:
        assert "Race the last prompt" not in [command.title for command in of_screen(harness.app.screen)]
        await harness.ask("Tell me about sparks.")
        (command,) = (each for each in of_screen(harness.app.screen) if each.title == "Race the last prompt")
        command.callback()
        await harness.until(lambda: harness.backend.bench.raced and not bench(harness).measuring)
        assert harness.backend.bench.raced[0][0] == "Tell me about sparks."


async def test_help_tells_the_keys_of_the_bench_and_comes_back_there() -> None:
    async with at_bench() as harness:
        await race(harness)
        await harness.pilot.press("f1")
        await harness.until(lambda: isinstance(harness.app.screen, HelpScreen))
        for sought, words in (("replay faster", "Replay faster"), ("same prompt", "Measure the same prompt again")):
            harness.app.screen.query_one(Input).value = sought
            await harness.until(lambda words=words: words in harness.picture())  # type: ignore[misc]
        await harness.pilot.press("f1")
        await harness.until(lambda: isinstance(harness.app.screen, BenchScreen))
