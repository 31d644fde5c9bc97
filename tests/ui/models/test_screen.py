"""The models screen: looking, searching, getting, stopping, removing and opening, by keys and by mouse."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sparkdesk.builder.catalog_state import BuildJob
from sparkdesk.errors import AccessRefused, DiskFull, EngineError, HubUnreachable
from sparkdesk.fit import FreeMemory
from sparkdesk.library.model import Library
from sparkdesk.safe_text import safe_line
from sparkdesk.sizes import size_in_words
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.models.download_dialog import DownloadScreen
from sparkdesk.ui.models.facts import Fact
from sparkdesk.ui.models.model_details import _lines
from sparkdesk.ui.models.model_list import ModelList
from sparkdesk.ui.models.remove_dialog import RemoveScreen
from sparkdesk.ui.models.rows import Bundled, Remark, Row
from sparkdesk.ui.models.screen import ModelsScreen
from sparkdesk.ui.models.sections import Sections
from sparkdesk.ui.shared.banner import Banner
from tests.ui.fake_backend import FakeBackend
from tests.ui.fake_models import CUT, GB, LEFT, TARGET_8B, FakeModels, ModelsScript, forecast
from tests.ui.harness import NARROW, WIDE, Harness, open_app


@asynccontextmanager
async def at_models(script: ModelsScript | None = None, *, size: tuple[int, int] = WIDE) -> AsyncIterator[Harness]:
    desk = FakeBackend()
    desk.models = FakeModels(script)
    async with open_app(desk, size=size) as harness:
        await harness.pilot.press("f7")
        await harness.until(lambda: models(harness).contents is not None)
        yield harness


def _needed(quantization: str) -> int:
    """Without a card, in the forecast's context."""
    options = forecast(FreeMemory(64 * GB, 64 * GB)).options
    return next(each.plan.need.total_bytes for each in options if each.quantization == quantization)


def models(harness: Harness) -> ModelsScreen:
    found = [screen for screen in harness.app.screen_stack if isinstance(screen, ModelsScreen)]
    return found[0] if found else _installed(harness)


def _installed(harness: Harness) -> ModelsScreen:
    screen = harness.app.get_screen("models")
    assert isinstance(screen, ModelsScreen)
    return screen


def manager(harness: Harness) -> FakeModels:
    return harness.backend.models


def trouble(harness: Harness) -> str:
    banner = models(harness).query_one(Banner)
    return str(banner.content) if banner.display else ""


async def choose(harness: Harness, key: str) -> None:
    """As the arrow keys would."""
    models(harness).query_one(ModelList).choose(key)
    await harness.pilot.pause()


async def order(harness: Harness, name: str = "qwen3-4b") -> None:
    """Through the catalogue, in the usual quantization."""
    await harness.pilot.press("2")
    await choose(harness, f"entry {name}")
    await harness.pilot.press("enter")
    await harness.until(
        lambda: isinstance(harness.app.screen, DownloadScreen) and harness.app.screen.forecast is not None
    )
    await harness.pilot.press("enter")
    await harness.until(lambda: isinstance(harness.app.screen, ModelsScreen))


async def test_its_keys_are_told_as_those_of_every_screen_are() -> None:
    async with at_models(size=NARROW) as harness:
        assert harness.picture().splitlines()[-1].startswith(" F1 Help  Enter Choose  / Search")
        assert harness.picture().endswith("^Q Quit")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_is_here_is_listed_with_what_is_wrong(size: tuple[int, int]) -> None:
    async with at_models(size=size) as harness:
        shown = harness.picture()
        for words in ("Spark Tiny", "built in", "qwen3-8b", "Q4_K_M + Q8_0", "6.2 GB", "Not usable", "✗ half.gguf"):
            assert words in shown
        await choose(harness, f"model {manager(harness).script.library.models[-1].path}")
        assert "cut short" in harness.picture()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_chosen_pair_is_described_and_whether_it_fits(size: tuple[int, int]) -> None:
    async with at_models(size=size) as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.until(lambda: "fits with 8,192 tokens" in " ".join(harness.picture().split()))
        shown = harness.picture()
        for words in ("qwen3 · 36 layers", "Qwen/Qwen3-8B-GGUF", "apache-2.0", "/hub/Qwen3-8B-Q4_K_M.gguf"):
            assert words in shown.replace("\u00a0", " ")


