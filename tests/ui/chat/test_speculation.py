"""The switch and the live figures, also in mid-reply."""

from dataclasses import replace

import pytest

from sparkdesk.config.settings import Settings
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui.appearance import NO_LIVE, dress
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.live_panel import LivePanel
from sparkdesk.ui.chat.widgets.live_strip import LiveStrip
from sparkdesk.ui.chat.widgets.speculation_switch import SpeculationSwitch
from tests.ui.fake_backend import MODEL, STORY, FakeBackend, Script, with_problem
from tests.ui.sitting import NARROW, WIDE, at_open_desk

FOR_EVER = range(10_000)


async def test_the_switch_works_in_mid_reply_and_is_marked_in_the_chart() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True, text=STORY * 3, plain_ms=40))) as sitting:
        await sitting.say("a story")
        conversation = sitting.backend.conversation
        conversation.let(12)
        await sitting.until(lambda: sitting.chat.view.figures.speculation.rounds >= 10)
        await sitting.pilot.press("ctrl+s")
        conversation.let(12)
        await sitting.until(lambda: not sitting.chat.view.figures.is_speculating)
        assert conversation.speculation == SpeculationSettings(False, None)
        assert "○ speculation OFF" in sitting.picture()
        assert "▸off" in sitting.picture()
        await sitting.pilot.press("f4")
        conversation.let(12)
        await sitting.until(lambda: sitting.chat.view.figures.is_speculating)
        assert "● speculation ON" in sitting.picture()
        assert "▸on" in sitting.picture()
        assert sitting.chat.stage is Stage.REPLYING


async def test_a_click_on_the_switch_does_the_same_as_its_key() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.click("SpeculationSwitch")
        assert sitting.backend.conversation.speculation.is_enabled is False


async def test_with_speculation_off_the_last_figures_stay() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        length = f"{sitting.chat.view.figures.speculation.accepted_length:.2f}"
        await sitting.pilot.press("ctrl+s")
        await sitting.ask("again")
        assert not sitting.chat.view.figures.is_speculating
        assert length in sitting.picture()
        assert "while it was on" in sitting.picture()
        assert "plain decoding" in sitting.picture()


async def test_the_panel_shows_every_position_and_where_the_time_goes() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        shares = sitting.chat.view.figures.speculation.acceptance_by_position
        picture = sitting.picture()
        for position, share in enumerate(shares, start=1):
            assert any(
                line.rstrip().endswith(f"{100 * share:.0f} %") and f"{position} █" in line
                for line in picture.splitlines()
            )
        for name in ("draft", "verify", "other", "gain", "saved by speculation", "context"):
            assert name in picture


async def test_a_loss_is_called_a_loss() -> None:
    async with at_open_desk(FakeBackend(Script(acceptance=(0.2, 0.1, 0, 0, 0, 0, 0)))) as sitting:
        await sitting.ask()
        assert "costing you" in sitting.picture()


async def test_without_a_usable_draft_the_desk_says_why_and_looks_up() -> None:
    problem = "the draft expects 151936 tokens and the target has 152064"
    async with at_open_desk(FakeBackend(model=with_problem(problem))) as sitting:
        assert sitting.picture().splitlines()[0].endswith("⊘ draft not used · ● prompt lookup ON")
        assert problem in sitting.picture()


NO_DRAFT = replace(MODEL, draft_name=None, block_size=0)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_target_without_a_draft_shows_what_prompt_lookup_does(size: tuple[int, int]) -> None:
    """The panel had twenty rows of dashes, and the switch said "no speculation"."""
    desk = FakeBackend(Script(echo_every=3, text=STORY * 2), model=NO_DRAFT)
    async with at_open_desk(desk, size=size) as sitting:
        assert sitting.picture().splitlines()[0].endswith("● prompt lookup ON")
        await sitting.ask()
        stats, picture = sitting.chat.view.figures.speculation, " ".join(sitting.picture().split())
        assert stats.from_context > 0
        assert f"{stats.from_context} tokens" in picture
        if size == WIDE:
            assert "prompt lookup" in picture and "tokens each" in picture and "1 ····" not in picture
            assert "draft none" in picture and "time per round" in picture
        await sitting.pilot.press("ctrl+s")
        assert sitting.picture().splitlines()[0].endswith("○ prompt lookup OFF")
        assert desk.conversation.switched[-1].is_enabled is False
        await sitting.pilot.press("f6")
        assert desk.conversation.switched[-1].draft_length is None, "there is no draft to set a length of"


