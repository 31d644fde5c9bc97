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
from tests.ui.harness import NARROW, WIDE, Harness


async def show_tab(harness: Harness, tab: str) -> None:
    bench(harness).action_show_tab(tab)
    await harness.pilot.pause(0.1)


async def run_suite(harness: Harness) -> None:
    await show_tab(harness, "suite-tab")
    await harness.until(lambda: bench(harness).query(Toggle))
    await harness.pilot.press("s")
    await harness.until(lambda: harness.backend.bench.kept)
    await harness.until(lambda: "Kept under Runs" in harness.picture())


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_run_fills_the_table_and_is_kept(size: tuple[int, int]) -> None:
    async with at_bench(size=size) as harness:
        await run_suite(harness)
        picture = harness.picture()
        for words in ("counting          2", "all              14", "14✓", "Done."):
            assert words in picture
        (kept,) = harness.backend.bench.kept
        assert kept.found["is_complete"] and kept.overall["comparisons"] == 14


async def test_domains_number_and_length_are_chosen() -> None:
    async with at_bench() as harness:
        await show_tab(harness, "suite-tab")
        await harness.until(lambda: bench(harness).query(Toggle))
        for toggle in list(bench(harness).query(Toggle))[2:]:
            toggle.focus()
            await harness.pilot.press("space")
        bench(harness).query_one("#per-domain", Cycle).focus()
        await harness.pilot.press("left")
        await harness.pilot.press("s")
        await harness.until(lambda: harness.backend.bench.kept)
        (asked,) = harness.backend.bench.ran
        assert (asked.domains, asked.per_domain, asked.max_tokens) == (("counting", "python"), 1, 128)


async def test_no_domain_at_all_is_said() -> None:
    async with at_bench() as harness:
        await show_tab(harness, "suite-tab")
        await harness.until(lambda: bench(harness).query(Toggle))
        for toggle in bench(harness).query(Toggle):
            toggle.is_on = False
        await harness.pilot.press("s")
        assert harness.backend.bench.ran == []
        assert [each.message for each in harness.app._notifications] == ["No domain is chosen."]


async def test_while_it_runs_it_says_how_far_it_is_and_stopping_keeps_what_was_measured() -> None:
    async with at_bench(BenchScript(is_gated=True)) as harness:
        await show_tab(harness, "suite-tab")
        await harness.until(lambda: bench(harness).query(Toggle))
        await harness.pilot.press("s")
        while "3 of 14" not in harness.picture():
            harness.backend.bench.let(5)
            await harness.pilot.pause(0.02)
        assert "left" in harness.picture() and "measuring: suite" in harness.picture()
        await harness.pilot.press("escape")
        harness.backend.bench.let(1)
        await harness.until(lambda: harness.backend.bench.kept)
        (kept,) = harness.backend.bench.kept
        assert not kept.found["is_complete"] and kept.overall["comparisons"] >= 3
        assert isinstance(harness.app.screen, BenchScreen)
        await harness.until(lambda: "Stopped; these are the figures" in harness.picture())


async def test_an_engine_that_dies_leaves_what_was_measured() -> None:
    script = BenchScript(crash_after_rounds=300, failure=EngineCrashed("The engine died of SIGABRT."))
    async with at_bench(script) as harness:
        await show_tab(harness, "suite-tab")
        await harness.until(lambda: bench(harness).query(Toggle))
        await harness.pilot.press("s")
        await harness.until(lambda: harness.backend.bench.kept)
        (kept,) = harness.backend.bench.kept
        assert not kept.found["is_complete"] and kept.overall["comparisons"] > 0
        assert "SIGABRT" in banner(harness)


async def test_texts_that_diverge_stand_out() -> None:
    async with at_bench(BenchScript(judgement=Judgement("diverged", 3, 5.0, 0.01))) as harness:
        await run_suite(harness)
        assert "14✗" in harness.picture()


async def test_without_runs_the_list_says_where_they_come_from() -> None:
    async with at_bench() as harness:
        await show_tab(harness, "runs")
        assert "No run is kept yet. The Suite tab measures one" in harness.picture()


async def test_kept_runs_are_listed_newest_first_shown_and_deleted() -> None:
    async with at_bench() as harness:
        await run_suite(harness)
        await show_tab(harness, "suite-tab")
        await harness.pilot.press("s")
        await harness.until(lambda: len(harness.backend.bench.kept) == 2)
        await show_tab(harness, "runs")
        await harness.until(lambda: "2026-01-02 03:05" in harness.picture())
        picture = harness.picture()
        assert picture.index("03:05") < picture.index("03:04") and "greedy, at most 128 tokens" in picture
        await harness.pilot.press("m")
        assert "Where speculation pays" in harness.picture()
        await harness.pilot.press("delete")
        assert len(harness.backend.bench.kept) == 2 and "Delete once more" in harness.picture()
        await harness.pilot.press("delete")
        await harness.until(lambda: "03:05" not in harness.picture())
        assert len(harness.backend.bench.kept) == 1


async def test_a_card_is_shown_saved_and_never_written_over(tmp_path: Path) -> None:
    async with at_bench(size=NARROW) as harness:
        await run_suite(harness)
        await show_tab(harness, "runs")
        bench(harness).query_one("RunsTab OptionList", OptionList).focus()
        await harness.pilot.press("enter")
        await harness.until(lambda: isinstance(harness.app.screen, CardDialog))
        await harness.until(lambda: "Spark Tiny with Spark Tiny DSpark" in harness.picture())
        await harness.pilot.press("c")
        await harness.until(lambda: harness.app.clipboard.startswith("# Spark Tiny with"))
        await harness.pilot.press("s")
        field = harness.app.screen.query_one(Input)
        await harness.until(lambda: field.has_focus)
        assert field.value.endswith("sparkdesk-spark-tiny.md")
        field.value = str(tmp_path / "card")
        await harness.pilot.press("enter")
        await harness.until(lambda: (tmp_path / "card.json").exists())
        written = (tmp_path / "card.md").read_text("utf-8")
        await harness.pilot.press("s")
        field.value = str(tmp_path / "card.md")
        await harness.pilot.press("enter")
        await harness.pilot.pause()
        assert any("exists already" in each.message for each in harness.app._notifications)
        assert (tmp_path / "card.md").read_text("utf-8") == written and "Tell me" not in written
        await harness.pilot.press("escape", "escape")
        await harness.until(lambda: isinstance(harness.app.screen, BenchScreen))


async def test_the_digits_go_from_tab_to_tab() -> None:
    async with at_bench(desk=FakeBackend()) as harness:
        await harness.pilot.press("down")
        await harness.until(lambda: bench(harness).query_one("#suite", OptionList).has_focus)
        await harness.pilot.press("2")
        await harness.until(lambda: "Press s to start" in harness.picture())