async def test_a_small_card_takes_some_of_the_layers() -> None:
    async with at_models(ModelsScript(room=FreeMemory(32 * GB, 6 * GB))) as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.until(lambda: "layers on the GPU" in " ".join(harness.picture().split()))


async def test_what_does_not_fit_is_told_with_what_would() -> None:
    async with at_models(ModelsScript(room=FreeMemory(8 * GB))) as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.until(lambda: "does not fit" in harness.picture())


async def test_a_machine_without_pairs_says_what_to_do_next() -> None:
    async with at_models(ModelsScript(library=Library())) as harness:
        shown = harness.picture()
        assert "Spark Tiny" in shown and "No pairs of your own yet" in shown and "catalogue" in shown
        await harness.pilot.press("4")
        assert "No incomplete downloads" in harness.picture()
        await harness.pilot.press("3")
        assert "Type part of a name" in harness.picture()


async def test_sections_turn_by_arrow_by_number_and_by_mouse() -> None:
    async with at_models() as harness:
        await harness.pilot.press("right")
        assert models(harness).section == "catalogue"
        await harness.pilot.press("left", "left")
        assert models(harness).section == "incomplete"
        await harness.pilot.press("1")
        assert models(harness).section == "installed"
        await harness.pilot.click(models(harness).query_one(Sections).children[1])
        assert models(harness).section == "catalogue"


async def test_enter_opens_a_pair_in_the_chat() -> None:
    async with at_models() as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.pilot.press("enter")
        await harness.until(lambda: harness.backend.switches == ["qwen3-8b"])
        assert isinstance(harness.app.screen, ChatScreen)


@pytest.mark.parametrize(
    ("key", "opens"),
    [("bundled", "Spark Tiny"), ("model /own/Llama-like-4B-Q8_0.gguf", "/own/Llama-like-4B-Q8_0.gguf")],
)
async def test_the_bundled_pair_and_lone_targets_open_too(key: str, opens: str) -> None:
    async with at_models() as harness:
        await choose(harness, key)
        await harness.pilot.press("enter")
        await harness.until(lambda: harness.backend.switches == [opens])


async def test_a_draft_alone_cannot_be_opened_and_says_so() -> None:
    async with at_models() as harness:
        await choose(harness, "model /m/Qwen3-8B-DSpark-Q8_0.gguf")
        await harness.pilot.press("enter")
        assert "A draft cannot chat on its own." in trouble(harness) and not harness.backend.switches


# Getting


async def test_a_pair_is_got_in_a_quantization_of_choice() -> None:
    async with at_models() as harness:
        await harness.pilot.press("2")
        await choose(harness, "entry qwen3-4b")
        await harness.pilot.press("enter")
        await harness.until(lambda: "(default)" in harness.picture())
        shown = harness.picture()
        assert "9.7 GB to download" in shown and "Q8_0" in shown and size_in_words(_needed("Q8_0")) in shown
        await harness.pilot.press("up", "enter")
        await harness.until(lambda: manager(harness).orders)
        assert manager(harness).orders == [BuildJob("qwen3-4b", quantization="Q6_K")]