SILENT = replace(NO_DRAFT, switch_problem="vllm drafts as it was started, or not at all.")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_server_that_says_nothing_of_speculation_is_not_said_to_decode_plainly(size: tuple[int, int]) -> None:
    desk = FakeBackend(Script(text=STORY), model=SILENT)
    desk.conversation.is_server = True
    async with at_open_desk(desk, size=size) as sitting:
        assert sitting.picture().splitlines()[0].endswith("speculation: managed by the server")
        await sitting.ask()
        picture = sitting.picture()
        for words in ("plain decoding", "accepted length", "against plain", "▸off", "╌", "┈"):
            assert words not in picture
        await sitting.pilot.press("ctrl+g", "alt+end")
        assert "No token sources recorded" in sitting.picture()


async def test_nothing_is_said_of_speculation_while_a_model_loads() -> None:
    from tests.ui.sitting import at_desk

    async with at_desk(FakeBackend(Script(open_pause_s=0.3), model=NO_DRAFT)) as sitting:
        assert "speculation ON" not in sitting.picture()
        await sitting.pilot.press("ctrl+s")
        assert "loading · speculation off" in sitting.picture()


async def test_figures_of_another_model_do_not_stay_under_the_new_one() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        totals = sitting.chat.view.figures.totals
        await sitting.chat.conversations.switch_model("other")
        await sitting.until(lambda: sitting.chat.view.pair == "other")
        await sitting.until(lambda: not sitting.chat.view.figures.reply.generated)
        figures = sitting.chat.view.figures
        assert (figures.now, figures.speculation.rounds, figures.heat) == (0.0, 0, ())
        assert figures.totals == totals, "the conversation is the same"
        key = sitting.backend.conversation.key
        assert key is not None
        await sitting.pilot.press("ctrl+n")
        await sitting.chat.conversations.open(key)
        await sitting.until(lambda: sitting.transcript.has_turns)
        assert not sitting.chat.view.figures.reply.generated


async def test_one_count_of_the_context_is_shown() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask()
        await sitting.until(lambda: " in context" in sitting.picture())
        count = sitting.chat.view.composer.count
        assert count is not None
        words = sitting.picture()
        assert f" {count.prompt_tokens} of 4" in words and f" {count.prompt_tokens} / 4" in words


async def test_the_draft_length_goes_from_auto_to_the_block_size_and_back() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("f6")
        assert sitting.backend.conversation.speculation.draft_length == 1
        assert "draft 1" in sitting.picture()
        await sitting.pilot.press(*["f6"] * 9)
        assert sitting.backend.conversation.speculation.draft_length == 7
        await sitting.pilot.press(*["f5"] * 9)
        assert sitting.backend.conversation.speculation.draft_length is None


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_auto_says_which_length_is_chosen_while_a_reply_runs(size: tuple[int, int]) -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True, auto_lengths=(3, 4, 3, 2))), size=size) as sitting:
        assert sitting.picture().splitlines()[0].endswith("● speculation ON · draft auto")
        await sitting.say("a story")
        sitting.backend.conversation.let(8)
        await sitting.until(lambda: "● speculation ON · draft auto · 3" in sitting.picture())
        await sitting.pilot.press("f6")
        sitting.backend.conversation.let(1)
        await sitting.until(lambda: "● speculation ON · draft 1" in sitting.picture())
        await sitting.pilot.press("f5")
        sitting.backend.conversation.let(1)
        await sitting.until(lambda: "● speculation ON · draft auto" in sitting.picture())
        sitting.backend.conversation.let(1000)
        await sitting.until(lambda: sitting.chat.stage is not Stage.REPLYING)
        assert sitting.picture().splitlines()[0].endswith("● speculation ON · draft auto")


async def test_parking_is_told_by_glyph_and_word_and_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with at_open_desk(FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(8)
        reason = "parked: drafts would cost 8 % here"
        await sitting.until(lambda: f"◐ speculation ON · {reason}" in sitting.picture())
        assert sitting.picture().count(reason) == 2
        assert "tries again" in str(sitting.chat.query_one(SpeculationSwitch).tooltip)
        await sitting.pilot.press("ctrl+s")
        assert "○ speculation OFF" in sitting.picture()


async def test_a_narrow_desk_gives_the_reason_for_parking_in_the_strip() -> None:
    desk = FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))
    async with at_open_desk(desk, size=NARROW) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(8)
        await sitting.until(lambda: "◐ speculation ON · parked" in sitting.picture())
        assert sitting.picture().count("parked: drafts would cost 8 % here") == 1
        assert "as fast as plain" in sitting.picture()


async def test_parking_without_a_known_cost_is_called_parked_and_no_more() -> None:
    desk = FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER, parked_gain=0.0))
    async with at_open_desk(desk) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(8)
        await sitting.until(lambda: "◐ speculation ON · parked" in sitting.picture())
        assert "drafts would cost" not in sitting.picture()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_wholly_parked_reply_has_figures_and_no_loss(size: tuple[int, int]) -> None:
    async with at_open_desk(FakeBackend(Script(parked_rounds=FOR_EVER)), size=size) as sitting:
        await sitting.ask()
        shown = sitting.chat.view.figures
        assert shown.parked_rounds == shown.speculation.rounds > 0
        picture = sitting.picture()
        assert "plain decoding (parked)" in picture
        assert "1.00" in picture
        assert "costing you" not in picture
        assert "● speculation ON · draft auto" in picture


