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
from tests.ui.sitting import NARROW, WIDE, Sitting, at_open_desk

GATED = BenchScript(is_gated=True)


def bench(sitting: Sitting) -> BenchScreen:
    screen = sitting.app.screen
    assert isinstance(screen, BenchScreen)
    return screen


def banner(sitting: Sitting) -> str:
    found = bench(sitting).query_one(Banner)
    return str(found.content) if found.display else ""


@asynccontextmanager
async def at_bench(
    script: BenchScript | None = None, *, desk: FakeBackend | None = None, size: tuple[int, int] = WIDE
) -> AsyncIterator[Sitting]:
    async with at_open_desk(desk or FakeBackend(bench=script), size=size) as sitting:
        await sitting.pilot.press("f8")
        await sitting.until(lambda: isinstance(sitting.app.screen, BenchScreen))
        yield sitting


async def ask(sitting: Sitting, text: str = "Tell me a story.") -> None:
    prompt = bench(sitting).query_one(Prompt)
    prompt.show(text)
    prompt.focus()
    await sitting.pilot.press("enter")


async def race(sitting: Sitting, text: str = "Tell me a story.") -> RaceView:
    """Type it, wait for the measuring, and skip to the result."""
    await ask(sitting, text)
    view = bench(sitting).query_one(RaceView)
    await sitting.until(lambda: view.race is not None and not bench(sitting).measuring)
    await sitting.pilot.press("s")
    await sitting.until(lambda: view.replay.is_over)
    await sitting.pilot.pause()
    return view


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_typed_prompt_is_raced_and_the_result_is_told(size: tuple[int, int]) -> None:
    async with at_bench(size=size) as sitting:
        await race(sitting)
        picture = sitting.picture()
        for words in ("plain decoding · second", "speculation · ⚑ first", "Speculation wins by", "identical text"):
            assert words in picture
        assert "accepted length" in picture and "plain was measured first" in picture
        assert "than either alone." in picture
        (asked,) = sitting.backend.bench.raced
        assert asked[0] == "Tell me a story." and asked[1].is_greedy


async def test_the_prompt_says_what_it_is_for() -> None:
    """It once invited to write a message, as the chat's does."""
    async with at_bench() as sitting:
        assert "Prompt to race: Enter starts" in sitting.picture()


async def test_an_empty_prompt_is_passed_by_a_key_that_is_told() -> None:
    """Digits name the tabs, and are written into the prompt."""
    async with at_bench(size=NARROW) as sitting:
        assert "Right Suite" in sitting.picture().splitlines()[-1]
        await sitting.pilot.press("2")
        await sitting.until(lambda: "Right Suite" not in sitting.picture())
        await sitting.pilot.press("backspace", "right")
        await sitting.until(lambda: "Press s to start" in sitting.picture())


async def test_where_nothing_was_drafted_no_acceptance_is_told() -> None:
    async with at_bench(BenchScript(is_parked=True)) as sitting:
        await race(sitting)
        assert "nothing was drafted, because it would not have paid" in sitting.picture()
        assert "acceptance" not in sitting.picture()


async def test_while_it_is_measured_the_screen_says_how_far_it_is_and_gives_nothing_away() -> None:
    async with at_bench(GATED) as sitting:
        await ask(sitting)
        while "of at most 200 tokens" not in sitting.picture():
            sitting.backend.bench.let(1)
            await sitting.pilot.pause(0.02)
        picture = sitting.picture()
        assert "▸ plain decoding" in picture and "○ with speculation" in picture and "measuring: race" in picture
        assert "tok/s" not in picture
        sitting.backend.bench.let(1000)
        await sitting.until(lambda: not bench(sitting).measuring)


async def test_a_race_of_the_suite_is_chosen_with_the_arrows() -> None:
    async with at_bench() as sitting:
        assert "counting" in sitting.picture()
        await sitting.pilot.press("down")
        await sitting.until(lambda: bench(sitting).query_one("#suite", OptionList).has_focus)
        await sitting.pilot.press("down", "enter")
        await sitting.until(lambda: bench(sitting).query_one(RaceView).race)
        assert sitting.backend.bench.raced[0][0] == "Count backwards from 37 to 9."


