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
from tests.ui.fake_shelf import CUT, GB, LEFT, TARGET_8B, FakeShelf, ShelfScript, forecast
from tests.ui.sitting import NARROW, WIDE, Sitting, at_open_desk


@asynccontextmanager
async def at_models(script: ShelfScript | None = None, *, size: tuple[int, int] = WIDE) -> AsyncIterator[Sitting]:
    desk = FakeBackend()
    desk.models = FakeShelf(script)
    async with at_open_desk(desk, size=size) as sitting:
        await sitting.pilot.press("f7")
        await sitting.until(lambda: models(sitting).contents is not None)
        yield sitting


def _needed(quantization: str) -> int:
    """Without a card, in the forecast's context."""
    options = forecast(FreeMemory(64 * GB, 64 * GB)).options
    return next(each.plan.need.total_bytes for each in options if each.quantization == quantization)


def models(sitting: Sitting) -> ModelsScreen:
    found = [screen for screen in sitting.app.screen_stack if isinstance(screen, ModelsScreen)]
    return found[0] if found else _installed(sitting)


def _installed(sitting: Sitting) -> ModelsScreen:
    screen = sitting.app.get_screen("models")
    assert isinstance(screen, ModelsScreen)
    return screen


def shelf(sitting: Sitting) -> FakeShelf:
    return sitting.backend.models


def trouble(sitting: Sitting) -> str:
    banner = models(sitting).query_one(Banner)
    return str(banner.content) if banner.display else ""


async def choose(sitting: Sitting, key: str) -> None:
    """As the arrow keys would."""
    models(sitting).query_one(ModelList).choose(key)
    await sitting.pilot.pause()


async def order(sitting: Sitting, name: str = "qwen3-4b") -> None:
    """Through the catalogue, in the usual quantization."""
    await sitting.pilot.press("2")
    await choose(sitting, f"entry {name}")
    await sitting.pilot.press("enter")
    await sitting.until(
        lambda: isinstance(sitting.app.screen, DownloadScreen) and sitting.app.screen.forecast is not None
    )
    await sitting.pilot.press("enter")
    await sitting.until(lambda: isinstance(sitting.app.screen, ModelsScreen))


async def test_its_keys_are_told_as_those_of_every_screen_are() -> None:
    async with at_models(size=NARROW) as sitting:
        assert sitting.picture().splitlines()[-1].startswith(" F1 Help  Enter Choose  / Search")
        assert sitting.picture().endswith("^Q Quit")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_is_here_is_listed_with_what_is_wrong(size: tuple[int, int]) -> None:
    async with at_models(size=size) as sitting:
        shown = sitting.picture()
        for words in ("Spark Tiny", "built in", "qwen3-8b", "Q4_K_M + Q8_0", "6.2 GB", "Not usable", "✗ half.gguf"):
            assert words in shown
        await choose(sitting, f"model {shelf(sitting).script.library.models[-1].path}")
        assert "cut short" in sitting.picture()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_chosen_pair_is_described_and_whether_it_fits(size: tuple[int, int]) -> None:
    async with at_models(size=size) as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.until(lambda: "fits with 8,192 tokens" in " ".join(sitting.picture().split()))
        shown = sitting.picture()
        for words in ("qwen3 · 36 layers", "Qwen/Qwen3-8B-GGUF", "apache-2.0", "/hub/Qwen3-8B-Q4_K_M.gguf"):
            assert words in shown.replace("\u00a0", " ")


async def test_a_small_card_takes_some_of_the_layers() -> None:
    async with at_models(ShelfScript(room=FreeMemory(32 * GB, 6 * GB))) as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.until(lambda: "layers on the GPU" in " ".join(sitting.picture().split()))


async def test_what_does_not_fit_is_told_with_what_would() -> None:
    async with at_models(ShelfScript(room=FreeMemory(8 * GB))) as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.until(lambda: "does not fit" in sitting.picture())


async def test_a_machine_without_pairs_says_what_to_do_next() -> None:
    async with at_models(ShelfScript(library=Library())) as sitting:
        shown = sitting.picture()
        assert "Spark Tiny" in shown and "No pairs of your own yet" in shown and "catalogue" in shown
        await sitting.pilot.press("4")
        assert "No incomplete downloads" in sitting.picture()
        await sitting.pilot.press("3")
        assert "Type part of a name" in sitting.picture()


async def test_sections_turn_by_arrow_by_number_and_by_mouse() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("right")
        assert models(sitting).section == "catalogue"
        await sitting.pilot.press("left", "left")
        assert models(sitting).section == "incomplete"
        await sitting.pilot.press("1")
        assert models(sitting).section == "installed"
        await sitting.pilot.click(models(sitting).query_one(Sections).children[1])
        assert models(sitting).section == "catalogue"


