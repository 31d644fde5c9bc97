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
from tests.ui.harness import NARROW, WIDE, open_app

FOR_EVER = range(10_000)


async def test_the_switch_works_in_mid_reply_and_is_marked_in_the_chart() -> None:
    async with open_app(FakeBackend(Script(is_gated=True, text=STORY * 3, plain_ms=40))) as harness:
        await harness.say("a story")
        conversation = harness.backend.conversation
        conversation.let(12)
        await harness.until(lambda: harness.chat.view.figures.speculation.rounds >= 10)
        await harness.pilot.press("ctrl+s")
        conversation.let(12)
        await harness.until(lambda: not harness.chat.view.figures.is_speculating)
        assert conversation.speculation == SpeculationSettings(False, None)
        assert "○ speculation OFF" in harness.picture()
        assert "▸off" in harness.picture()
        await harness.pilot.press("f4")
        conversation.let(12)
        await harness.until(lambda: harness.chat.view.figures.is_speculating)
        assert "● speculation ON" in harness.picture()
        assert "▸on" in harness.picture()
        assert harness.chat.stage is Stage.REPLYING


async def test_a_click_on_the_switch_does_the_same_as_its_key() -> None:
    async with open_app() as harness:
        await harness.pilot.click("SpeculationSwitch")
        assert harness.backend.conversation.speculation.is_enabled is False


async def test_with_speculation_off_the_last_figures_stay() -> None:
    async with open_app() as harness:
        await harness.ask()
        length = f"{harness.chat.view.figures.speculation.accepted_length:.2f}"
        await harness.pilot.press("ctrl+s")
        await harness.ask("again")
        assert not harness.chat.view.figures.is_speculating
        assert length in harness.picture()
        assert "while it was on" in harness.picture()
        assert "plain decoding" in harness.picture()


async def test_the_panel_shows_every_position_and_where_the_time_goes() -> None:
    async with open_app() as harness:
        await harness.ask()
        shares = harness.chat.view.figures.speculation.acceptance_by_position
        picture = harness.picture()
        for position, share in enumerate(shares, start=1):
            assert any(
                line.rstrip().endswith(f"{100 * share:.0f} %") and f"{position} █" in line
                for line in picture.splitlines()
            )
        for name in ("draft", "verify", "other", "gain", "saved by speculation", "context"):
            assert name in picture


async def test_a_loss_is_called_a_loss() -> None:
    async with open_app(FakeBackend(Script(acceptance=(0.2, 0.1, 0, 0, 0, 0, 0)))) as harness:
        await harness.ask()
        assert "costing you" in harness.picture()


async def test_without_a_usable_draft_the_desk_says_why_and_looks_up() -> None:
    problem = "the draft expects 151936 tokens and the target has 152064"
    async with open_app(FakeBackend(model=with_problem(problem))) as harness:
        assert harness.picture().splitlines()[0].endswith("⊘ draft not used · ● prompt lookup ON")
        assert problem in harness.picture()


NO_DRAFT = replace(MODEL, draft_name=None, block_size=0)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_target_without_a_draft_shows_what_prompt_lookup_does(size: tuple[int, int]) -> None:
    """The panel had twenty rows of dashes, and the switch said "no speculation"."""
    desk = FakeBackend(Script(lookup_every=3, text=STORY * 2), model=NO_DRAFT)
    async with open_app(desk, size=size) as harness:
        assert harness.picture().splitlines()[0].endswith("● prompt lookup ON")
        await harness.ask()
        stats, picture = harness.chat.view.figures.speculation, " ".join(harness.picture().split())
        assert stats.from_context > 0
        assert f"{stats.from_context} tokens" in picture
        if size == WIDE:
            assert "prompt lookup" in picture and "tokens each" in picture and "1 ····" not in picture
            assert "draft none" in picture and "time per round" in picture
        await harness.pilot.press("ctrl+s")
        assert harness.picture().splitlines()[0].endswith("○ prompt lookup OFF")
        assert desk.conversation.switched[-1].is_enabled is False
        await harness.pilot.press("f6")
        assert desk.conversation.switched[-1].draft_length is None, "there is no draft to set a length of"


SILENT = replace(NO_DRAFT, switch_problem="vllm drafts as it was started, or not at all.")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_server_that_says_nothing_of_speculation_is_not_said_to_decode_plainly(size: tuple[int, int]) -> None:
    desk = FakeBackend(Script(text=STORY), model=SILENT)
    desk.conversation.is_server = True
    async with open_app(desk, size=size) as harness:
        assert harness.picture().splitlines()[0].endswith("speculation: managed by the server")
        await harness.ask()
        picture = harness.picture()
        for words in ("plain decoding", "accepted length", "against plain", "▸off", "╌", "┈"):
            assert words not in picture
        await harness.pilot.press("ctrl+g", "alt+end")
        assert "No token sources recorded" in harness.picture()