async def test_where_the_usual_one_does_not_fit_a_smaller_one_is_offered_first() -> None:
    async with at_models(ModelsScript(room=FreeMemory(_needed("Q4_K_M") + 400_000_000))) as harness:
        await harness.pilot.press("2", "enter")
        await harness.until(lambda: "too large" in harness.picture())
        await harness.pilot.press("enter")
        await harness.until(lambda: manager(harness).orders)
        assert manager(harness).orders[0].quantization == "Q3_K_M"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_build_shows_each_file_all_files_rate_and_steps(size: tuple[int, int]) -> None:
    async with at_models(ModelsScript(is_gated=True), size=size) as harness:
        await order(harness)
        manager(harness).let(5)
        await harness.until(lambda: "Total" in harness.picture())
        shown = harness.picture().replace("\u00a0", " ")
        for words in ("qwen3-4b", "▸ download", "· convert", "· test", "48 MB/s", "left", "s stops"):
            assert words in shown
        manager(harness).let(100)
        await harness.until(lambda: "qwen3-4b is ready." in harness.picture())
        assert "o opens the pair" in harness.picture()
        await harness.pilot.press("o")
        await harness.until(lambda: harness.backend.switches == ["qwen3-4b"])


async def test_a_build_goes_on_while_the_user_chats_and_is_seen_from_there() -> None:
    async with at_models(ModelsScript(is_gated=True)) as harness:
        await order(harness)
        manager(harness).let(6)
        await harness.pilot.press("escape")
        await harness.until(lambda: "qwen3-4b: download" in harness.picture())
        await harness.ask()
        manager(harness).let(100)
        await harness.until(lambda: not harness.chat.view.job)
        (note,) = harness.app._notifications  # pictures of tests show no toasts
        assert isinstance(harness.app.screen, ChatScreen) and note.message == "qwen3-4b is ready."


async def test_a_stopped_build_is_closed_and_goes_on() -> None:
    async with at_models(ModelsScript(is_gated=True)) as harness:
        await order(harness)
        manager(harness).let(4)
        await harness.until(lambda: "download" in harness.picture())
        await harness.pilot.press("s")
        await harness.until(lambda: "stopped. What was downloaded is kept." in harness.picture())
        assert manager(harness).closed == 1
        manager(harness).let(200)
        await harness.pilot.press("c")
        await harness.until(lambda: "qwen3-4b is ready." in harness.picture())
        assert len(manager(harness).orders) == 2


async def test_a_second_order_waits_for_the_first() -> None:
    async with at_models(ModelsScript(is_gated=True)) as harness:
        await order(harness)
        await order(harness, "qwen3-14b")
        await harness.until(lambda: "then qwen3-14b" in harness.picture())
        assert [each.name for each in manager(harness).orders] == ["qwen3-4b"]
        manager(harness).let(200)
        await harness.until(lambda: "qwen3-14b is ready." in harness.picture())
        assert [each.name for each in manager(harness).orders] == ["qwen3-4b", "qwen3-14b"]


@pytest.mark.parametrize(
    "error",
    [
        DiskFull("5.0 GB for the download are needed, and the disk has 1.0 GB free.", "Free some space."),
        HubUnreachable("The hub cannot be reached: no route.", "Check the network."),
        EngineError("With speculation the text is another than without it.", "Please report it."),
    ],
)
async def test_a_failed_build_says_why_and_goes_on_when_asked(error: DiskFull) -> None:
    async with at_models(ModelsScript(get_error=error), size=NARROW) as harness:
        await order(harness)
        await harness.until(lambda: "resumes" in harness.picture())
        shown = " ".join(harness.picture().split())
        assert error.message[:40] in shown and error.hint[:10] in shown and "What was downloaded is kept." in shown
        await harness.pilot.press("c")
        await harness.until(lambda: "qwen3-4b is ready." in harness.picture())


async def test_a_gated_repository_names_the_licence_page_and_the_login() -> None:
    error = AccessRefused(
        "google/x is gated: its makers ask.",
        "Read and accept the licence at https://hub/x; then log in: hf auth login.",
    )
    async with at_models(ModelsScript(ask_error=error), size=NARROW) as harness:
        await harness.pilot.press("2", "enter")
        await harness.until(lambda: "is gated" in harness.picture())
        shown = " ".join(harness.picture().split())
        assert "https://hub/x" in shown and "hf auth login" in shown
        await harness.pilot.press("escape")
        assert isinstance(harness.app.screen, ModelsScreen) and not manager(harness).orders