async def test_enter_opens_a_pair_in_the_chat() -> None:
    async with at_models() as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.pilot.press("enter")
        await sitting.until(lambda: sitting.backend.switches == ["qwen3-8b"])
        assert isinstance(sitting.app.screen, ChatScreen)


@pytest.mark.parametrize(
    ("key", "opens"),
    [("bundled", "Spark Tiny"), ("model /own/Llama-like-4B-Q8_0.gguf", "/own/Llama-like-4B-Q8_0.gguf")],
)
async def test_the_bundled_pair_and_lone_targets_open_too(key: str, opens: str) -> None:
    async with at_models() as sitting:
        await choose(sitting, key)
        await sitting.pilot.press("enter")
        await sitting.until(lambda: sitting.backend.switches == [opens])


async def test_a_draft_alone_cannot_be_opened_and_says_so() -> None:
    async with at_models() as sitting:
        await choose(sitting, "model /m/Qwen3-8B-DSpark-Q8_0.gguf")
        await sitting.pilot.press("enter")
        assert "A draft cannot chat on its own." in trouble(sitting) and not sitting.backend.switches


# Getting


async def test_a_pair_is_got_in_a_quantization_of_choice() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("2")
        await choose(sitting, "entry qwen3-4b")
        await sitting.pilot.press("enter")
        await sitting.until(lambda: "(default)" in sitting.picture())
        shown = sitting.picture()
        assert "9.7 GB to download" in shown and "Q8_0" in shown and size_in_words(_needed("Q8_0")) in shown
        await sitting.pilot.press("up", "enter")
        await sitting.until(lambda: shelf(sitting).orders)
        assert shelf(sitting).orders == [BuildJob("qwen3-4b", quantization="Q6_K")]


async def test_where_the_usual_one_does_not_fit_a_smaller_one_is_offered_first() -> None:
    async with at_models(ShelfScript(room=FreeMemory(_needed("Q4_K_M") + 400_000_000))) as sitting:
        await sitting.pilot.press("2", "enter")
        await sitting.until(lambda: "too large" in sitting.picture())
        await sitting.pilot.press("enter")
        await sitting.until(lambda: shelf(sitting).orders)
        assert shelf(sitting).orders[0].quantization == "Q3_K_M"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_build_shows_each_file_all_files_rate_and_steps(size: tuple[int, int]) -> None:
    async with at_models(ShelfScript(is_gated=True), size=size) as sitting:
        await order(sitting)
        shelf(sitting).let(5)
        await sitting.until(lambda: "Total" in sitting.picture())
        shown = sitting.picture().replace("\u00a0", " ")
        for words in ("qwen3-4b", "▸ download", "· convert", "· test", "48 MB/s", "left", "s stops"):
            assert words in shown
        shelf(sitting).let(100)
        await sitting.until(lambda: "qwen3-4b is ready." in sitting.picture())
        assert "o opens the pair" in sitting.picture()
        await sitting.pilot.press("o")
        await sitting.until(lambda: sitting.backend.switches == ["qwen3-4b"])


async def test_a_build_goes_on_while_the_user_chats_and_is_seen_from_there() -> None:
    async with at_models(ShelfScript(is_gated=True)) as sitting:
        await order(sitting)
        shelf(sitting).let(6)
        await sitting.pilot.press("escape")
        await sitting.until(lambda: "qwen3-4b: download" in sitting.picture())
        await sitting.ask()
        shelf(sitting).let(100)
        await sitting.until(lambda: not sitting.chat.view.job)
        (note,) = sitting.app._notifications  # pictures of tests show no toasts
        assert isinstance(sitting.app.screen, ChatScreen) and note.message == "qwen3-4b is ready."


async def test_a_stopped_build_is_closed_and_goes_on() -> None:
    async with at_models(ShelfScript(is_gated=True)) as sitting:
        await order(sitting)
        shelf(sitting).let(4)
        await sitting.until(lambda: "download" in sitting.picture())
        await sitting.pilot.press("s")
        await sitting.until(lambda: "stopped. What was downloaded is kept." in sitting.picture())
        assert shelf(sitting).closed == 1
        shelf(sitting).let(200)
        await sitting.pilot.press("c")
        await sitting.until(lambda: "qwen3-4b is ready." in sitting.picture())
        assert len(shelf(sitting).orders) == 2


async def test_a_second_order_waits_for_the_first() -> None:
    async with at_models(ShelfScript(is_gated=True)) as sitting:
        await order(sitting)
        await order(sitting, "qwen3-14b")
        await sitting.until(lambda: "then qwen3-14b" in sitting.picture())
        assert [each.name for each in shelf(sitting).orders] == ["qwen3-4b"]
        shelf(sitting).let(200)
        await sitting.until(lambda: "qwen3-14b is ready." in sitting.picture())
        assert [each.name for each in shelf(sitting).orders] == ["qwen3-4b", "qwen3-14b"]