async def test_a_draft_length_of_ones_own_is_never_parked() -> None:
    async with at_open_desk(FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))) as sitting:
        await sitting.say("a story")
        sitting.backend.conversation.let(8)
        await sitting.until(lambda: "◐" in sitting.picture())
        await sitting.pilot.press("f6", "f6")
        sitting.backend.conversation.let(8)
        await sitting.until(lambda: sitting.chat.view.figures.speculation.verified)
        assert "● speculation ON · draft 2" in sitting.picture()
        assert "drafts would cost" not in sitting.picture()


async def test_tokens_of_repeated_text_are_counted_apart_and_only_where_there_are_any() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,)))
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        assert "from the context" not in sitting.picture()
        desk.script.echo_every = 4
        await sitting.ask("once more")
        stats = sitting.chat.view.figures.speculation
        assert f"from the context: {stats.from_context} tokens" in sitting.picture()
        assert len(stats.verified_by_position) == 3  # the draft's own
        assert "device" in sitting.picture()  # the last line of the panel still has its place


async def test_a_choice_made_while_loading_holds_once_the_model_is_there() -> None:
    from tests.ui.sitting import at_desk

    async with at_desk(FakeBackend(Script(open_pause_s=0.3))) as sitting:
        await sitting.pilot.press("ctrl+s")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.backend.conversation.switched[-1].is_enabled is False


async def test_a_narrow_desk_has_the_figures_in_a_strip() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.ask()
        assert sitting.chat.query_one(LiveStrip).display
        assert sitting.chat.query_one(LivePanel).region.width == 0
        picture = sitting.picture()
        for words in ("speculation ON", "by position", "saved", "F1 Help", "Write here."):
            assert words in picture


async def test_the_live_figures_can_be_hidden() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("f3")
        assert sitting.chat.query_one(LivePanel).region.width == 0
        await sitting.pilot.press("f3")
        assert sitting.chat.query_one(LivePanel).region.width > 0


async def test_the_settings_say_whether_the_live_figures_are_there_at_the_start() -> None:
    async with at_open_desk() as sitting:
        for is_wanted in (False, True):
            dress(sitting.app, Settings(live_figures=is_wanted))
            await sitting.pilot.pause()
            assert (
                (sitting.chat.query_one(LivePanel).region.width > 0)
                == (not sitting.app.has_class(NO_LIVE))
                == is_wanted
            )


async def test_what_the_scheduler_chose_and_expects_is_said_while_it_drafts() -> None:
    desk = FakeBackend(Script(is_gated=True, auto_lengths=(3,)))
    async with at_open_desk(desk) as sitting:
        await sitting.say("a story")
        desk.conversation.let(12)
        await sitting.until(lambda: "draft 3: expected 2.1x" in sitting.picture())
        await sitting.pilot.press("f6")  # a length of one's own: nothing was expected
        desk.conversation.let(6)
        await sitting.until(lambda: ": expected" not in sitting.picture())


async def test_acceptance_is_drawn_over_the_reply_with_parked_stretches_marked() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,), parked_rounds=range(12, 30), text=STORY * 3))
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        rows = [line[line.index("▏") :] for line in sitting.picture().splitlines() if "▏  1 " in line]
        assert len(rows) == 1
        assert "┊┊" in rows[0] and "█" in rows[0] and "%" in rows[0]
        await sitting.pilot.press("ctrl+n")
        await sitting.until(lambda: "┊┊" not in sitting.picture())


async def test_a_conversation_that_is_opened_again_shows_its_last_replys_acceptance() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,), parked_rounds=range(12, 30), text=STORY * 3))
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        key = desk.conversation.key
        assert key is not None
        await sitting.pilot.press("ctrl+n")
        await sitting.until(lambda: "┊┊" not in sitting.picture())
        await sitting.chat.conversations.open(key)
        await sitting.until(lambda: "┊┊" in sitting.picture())


async def test_a_nearly_full_context_and_what_is_not_read_are_seen() -> None:
    async with at_open_desk(FakeBackend(Script(left_out=2))) as sitting:
        await sitting.ask()
        await sitting.ask("more")
        assert "2 not read" in sitting.picture()
        await sitting.until(lambda: "the 2 oldest messages will not be read" in sitting.picture())


async def test_the_strip_of_a_very_small_window_has_less_of_a_chart_and_all_figures() -> None:
    async with at_open_desk(size=(60, 20)) as sitting:
        await sitting.ask()
        figures, acceptance = sitting.picture().splitlines()[-6:-4]
        assert "saved" in figures and "accepted" in acceptance and "by position" in acceptance