async def test_an_interrupted_download_is_gone_on_with() -> None:
    async with at_models() as harness:
        await harness.pilot.press("4")
        assert "Qwen/Qwen3-4B-GGUF" in harness.picture() and "interrupted" in harness.picture()
        await choose(harness, f"partial {CUT.path}")
        await harness.pilot.press("enter")
        await harness.until(lambda: "is downloaded." in harness.picture())
        assert manager(harness).resumed == [CUT]


# Searching


async def test_the_hub_is_searched_and_a_find_is_got_alone() -> None:
    async with at_models(size=NARROW) as harness:
        await harness.pilot.press("slash", *"qwen", "enter")
        await harness.until(lambda: "54,096" in harness.picture())
        assert "checkpoint" in harness.picture() and "google/gated" not in harness.picture()
        await harness.pilot.press("enter")
        await harness.until(lambda: "(default)" in harness.picture())
        await harness.pilot.press("enter")
        await harness.until(lambda: manager(harness).orders)
        assert manager(harness).orders == [BuildJob("Qwen/Qwen3-8B-GGUF", is_pair=False, quantization="Q4_K_M")]


async def test_a_draft_that_was_found_is_built_with_the_target_it_was_made_for() -> None:
    async with at_models() as harness:
        await harness.pilot.press("slash", *"dspark", "enter")
        await harness.until(lambda: "checkpoint" in harness.picture())
        await harness.pilot.press("enter")
        await harness.until(lambda: "(default)" in harness.picture())
        assert "Qwen/Qwen3-8B" in harness.picture()
        await harness.pilot.press("enter")
        await harness.until(lambda: manager(harness).orders)
        (order,) = manager(harness).orders
        assert order.draft == "deepseek-ai/dspark_qwen3_8b_block7" and order.target == "Qwen/Qwen3-8B"


async def test_a_search_that_fails_or_finds_nothing_says_so() -> None:
    script = ModelsScript(search_error=HubUnreachable("The hub cannot be reached: no route.", "Check the network."))
    async with at_models(script) as harness:
        await harness.pilot.press("slash", *"q", "enter")
        await harness.until(lambda: "cannot be reached" in trouble(harness))
        assert "Check the network." in trouble(harness)
        script.search_error = None
        await harness.pilot.press(*"zzz", "enter")
        await harness.until(lambda: "No matches for" in harness.picture())


# Removing


async def test_removing_says_what_goes_and_what_else_would_lose_it() -> None:
    async with at_models(size=NARROW) as harness:
        await choose(harness, f"model {TARGET_8B.path}")
        await harness.pilot.press("delete")
        await harness.until(lambda: isinstance(harness.app.screen, RemoveScreen))
        shown = " ".join(harness.picture().split())
        for words in (str(TARGET_8B.path), "no longer work: qwen3-8b", "other programs share", "frees 5.0 GB"):
            assert words in shown
        await harness.pilot.press("escape")
        await harness.pilot.pause()
        assert not manager(harness).removed
        await harness.pilot.press("d")
        await harness.until(lambda: isinstance(harness.app.screen, RemoveScreen))
        await harness.pilot.press("y")
        await harness.until(lambda: "Removed" in trouble(harness))
        await harness.until(lambda: models(harness).query_one(ModelList).row(f"model {TARGET_8B.path}") is None)


async def test_the_mouse_removes_as_well() -> None:
    async with at_models() as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.pilot.press("d")
        await harness.until(lambda: isinstance(harness.app.screen, RemoveScreen))
        await harness.pilot.click("Choice")
        await harness.until(lambda: manager(harness).removed)
        assert "1.2 GB freed" in trouble(harness)


