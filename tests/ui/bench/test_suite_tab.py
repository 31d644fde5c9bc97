"""The suite on the screen, the runs that are kept of it, and their report cards."""

from pathlib import Path

import pytest
from textual.widgets import Input, OptionList

from sparkdesk.bench.results import Judgement
from sparkdesk.errors import EngineCrashed
from sparkdesk.ui.bench.card_dialog import CardDialog
from sparkdesk.ui.bench.screen import BenchScreen
from sparkdesk.ui.shared.cycle import Cycle
from sparkdesk.ui.shared.toggle import Toggle
from tests.ui.bench.test_race import at_bench, banner, bench
from tests.ui.fake_backend import FakeBackend
from tests.ui.fake_bench import BenchScript
from tests.ui.sitting import NARROW, WIDE, Sitting


async def show_tab(sitting: Sitting, tab: str) -> None:
    bench(sitting).action_show_tab(tab)
    await sitting.pilot.pause(0.1)


async def run_suite(sitting: Sitting) -> None:
    await show_tab(sitting, "suite-tab")
    await sitting.until(lambda: bench(sitting).query(Toggle))
    await sitting.pilot.press("s")
    await sitting.until(lambda: sitting.backend.bench.kept)
    await sitting.until(lambda: "Kept under Runs" in sitting.picture())


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_run_fills_the_table_and_is_kept(size: tuple[int, int]) -> None:
    async with at_bench(size=size) as sitting:
        await run_suite(sitting)
        picture = sitting.picture()
        for words in ("counting          2", "all              14", "14✓", "Done."):
            assert words in picture
        (kept,) = sitting.backend.bench.kept
        assert kept.found["is_complete"] and kept.overall["comparisons"] == 14


async def test_domains_number_and_length_are_chosen() -> None:
    async with at_bench() as sitting:
        await show_tab(sitting, "suite-tab")
        await sitting.until(lambda: bench(sitting).query(Toggle))
        for toggle in list(bench(sitting).query(Toggle))[2:]:
            toggle.focus()
            await sitting.pilot.press("space")
        bench(sitting).query_one("#per-domain", Cycle).focus()
        await sitting.pilot.press("left")
        await sitting.pilot.press("s")
        await sitting.until(lambda: sitting.backend.bench.kept)
        (asked,) = sitting.backend.bench.ran
        assert (asked.domains, asked.per_domain, asked.max_tokens) == (("counting", "python"), 1, 128)


async def test_no_domain_at_all_is_said() -> None:
    async with at_bench() as sitting:
        await show_tab(sitting, "suite-tab")
        await sitting.until(lambda: bench(sitting).query(Toggle))
        for toggle in bench(sitting).query(Toggle):
            toggle.is_on = False
        await sitting.pilot.press("s")
        assert sitting.backend.bench.ran == []
        assert [each.message for each in sitting.app._notifications] == ["No domain is chosen."]


async def test_while_it_runs_it_says_how_far_it_is_and_stopping_keeps_what_was_measured() -> None:
    async with at_bench(BenchScript(is_gated=True)) as sitting:
        await show_tab(sitting, "suite-tab")
        await sitting.until(lambda: bench(sitting).query(Toggle))
        await sitting.pilot.press("s")
        while "3 of 14" not in sitting.picture():
            sitting.backend.bench.let(5)
            await sitting.pilot.pause(0.02)
        assert "left" in sitting.picture() and "measuring: suite" in sitting.picture()
        await sitting.pilot.press("escape")
        sitting.backend.bench.let(1)
        await sitting.until(lambda: sitting.backend.bench.kept)
        (kept,) = sitting.backend.bench.kept
        assert not kept.found["is_complete"] and kept.overall["comparisons"] >= 3
        assert isinstance(sitting.app.screen, BenchScreen)
        await sitting.until(lambda: "Stopped; these are the figures" in sitting.picture())