@pytest.mark.parametrize(
    "error",
    [
        DiskFull("5.0 GB for the download are needed, and the disk has 1.0 GB free.", "Free some space."),
        HubUnreachable("The hub cannot be reached: no route.", "Check the network."),
        EngineError("With speculation the text is another than without it.", "Please report it."),
    ],
)
async def test_a_failed_build_says_why_and_goes_on_when_asked(error: DiskFull) -> None:
    async with at_models(ShelfScript(get_error=error), size=NARROW) as sitting:
        await order(sitting)
        await sitting.until(lambda: "resumes" in sitting.picture())
        shown = " ".join(sitting.picture().split())
        assert error.message[:40] in shown and error.hint[:10] in shown and "What was downloaded is kept." in shown
        await sitting.pilot.press("c")
        await sitting.until(lambda: "qwen3-4b is ready." in sitting.picture())


async def test_a_gated_repository_names_the_licence_page_and_the_login() -> None:
    error = AccessRefused(
        "google/x is gated: its makers ask.",
        "Read and accept the licence at https://hub/x; then log in: hf auth login.",
    )
    async with at_models(ShelfScript(ask_error=error), size=NARROW) as sitting:
        await sitting.pilot.press("2", "enter")
        await sitting.until(lambda: "is gated" in sitting.picture())
        shown = " ".join(sitting.picture().split())
        assert "https://hub/x" in shown and "hf auth login" in shown
        await sitting.pilot.press("escape")
        assert isinstance(sitting.app.screen, ModelsScreen) and not shelf(sitting).orders


async def test_an_interrupted_download_is_gone_on_with() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("4")
        assert "Qwen/Qwen3-4B-GGUF" in sitting.picture() and "interrupted" in sitting.picture()
        await choose(sitting, f"partial {CUT.path}")
        await sitting.pilot.press("enter")
        await sitting.until(lambda: "is downloaded." in sitting.picture())
        assert shelf(sitting).resumed == [CUT]


# Searching


async def test_the_hub_is_searched_and_a_find_is_got_alone() -> None:
    async with at_models(size=NARROW) as sitting:
        await sitting.pilot.press("slash", *"qwen", "enter")
        await sitting.until(lambda: "54,096" in sitting.picture())
        assert "checkpoint" in sitting.picture() and "google/gated" not in sitting.picture()
        await sitting.pilot.press("enter")
        await sitting.until(lambda: "(default)" in sitting.picture())
        await sitting.pilot.press("enter")
        await sitting.until(lambda: shelf(sitting).orders)
        assert shelf(sitting).orders == [BuildJob("Qwen/Qwen3-8B-GGUF", is_pair=False, quantization="Q4_K_M")]


async def test_a_draft_that_was_found_is_built_with_the_target_it_was_made_for() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("slash", *"dspark", "enter")
        await sitting.until(lambda: "checkpoint" in sitting.picture())
        await sitting.pilot.press("enter")
        await sitting.until(lambda: "(default)" in sitting.picture())
        assert "Qwen/Qwen3-8B" in sitting.picture()
        await sitting.pilot.press("enter")
        await sitting.until(lambda: shelf(sitting).orders)
        (order,) = shelf(sitting).orders
        assert order.draft == "deepseek-ai/dspark_qwen3_8b_block7" and order.target == "Qwen/Qwen3-8B"


async def test_a_search_that_fails_or_finds_nothing_says_so() -> None:
    script = ShelfScript(search_error=HubUnreachable("The hub cannot be reached: no route.", "Check the network."))
    async with at_models(script) as sitting:
        await sitting.pilot.press("slash", *"q", "enter")
        await sitting.until(lambda: "cannot be reached" in trouble(sitting))
        assert "Check the network." in trouble(sitting)
        script.search_error = None
        await sitting.pilot.press(*"zzz", "enter")
        await sitting.until(lambda: "No matches for" in sitting.picture())


# Removing


async def test_removing_says_what_goes_and_what_else_would_lose_it() -> None:
    async with at_models(size=NARROW) as sitting:
        await choose(sitting, f"model {TARGET_8B.path}")
        await sitting.pilot.press("delete")
        await sitting.until(lambda: isinstance(sitting.app.screen, RemoveScreen))
        shown = " ".join(sitting.picture().split())
        for words in (str(TARGET_8B.path), "no longer work: qwen3-8b", "other programs share", "frees 5.0 GB"):
            assert words in shown
        await sitting.pilot.press("escape")
        await sitting.pilot.pause()
        assert not shelf(sitting).removed
        await sitting.pilot.press("d")
        await sitting.until(lambda: isinstance(sitting.app.screen, RemoveScreen))
        await sitting.pilot.press("y")
        await sitting.until(lambda: "Removed" in trouble(sitting))
        await sitting.until(lambda: models(sitting).query_one(ModelList).row(f"model {TARGET_8B.path}") is None)


