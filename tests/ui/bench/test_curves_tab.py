"""The cost curves on the screen: a bar for every length, the best marked, and what the scheduler makes of it."""

import pytest

from sparkdesk.errors import EngineCrashed
from sparkdesk.ui.shared.cycle import Cycle
from tests.ui.bench.test_race import at_bench, banner, bench
from tests.ui.bench.test_suite_tab import show_tab
from tests.ui.fake_bench import BenchScript
from tests.ui.harness import NARROW, WIDE


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_every_length_is_measured_and_the_best_is_marked(size: tuple[int, int]) -> None:
    async with at_bench(size=size) as harness:
        await show_tab(harness, "curves")
        assert "Press s to start." in harness.picture()
        bench(harness).query_one("#sweep-domains", Cycle).focus()
        await harness.pilot.press("right", "s")
        await harness.until(lambda: "Done." in harness.picture())
        picture = harness.picture()
        for words in (
            "plain ",
            "7     ",
            "auto  ",
            "◂ best",
            "predicted from costs",
            "the scheduler mostly verifies 3",
        ):
            assert words in picture
        (asked,) = harness.backend.bench.swept
        assert (asked.domains, asked.max_tokens) == (("counting",), 48)
        if size == WIDE:
            assert "T target" in picture and "D draft" in picture


async def test_an_engine_that_dies_leaves_the_lengths_measured_so_far() -> None:
    script = BenchScript(crash_after_rounds=120, failure=EngineCrashed("The engine died of SIGILL."))
    async with at_bench(script) as harness:
        await show_tab(harness, "curves")
        await harness.pilot.press("s")
        await harness.until(lambda: "SIGILL" in banner(harness))
        picture = harness.picture()
        assert "plain " in picture and "Stopped; this is what was measured" in picture and "7     " not in picture