async def test_an_engine_that_dies_leaves_what_was_measured() -> None:
    script = BenchScript(crash_after_rounds=300, failure=EngineCrashed("The engine died of SIGABRT."))
    async with at_bench(script) as sitting:
        await show_tab(sitting, "suite-tab")
        await sitting.until(lambda: bench(sitting).query(Toggle))
        await sitting.pilot.press("s")
        await sitting.until(lambda: sitting.backend.bench.kept)
        (kept,) = sitting.backend.bench.kept
        assert not kept.found["is_complete"] and kept.overall["comparisons"] > 0
        assert "SIGABRT" in banner(sitting)


async def test_texts_that_diverge_stand_out() -> None:
    async with at_bench(BenchScript(judgement=Judgement("diverged", 3, 5.0, 0.01))) as sitting:
        await run_suite(sitting)
        assert "14✗" in sitting.picture()


async def test_without_runs_the_list_says_where_they_come_from() -> None:
    async with at_bench() as sitting:
        await show_tab(sitting, "runs")
        assert "No run is kept yet. The Suite tab measures one" in sitting.picture()


async def test_kept_runs_are_listed_newest_first_shown_and_deleted() -> None:
    async with at_bench() as sitting:
        await run_suite(sitting)
        await show_tab(sitting, "suite-tab")
        await sitting.pilot.press("s")
        await sitting.until(lambda: len(sitting.backend.bench.kept) == 2)
        await show_tab(sitting, "runs")
        await sitting.until(lambda: "2026-01-02 03:05" in sitting.picture())
        picture = sitting.picture()
        assert picture.index("03:05") < picture.index("03:04") and "greedy, at most 128 tokens" in picture
        await sitting.pilot.press("m")
        assert "Where speculation pays" in sitting.picture()
        await sitting.pilot.press("delete")
        assert len(sitting.backend.bench.kept) == 2 and "Delete once more" in sitting.picture()
        await sitting.pilot.press("delete")
        await sitting.until(lambda: "03:05" not in sitting.picture())
        assert len(sitting.backend.bench.kept) == 1


async def test_a_card_is_shown_saved_and_never_written_over(tmp_path: Path) -> None:
    async with at_bench(size=NARROW) as sitting:
        await run_suite(sitting)
        await show_tab(sitting, "runs")
        bench(sitting).query_one("RunsTab OptionList", OptionList).focus()
        await sitting.pilot.press("enter")
        await sitting.until(lambda: isinstance(sitting.app.screen, CardDialog))
        await sitting.until(lambda: "Spark Tiny with Spark Tiny DSpark" in sitting.picture())
        await sitting.pilot.press("c")
        await sitting.until(lambda: sitting.app.clipboard.startswith("# Spark Tiny with"))
        await sitting.pilot.press("s")
        field = sitting.app.screen.query_one(Input)
        await sitting.until(lambda: field.has_focus)
        assert field.value.endswith("sparkdesk-spark-tiny.md")
        field.value = str(tmp_path / "card")
        await sitting.pilot.press("enter")
        await sitting.until(lambda: (tmp_path / "card.json").exists())
        written = (tmp_path / "card.md").read_text("utf-8")
        await sitting.pilot.press("s")
        field.value = str(tmp_path / "card.md")
        await sitting.pilot.press("enter")
        await sitting.pilot.pause()
        assert any("exists already" in each.message for each in sitting.app._notifications)
        assert (tmp_path / "card.md").read_text("utf-8") == written and "Tell me" not in written
        await sitting.pilot.press("escape", "escape")
        await sitting.until(lambda: isinstance(sitting.app.screen, BenchScreen))


async def test_the_digits_go_from_tab_to_tab() -> None:
    async with at_bench(desk=FakeBackend()) as sitting:
        await sitting.pilot.press("down")
        await sitting.until(lambda: bench(sitting).query_one("#suite", OptionList).has_focus)
        await sitting.pilot.press("2")
        await sitting.until(lambda: "Press s to start" in sitting.picture())
