"""Journeys in this conversation's settings, and the key for thinking."""

from dataclasses import replace

import pytest
from textual.widgets import Input

from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen
from sparkdesk.ui.chat.widgets.sampling_row import SamplingRow
from tests.ui.fake_backend import MODEL, FakeBackend
from tests.ui.sitting import NARROW, WIDE, Sitting, at_open_desk

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])
THINKER = replace(MODEL, chat_template="{% if enable_thinking %}<think>{% endif %}")


def hear(sitting: Sitting) -> list[str]:
    """What the desk says in passing, from now on; tests do without its pictures."""
    said: list[str] = []
    sitting.app.notify = lambda message, **_: said.append(message)  # type: ignore[method-assign]
    return said


async def open_settings(sitting: Sitting) -> ConversationSettingsScreen:
    await sitting.pilot.press("f10")
    await sitting.until(lambda: isinstance(sitting.app.screen, ConversationSettingsScreen))
    screen = sitting.app.screen
    assert isinstance(screen, ConversationSettingsScreen)
    return screen


def row(screen: ConversationSettingsScreen, name: str) -> SamplingRow:
    return next(each for each in screen.query(SamplingRow) if each.field.name == name)


@SIZES
async def test_everything_is_on_one_page_and_holds_from_the_next_reply_on(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await open_settings(sitting)
        picture = sitting.picture()
        for words in ("temperature", "top-k", "top-p", "min-p", "presence penalty", "seed", "max tokens", "Esc"):
            assert words in picture
        await sitting.pilot.press(*"Be brief.", "tab", "tab", "ctrl+a", "ctrl+k", *"0.2", "escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        settings = sitting.backend.conversation.settings
        assert settings.system_prompt == "Be brief."
        assert settings.sampling.temperature == 0.2
        await sitting.until(lambda: "¶ system prompt" in sitting.picture())
        screen = await open_settings(sitting)
        assert "Be brief." in sitting.picture()
        assert row(screen, "temperature").query_one(Input).value == "0.2"


async def test_a_value_that_makes_no_sense_is_told_as_it_is_typed_and_left_as_it_was() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        before = sitting.backend.conversation.settings.sampling.temperature
        said = hear(sitting)
        await open_settings(sitting)
        await sitting.pilot.press("tab", "tab", "x")
        await sitting.until(lambda: "Temperature is a number from 0 to 5" in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        assert sitting.backend.conversation.settings.sampling.temperature == before
        assert said[0].startswith("temperature stays 0.7. Temperature is a number")


async def test_one_key_goes_back_to_what_the_makers_recommend_and_one_for_all() -> None:
    async with at_open_desk() as sitting:
        recommended = sitting.backend.recommended
        screen = await open_settings(sitting)
        await sitting.pilot.press("tab", "tab", "ctrl+a", "ctrl+k", "2", "tab", "ctrl+a", "ctrl+k", "3")
        await sitting.until(lambda: f"↺ recommended {recommended.temperature:g}" in sitting.picture())
        await sitting.pilot.press("ctrl+r")
        assert row(screen, "top_k").value == recommended.top_k
        assert row(screen, "temperature").value == 2
        await sitting.pilot.press("ctrl+l", "escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        assert sitting.backend.conversation.settings.sampling == recommended


async def test_a_click_on_the_recommended_value_takes_it() -> None:
    async with at_open_desk() as sitting:
        screen = await open_settings(sitting)
        field = row(screen, "min_p")
        field.query_one(Input).value = "0.3"
        await sitting.until(lambda: field.value == 0.3)
        await sitting.pilot.click(field.query_one("Recommended"))
        await sitting.until(lambda: field.value == sitting.backend.recommended.min_p)


async def test_thinking_takes_its_own_recommended_values_along_and_leaves_the_users_alone() -> None:
    async with at_open_desk(FakeBackend(model=THINKER)) as sitting:
        plain = sitting.backend.recommended
        screen = await open_settings(sitting)
        row(screen, "top_k").query_one(Input).value = "7"
        await sitting.pilot.press("tab", "space")
        await sitting.until(lambda: "trained on answers without thoughts" in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        settings, thinking = sitting.backend.conversation.settings, sitting.backend.recommended
        assert settings.is_thinking
        assert thinking.temperature != plain.temperature
        assert (settings.sampling.temperature, settings.sampling.top_k) == (thinking.temperature, 7)


@SIZES
async def test_the_key_for_thinking_warns_and_the_top_bar_says_it(size: tuple[int, int]) -> None:
    async with at_open_desk(FakeBackend(model=THINKER), size=size) as sitting:
        said = hear(sitting)
        await sitting.pilot.press("ctrl+t")
        await sitting.until(lambda: "∴ thinking" in sitting.picture())
        assert sitting.backend.conversation.settings.is_thinking
        assert "trained on answers without thoughts" in said[-1]
        await sitting.pilot.press("ctrl+t")
        await sitting.until(lambda: "∴ thinking" not in sitting.picture())
        assert not sitting.backend.conversation.settings.is_thinking


async def test_a_model_without_the_switch_is_said_to_have_none() -> None:
    async with at_open_desk() as sitting:
        said = hear(sitting)
        await sitting.pilot.press("ctrl+t")
        assert "no switch for thinking" in said[-1]


async def test_settings_belong_to_their_conversation() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        first = sitting.backend.conversation.key
        assert first is not None
        await sitting.pilot.press("ctrl+t", "ctrl+n")
        await sitting.until(lambda: not sitting.transcript.has_turns)
        await sitting.ask("two")
        await sitting.pilot.press("ctrl+t")
        await sitting.until(lambda: "∴ thinking" not in sitting.picture())
        await sitting.chat.conversations.open(first)
        await sitting.until(lambda: "∴ thinking" in sitting.picture())


async def test_settings_that_were_only_looked_at_leave_the_conversation_where_it_was_in_the_list() -> None:
    async with at_open_desk() as sitting:
        await sitting.ask("one")
        changed_at = sitting.backend.history.newest()[0].changed_at
        await open_settings(sitting)
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        assert sitting.backend.history.newest()[0].changed_at == changed_at