async def test_nothing_is_said_of_speculation_while_a_model_loads() -> None:
    from tests.ui.harness import app_at

    async with app_at(FakeBackend(Script(open_pause_s=0.3), model=NO_DRAFT)) as harness:
        assert "speculation ON" not in harness.picture()
        await harness.pilot.press("ctrl+s")
        assert "loading · speculation off" in harness.picture()


async def test_figures_of_another_model_do_not_stay_under_the_new_one() -> None:
    async with open_app() as harness:
        await harness.ask()
        totals = harness.chat.view.figures.totals
        await harness.chat.conversations.switch_model("other")
        await harness.until(lambda: harness.chat.view.pair == "other")
        await harness.until(lambda: not harness.chat.view.figures.reply.generated)
        figures = harness.chat.view.figures
        assert (figures.now, figures.speculation.rounds, figures.heat) == (0.0, 0, ())
        assert figures.totals == totals, "the conversation is the same"
        key = harness.backend.conversation.key
        assert key is not None
        await harness.pilot.press("ctrl+n")
        await harness.chat.conversations.open(key)
        await harness.until(lambda: harness.transcript.has_turns)
        assert not harness.chat.view.figures.reply.generated


async def test_one_count_of_the_context_is_shown() -> None:
    async with open_app() as harness:
        await harness.ask()
        await harness.until(lambda: " in context" in harness.picture())
        count = harness.chat.view.composer.count
        assert count is not None
        words = harness.picture()
        assert f" {count.prompt_tokens} of 4" in words and f" {count.prompt_tokens} / 4" in words


async def test_the_draft_length_goes_from_auto_to_the_block_size_and_back() -> None:
    async with open_app() as harness:
        await harness.pilot.press("f6")
        assert harness.backend.conversation.speculation.draft_length == 1
        assert "draft 1" in harness.picture()
        await harness.pilot.press(*["f6"] * 9)
        assert harness.backend.conversation.speculation.draft_length == 7
        await harness.pilot.press(*["f5"] * 9)
        assert harness.backend.conversation.speculation.draft_length is None


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_auto_says_which_length_is_chosen_while_a_reply_runs(size: tuple[int, int]) -> None:
    async with open_app(FakeBackend(Script(is_gated=True, auto_lengths=(3, 4, 3, 2))), size=size) as harness:
        assert harness.picture().splitlines()[0].endswith("● speculation ON · draft auto")
        await harness.say("a story")
        harness.backend.conversation.let(8)
        await harness.until(lambda: "● speculation ON · draft auto · 3" in harness.picture())
        await harness.pilot.press("f6")
        harness.backend.conversation.let(1)
        await harness.until(lambda: "● speculation ON · draft 1" in harness.picture())
        await harness.pilot.press("f5")
        harness.backend.conversation.let(1)
        await harness.until(lambda: "● speculation ON · draft auto" in harness.picture())
        harness.backend.conversation.let(1000)
        await harness.until(lambda: harness.chat.stage is not Stage.REPLYING)
        assert harness.picture().splitlines()[0].endswith("● speculation ON · draft auto")


async def test_parking_is_told_by_glyph_and_word_and_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app(FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(8)
        reason = "parked: drafts would cost 8 % here"
        await harness.until(lambda: f"◐ speculation ON · {reason}" in harness.picture())
        assert harness.picture().count(reason) == 2
        assert "tries again" in str(harness.chat.query_one(SpeculationSwitch).tooltip)
        await harness.pilot.press("ctrl+s")
        assert "○ speculation OFF" in harness.picture()


async def test_a_narrow_desk_gives_the_reason_for_parking_in_the_strip() -> None:
    desk = FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))
    async with open_app(desk, size=NARROW) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(8)
        await harness.until(lambda: "◐ speculation ON · parked" in harness.picture())
        assert harness.picture().count("parked: drafts would cost 8 % here") == 1
        assert "as fast as plain" in harness.picture()


async def test_parking_without_a_known_cost_is_called_parked_and_no_more() -> None:
    desk = FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER, parked_gain=0.0))
    async with open_app(desk) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(8)
        await harness.until(lambda: "◐ speculation ON · parked" in harness.picture())
        assert "drafts would cost" not in harness.picture()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_wholly_parked_reply_has_figures_and_no_loss(size: tuple[int, int]) -> None:
    async with open_app(FakeBackend(Script(parked_rounds=FOR_EVER)), size=size) as harness:
        await harness.ask()
        shown = harness.chat.view.figures
        assert shown.parked_rounds == shown.speculation.rounds > 0
        picture = harness.picture()
        assert "plain decoding (parked)" in picture
        assert "1.00" in picture
        assert "costing you" not in picture
        assert "● speculation ON · draft auto" in picture


