"""The log: what a bug report needs and nothing that was written at the desk; and a window that is too small."""

from pathlib import Path

from sparkdesk.errors import ModelLoadError
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.session_log import Noted, report, without_words
from sparkdesk.ui.too_small import TooSmallScreen
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import NARROW, app_at, open_app

SECRET = "my secret plan"


async def test_it_holds_notices_errors_and_the_engine_s_last_words_and_is_copied() -> None:
    events = (Notice("This machine has no card."), Progress("Loading the target", 1, 1, ""))
    error = ModelLoadError("The target is not a GGUF file: spark.gguf.", "Convert it again.")
    async with app_at(FakeBackend(Script(open_events=events, open_error=error)), size=NARROW) as harness:
        await harness.until(lambda: harness.chat.stage is Stage.DOWN)
        await harness.pilot.press("ctrl+l")
        await harness.until(lambda: "llama_model_load: error loading ~/models/spark.gguf" in harness.picture())
        await harness.pilot.press("c")
        for words in ("SparkDesk 0.", "Python 3.", "no card", "not a GGUF file", "~/models/spark.gguf"):
            assert words in harness.app.clipboard
        await harness.pilot.press("escape")
        assert isinstance(harness.app.screen, ChatScreen)


async def test_no_prompt_or_reply_is_in_it_not_even_by_way_of_a_bug() -> None:
    desk = FakeBackend(Script(surprise=ValueError(f"cannot tokenize {SECRET!r}")))
    async with open_app(desk) as harness:
        await harness.ask(SECRET)
        assert SECRET in harness.banner
        await harness.pilot.press("ctrl+l", "c")
        assert "Unexpected ValueError (fake_backend.py:" in harness.app.clipboard
        assert SECRET not in harness.app.clipboard
        assert "small spark" not in harness.app.clipboard


def test_expected_errors_keep_their_words() -> None:
    assert without_words("The engine died: out of memory.") == "The engine died: out of memory."
    assert without_words("Unexpected KeyError: 'a: b\nc' (template.py:12)") == "Unexpected KeyError (template.py:12)"
    assert without_words("Unexpected KeyError: x") == "Unexpected KeyError"


def test_the_user_s_folder_is_left_out() -> None:
    told = report([Noted("12:00:00", "/home/me/x")], model=None, engine_words="at /home/me/y", home=Path("/home/me"))
    assert "~/x" in told and "~/y" in told and "/home/me" not in told


async def test_a_window_too_small_says_so_and_everything_goes_on() -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with open_app(desk, size=NARROW) as harness:
        await harness.say("a story")
        await harness.pilot.resize_terminal(50, 12)
        await harness.until(lambda: isinstance(harness.app.screen, TooSmallScreen))
        assert "60 columns and 16 lines; this one has 50 and" in " ".join(harness.picture().split())
        desk.conversation.let(1000)
        await harness.until(desk.conversation.is_over.is_set)
        await harness.pilot.resize_terminal(80, 24)
        await harness.until(lambda: isinstance(harness.app.screen, ChatScreen))
        await harness.until(lambda: "accepted length" in harness.picture())


async def test_a_window_too_small_from_the_start_opens_the_desk_all_the_same() -> None:
    async with app_at(size=(40, 10)) as harness:
        await harness.until(lambda: isinstance(harness.app.screen, TooSmallScreen))
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        await harness.pilot.press("ctrl+q")
    assert harness.backend.closed == 1