async def test_everything_left_over_is_cleared_at_once() -> None:
    async with at_models() as harness:
        await harness.pilot.press("4", "a")
        await harness.until(lambda: isinstance(harness.app.screen, RemoveScreen))
        await harness.pilot.press("y")
        await harness.until(lambda: "No incomplete downloads" in harness.picture())
        assert manager(harness).removed[0].files == (CUT.path, LEFT.path)


async def test_what_is_loaded_stays() -> None:
    script = ModelsScript(removal_error=EngineError("It is loaded now, so it stays.", "Open another pair first."))
    async with at_models(script) as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.pilot.press("delete")
        await harness.until(lambda: "It is loaded now" in trouble(harness))


# Small things


async def test_a_path_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_models() as harness:
        await choose(harness, "pair /m/qwen3-8b")
        await harness.pilot.press("y")
        assert harness.app.clipboard == "/m/qwen3-8b"


async def test_a_broken_catalogue_of_the_users_leaves_ours() -> None:
    script = ModelsScript(catalogue_problem="catalog.toml is not valid TOML.")
    async with at_models(script) as harness:
        assert "not valid TOML" in trouble(harness)
        await harness.pilot.press("2")
        assert "Qwen3 8B" in harness.picture()


async def test_a_bug_in_a_build_is_shown_and_not_swallowed() -> None:
    async with at_models(ModelsScript(get_error=KeyError("surprise"))) as harness:
        await order(harness)
        await harness.until(lambda: "Unexpected" in harness.picture())
        assert "bug in SparkDesk" in " ".join(harness.picture().split())


async def test_the_list_is_read_again_when_one_comes_back() -> None:
    async with at_models() as harness:
        await harness.pilot.press("escape")
        script = manager(harness).script
        script.library = replace(script.library, pairs=())
        await harness.pilot.press("f7")
        await harness.until(lambda: "No pairs of your own yet" in harness.picture())


# The search field, retrying, and what the hub's texts hold


async def test_escape_leaves_the_search_field_before_the_screen() -> None:
    """Before: the field kept the arrows and the numbers, and Escape left for the chat."""
    async with at_models() as harness:
        await harness.pilot.press("3")
        assert models(harness).query_one("#text").has_focus
        await harness.pilot.press("escape")
        assert models(harness).query_one(ModelList).has_focus and harness.app.screen is models(harness)
        await harness.pilot.press("right")
        assert models(harness).section == "incomplete"
        await harness.pilot.press("left", "slash", "down")
        assert models(harness).query_one(ModelList).has_focus
        await harness.pilot.press("escape")
        await harness.until(lambda: isinstance(harness.app.screen, ChatScreen))


async def test_a_hub_out_of_reach_is_asked_again_by_a_key() -> None:
    script = ModelsScript(ask_error=HubUnreachable("The hub cannot be reached.", "Check the network."))
    async with at_models(script) as harness:
        await harness.pilot.press("2")
        await choose(harness, "entry qwen3-4b")
        await harness.pilot.press("enter")
        await harness.until(lambda: "r retries" in harness.picture())
        script.ask_error = None
        await harness.pilot.press("r")
        await harness.until(lambda: "(default)" in harness.picture())


async def test_control_characters_of_names_are_drawn_as_symbols() -> None:
    evil = "model \x1b]0;owned\x07\x9b2J\u202e"
    listed = ModelList()
    listed.show([Row("a", (evil, "\x1b[31m"), Bundled(evil)), Remark(evil)])
    drawn = " ".join(str(listed.get_option_at_index(at).prompt) for at in range(2))
    details = "".join(str(line) for line in _lines(Fact("", safe_line(evil)), 80, is_title=True))
    assert "␛]0;owned␇<U+009B>2J<U+202E>" in drawn
    assert not set("\x1b\x07\x9b\u202e") & set(drawn + details)