async def test_the_mouse_removes_as_well() -> None:
    async with at_models() as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.pilot.press("d")
        await sitting.until(lambda: isinstance(sitting.app.screen, RemoveScreen))
        await sitting.pilot.click("Choice")
        await sitting.until(lambda: shelf(sitting).removed)
        assert "1.2 GB freed" in trouble(sitting)


async def test_everything_left_over_is_cleared_at_once() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("4", "a")
        await sitting.until(lambda: isinstance(sitting.app.screen, RemoveScreen))
        await sitting.pilot.press("y")
        await sitting.until(lambda: "No incomplete downloads" in sitting.picture())
        assert shelf(sitting).removed[0].files == (CUT.path, LEFT.path)


async def test_what_is_loaded_stays() -> None:
    script = ShelfScript(removal_error=EngineError("It is loaded now, so it stays.", "Open another pair first."))
    async with at_models(script) as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.pilot.press("delete")
        await sitting.until(lambda: "It is loaded now" in trouble(sitting))


# Small things


async def test_a_path_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_models() as sitting:
        await choose(sitting, "pair /m/qwen3-8b")
        await sitting.pilot.press("y")
        assert sitting.app.clipboard == "/m/qwen3-8b"


async def test_a_broken_catalogue_of_the_users_leaves_ours() -> None:
    script = ShelfScript(catalogue_problem="catalog.toml is not valid TOML.")
    async with at_models(script) as sitting:
        assert "not valid TOML" in trouble(sitting)
        await sitting.pilot.press("2")
        assert "Qwen3 8B" in sitting.picture()


async def test_a_bug_in_a_build_is_shown_and_not_swallowed() -> None:
    async with at_models(ShelfScript(get_error=KeyError("surprise"))) as sitting:
        await order(sitting)
        await sitting.until(lambda: "Unexpected" in sitting.picture())
        assert "bug in SparkDesk" in " ".join(sitting.picture().split())


async def test_the_list_is_read_again_when_one_comes_back() -> None:
    async with at_models() as sitting:
        await sitting.pilot.press("escape")
        script = shelf(sitting).script
        script.library = replace(script.library, pairs=())
        await sitting.pilot.press("f7")
        await sitting.until(lambda: "No pairs of your own yet" in sitting.picture())


# The search field, retrying, and what the hub's texts hold


async def test_escape_leaves_the_search_field_before_the_screen() -> None:
    """Before: the field kept the arrows and the numbers, and Escape left for the chat."""
    async with at_models() as sitting:
        await sitting.pilot.press("3")
        assert models(sitting).query_one("#text").has_focus
        await sitting.pilot.press("escape")
        assert models(sitting).query_one(ModelList).has_focus and sitting.app.screen is models(sitting)
        await sitting.pilot.press("right")
        assert models(sitting).section == "incomplete"
        await sitting.pilot.press("left", "slash", "down")
        assert models(sitting).query_one(ModelList).has_focus
        await sitting.pilot.press("escape")
        await sitting.until(lambda: isinstance(sitting.app.screen, ChatScreen))


async def test_a_hub_out_of_reach_is_asked_again_by_a_key() -> None:
    script = ShelfScript(ask_error=HubUnreachable("The hub cannot be reached.", "Check the network."))
    async with at_models(script) as sitting:
        await sitting.pilot.press("2")
        await choose(sitting, "entry qwen3-4b")
        await sitting.pilot.press("enter")
        await sitting.until(lambda: "r retries" in sitting.picture())
        script.ask_error = None
        await sitting.pilot.press("r")
        await sitting.until(lambda: "(default)" in sitting.picture())


async def test_control_characters_of_names_are_drawn_as_symbols() -> None:
    evil = "model \x1b]0;owned\x07\x9b2J\u202e"
    listed = ModelList()
    listed.show([Row("a", (evil, "\x1b[31m"), Bundled(evil)), Remark(evil)])
    drawn = " ".join(str(listed.get_option_at_index(at).prompt) for at in range(2))
    details = "".join(str(line) for line in _lines(Fact("", safe_line(evil)), 80, is_title=True))
    assert "␛]0;owned␇<U+009B>2J<U+202E>" in drawn
    assert not set("\x1b\x07\x9b\u202e") & set(drawn + details)