async def test_the_arm_that_goes_first_alternates_and_is_said() -> None:
    async with at_bench() as sitting:
        await race(sitting)
        await sitting.pilot.press("r")
        await sitting.until(lambda: len(sitting.backend.bench.raced) == 2 and not bench(sitting).measuring)
        await sitting.pilot.press("s")
        await sitting.until(lambda: "speculation was measured first" in sitting.picture())
        assert [settings.is_plain_first for _, settings in sitting.backend.bench.raced] == [True, False]
        assert {text for text, _ in sitting.backend.bench.raced} == {"Tell me a story."}


async def test_a_sampled_race_has_one_seed_and_no_verdict() -> None:
    async with at_bench() as sitting:
        bench(sitting).query_one("#sampling", Cycle).focus()
        await sitting.pilot.press("space")
        await race(sitting)
        (asked,) = sitting.backend.bench.raced
        assert asked[1].sampling.temperature == sitting.backend.bench.sampling.temperature
        assert asked[1].sampling.seed is not None
        assert "there is no verdict" in sitting.picture()


async def test_the_length_of_reply_and_draft_can_be_chosen() -> None:
    async with at_bench() as sitting:
        bench(sitting).query_one("#length", Cycle).focus()
        await sitting.pilot.press("right")
        bench(sitting).query_one("#draft", Cycle).focus()
        await sitting.pilot.press("right", "right")
        await race(sitting)
        (asked,) = sitting.backend.bench.raced
        assert asked[1].max_tokens == 400 and asked[1].speculation.draft_length == 2


@pytest.mark.parametrize(
    ("judgement", "words"),
    [
        (Judgement("near-tie", 12, 0.02, 0.01), "near-tie at token 12 (margin 0.02 logits, noise 0.01): both texts"),
        (Judgement("diverged", 3, 5.0, 0.01), "DIVERGED at token 3"),
    ],
)
async def test_texts_that_differ_are_judged(judgement: Judgement, words: str) -> None:
    async with at_bench(BenchScript(judgement=judgement)) as sitting:
        await race(sitting)
        assert words in sitting.picture()


async def test_a_draft_that_is_never_right_loses_and_that_is_said() -> None:
    async with at_bench(BenchScript(acceptance=0.0)) as sitting:
        await race(sitting)
        picture = sitting.picture()
        assert "Plain decoding wins by" in picture and "plain decoding · ⚑ first" in picture


async def test_the_replay_runs_slower_faster_holds_and_comes_again() -> None:
    async with at_bench(BenchScript(text=STORY * 4, plain_ms=60)) as sitting:
        view = bench(sitting).query_one(RaceView)
        await ask(sitting, "Go.")
        await sitting.until(lambda: view.race is not None and not bench(sitting).measuring)
        await sitting.until(lambda: view.replay.at_ms > 0)
        await sitting.pilot.press("space")
        held_ms = view.replay.at_ms
        assert "held" in sitting.picture()
        await sitting.pilot.press("minus")
        await sitting.pilot.pause(0.2)
        assert view.replay.at_ms == held_ms and view.replay.speed == 0.5
        await sitting.pilot.press("plus", "plus", "space")
        await sitting.until(lambda: "2 times true speed" in sitting.picture())
        await sitting.until(lambda: view.replay.at_ms > held_ms)
        await sitting.pilot.press("s")
        await sitting.until(lambda: "wins" in sitting.picture())
        await sitting.pilot.press("w")
        await sitting.until(lambda: not view.replay.is_over)


async def test_the_result_is_copied_in_one_line_without_the_prompt() -> None:
    async with at_bench() as sitting:
        await race(sitting, "My secret plan.")
        await sitting.pilot.press("c")
        await sitting.until(lambda: sitting.app.clipboard)
        line = sitting.app.clipboard
        assert line.startswith("SparkDesk race: Spark Tiny + Spark Tiny DSpark on CPU: ")
        assert "tok/s (" in line and line.endswith("greedy, identical")
        assert "secret" not in line and "\n" not in line


async def test_escape_stops_the_measuring_and_the_words_wait_to_be_changed() -> None:
    async with at_bench(GATED) as sitting:
        await ask(sitting)
        await sitting.until(lambda: sitting.backend.bench.is_measuring)
        await sitting.pilot.press("escape")
        sitting.backend.bench.let(1)
        await sitting.until(lambda: not bench(sitting).measuring)
        assert bench(sitting).query_one(Prompt).text == "Tell me a story."
        assert "Stopped" in banner(sitting) and not sitting.backend.bench.is_measuring
        await sitting.pilot.press("escape")
        await sitting.until(lambda: isinstance(sitting.app.screen, ChatScreen))