async def test_a_draft_length_of_ones_own_is_never_parked() -> None:
    async with open_app(FakeBackend(Script(is_gated=True, parked_rounds=FOR_EVER))) as harness:
        await harness.say("a story")
        harness.backend.conversation.let(8)
        await harness.until(lambda: "◐" in harness.picture())
        await harness.pilot.press("f6", "f6")
        harness.backend.conversation.let(8)
        await harness.until(lambda: harness.chat.view.figures.speculation.verified)
        assert "● speculation ON · draft 2" in harness.picture()
        assert "drafts would cost" not in harness.picture()


async def test_tokens_of_repeated_text_are_counted_apart_and_only_where_there_are_any() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,)))
    async with open_app(desk) as harness:
        await harness.ask()
        assert "from the context" not in harness.picture()
        desk.script.lookup_every = 4
        await harness.ask("once more")
        stats = harness.chat.view.figures.speculation
        assert f"from the context: {stats.from_context} tokens" in harness.picture()
        assert len(stats.verified_by_position) == 3  # the draft's own
        assert "device" in harness.picture()  # the last line of the panel still has its place


async def test_a_choice_made_while_loading_holds_once_the_model_is_there() -> None:
    from tests.ui.harness import app_at

    async with app_at(FakeBackend(Script(open_pause_s=0.3))) as harness:
        await harness.pilot.press("ctrl+s")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.backend.conversation.switched[-1].is_enabled is False


async def test_a_narrow_desk_has_the_figures_in_a_strip() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.ask()
        assert harness.chat.query_one(LiveStrip).display
        assert harness.chat.query_one(LivePanel).region.width == 0
        picture = harness.picture()
        for words in ("speculation ON", "by position", "saved", "F1 Help", "Write here."):
            assert words in picture


async def test_the_live_figures_can_be_hidden() -> None:
    async with open_app() as harness:
        await harness.pilot.press("f3")
        assert harness.chat.query_one(LivePanel).region.width == 0
        await harness.pilot.press("f3")
        assert harness.chat.query_one(LivePanel).region.width > 0


async def test_the_settings_say_whether_the_live_figures_are_there_at_the_start() -> None:
    async with open_app() as harness:
        for is_wanted in (False, True):
            dress(harness.app, Settings(live_figures=is_wanted))
            await harness.pilot.pause()
            assert (
                (harness.chat.query_one(LivePanel).region.width > 0)
                == (not harness.app.has_class(NO_LIVE))
                == is_wanted
            )


async def test_what_the_scheduler_chose_and_expects_is_said_while_it_drafts() -> None:
    desk = FakeBackend(Script(is_gated=True, auto_lengths=(3,)))
    async with open_app(desk) as harness:
        await harness.say("a story")
        desk.conversation.let(12)
        await harness.until(lambda: "draft 3: expected 2.1x" in harness.picture())
        await harness.pilot.press("f6")  # a length of one's own: nothing was expected
        desk.conversation.let(6)
        await harness.until(lambda: ": expected" not in harness.picture())


async def test_acceptance_is_drawn_over_the_reply_with_parked_stretches_marked() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,), parked_rounds=range(12, 30), text=STORY * 3))
    async with open_app(desk) as harness:
        await harness.ask()
        rows = [line[line.index("▏") :] for line in harness.picture().splitlines() if "▏  1 " in line]
        assert len(rows) == 1
        assert "┊┊" in rows[0] and "█" in rows[0] and "%" in rows[0]
        await harness.pilot.press("ctrl+n")
        await harness.until(lambda: "┊┊" not in harness.picture())


async def test_a_conversation_that_is_opened_again_shows_its_last_replys_acceptance() -> None:
    desk = FakeBackend(Script(auto_lengths=(3,), parked_rounds=range(12, 30), text=STORY * 3))
    async with open_app(desk) as harness:
        await harness.ask()
        key = desk.conversation.key
        assert key is not None
        await harness.pilot.press("ctrl+n")
        await harness.until(lambda: "┊┊" not in harness.picture())
        await harness.chat.conversations.open(key)
        await harness.until(lambda: "┊┊" in harness.picture())


async def test_a_nearly_full_context_and_what_is_not_read_are_seen() -> None:
    async with open_app(FakeBackend(Script(left_out=2))) as harness:
        await harness.ask()
        await harness.ask("more")
        assert "2 not read" in harness.picture()
        await harness.until(lambda: "the 2 oldest messages will not be read" in harness.picture())


async def test_the_strip_of_a_very_small_window_has_less_of_a_chart_and_all_figures() -> None:
    async with open_app(size=(60, 20)) as harness:
        await harness.ask()
        figures, acceptance = harness.picture().splitlines()[-6:-4]
        assert "saved" in figures and "accepted" in acceptance and "by position" in acceptance