async def test_a_race_goes_on_behind_the_chat_which_says_why_it_cannot_reply() -> None:
    async with at_bench(GATED) as sitting:
        await ask(sitting)
        await sitting.until(lambda: sitting.backend.bench.is_measuring)
        await sitting.pilot.press("f8")
        await sitting.until(lambda: isinstance(sitting.app.screen, ChatScreen))
        await sitting.say("Hello?")
        (told,) = sitting.app._notifications  # toasts are not drawn in tests
        assert told.message.startswith("The bench is measuring")
        assert sitting.backend.conversation.sent == [] and sitting.prompt.text == "Hello?"
        sitting.backend.bench.let(1000)
        await sitting.until(lambda: not sitting.backend.bench.is_measuring)
        await sitting.pilot.press("enter")
        await sitting.until(lambda: sitting.backend.conversation.sent == ["Hello?"])
        await sitting.pilot.press("f8")
        await sitting.until(lambda: bench(sitting).query_one(RaceView).race)


async def test_while_a_reply_is_being_made_the_bench_says_so() -> None:
    async with at_bench() as sitting:
        sitting.backend.bench.refusal = EngineBusy("A reply is being written.", "Wait for its end.")
        await ask(sitting)
        await sitting.until(lambda: "A reply is being written. Wait for its end." in banner(sitting))
        assert bench(sitting).query_one(Prompt).text == "Tell me a story."


async def test_an_engine_that_dies_is_a_sentence_and_a_key() -> None:
    script = BenchScript(crash_after_rounds=40, failure=EngineCrashed("The engine died of SIGSEGV."))
    async with at_bench(script) as sitting:
        await ask(sitting)
        await sitting.until(lambda: "SIGSEGV" in banner(sitting))
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.backend.reloaded == 1)
        assert isinstance(sitting.app.screen, ChatScreen)


async def test_a_bug_of_ours_is_shown_and_not_swallowed() -> None:
    async with at_bench(BenchScript(crash_after_rounds=4, surprise=KeyError("lane"))) as sitting:
        await ask(sitting)
        await sitting.until(lambda: "Unexpected KeyError" in banner(sitting))
        assert not bench(sitting).measuring


async def test_without_a_draft_there_is_nothing_to_race() -> None:
    async with at_bench(desk=FakeBackend(Script(), model=with_problem("the vocabularies differ"))) as sitting:
        assert "There is nothing to compare: the vocabularies differ" in banner(sitting)
        await ask(sitting)
        await sitting.pilot.pause()
        assert sitting.backend.bench.raced == []


async def test_the_palette_offers_the_keys_of_a_race() -> None:
    async with at_bench() as sitting:
        await race(sitting)
        titles = [command.title for command in of_screen(sitting.app.screen)]
        assert {"Pause", "Replay", "Skip", "Faster", "Slower", "Copy", "New", "Run again"} <= set(titles)


async def test_the_last_prompt_of_the_chat_is_raced_from_the_palette() -> None:
    async with at_open_desk() as sitting:
        assert "Race the last prompt" not in [command.title for command in of_screen(sitting.app.screen)]
        await sitting.ask("Tell me about sparks.")
        (command,) = (each for each in of_screen(sitting.app.screen) if each.title == "Race the last prompt")
        command.callback()
        await sitting.until(lambda: sitting.backend.bench.raced and not bench(sitting).measuring)
        assert sitting.backend.bench.raced[0][0] == "Tell me about sparks."


async def test_help_tells_the_keys_of_the_bench_and_comes_back_there() -> None:
    async with at_bench() as sitting:
        await race(sitting)
        await sitting.pilot.press("f1")
        await sitting.until(lambda: isinstance(sitting.app.screen, HelpScreen))
        for sought, words in (("replay faster", "Replay faster"), ("same prompt", "Measure the same prompt again")):
            sitting.app.screen.query_one(Input).value = sought
            await sitting.until(lambda words=words: words in sitting.picture())  # type: ignore[misc]
        await sitting.pilot.press("f1")
        await sitting.until(lambda: isinstance(sitting.app.screen, BenchScreen))
