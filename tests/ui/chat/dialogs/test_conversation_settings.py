"""Journeys in this conversation's settings, and the key for thinking."""

from dataclasses import replace

import pytest
from textual.widgets import Input

from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen
from sparkdesk.ui.chat.widgets.sampling_row import SamplingRow
from tests.ui.fake_backend import MODEL, FakeBackend
from tests.ui.harness import NARROW, WIDE, Harness, open_app

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE])
THINKER = replace(MODEL, chat_template="{% if enable_thinking %}<think>{% endif %}")


def hear(harness: Harness) -> list[str]:
    """What the desk says in passing, from now on; tests do without its pictures."""
    said: list[str] = []
    harness.app.notify = lambda message, **_: said.append(message)  # type: ignore[method-assign]
    return said


async def open_settings(harness: Harness) -> ConversationSettingsScreen:
    await harness.pilot.press("f10")
    await harness.until(lambda: isinstance(harness.app.screen, ConversationSettingsScreen))
    screen = harness.app.screen
    assert isinstance(screen, ConversationSettingsScreen)
    return screen


def row(screen: ConversationSettingsScreen, name: str) -> SamplingRow:
    return next(each for each in screen.query(SamplingRow) if each.field.name == name)


@SIZES
async def test_everything_is_on_one_page_and_holds_from_the_next_reply_on(size: tuple[int, int]) -> None:
    async with open_app(size=size) as harness:
        await open_settings(harness)
        picture = harness.picture()
        for words in ("temperature", "top-k", "top-p", "min-p", "presence penalty", "seed", "max tokens", "Esc"):
            assert words in picture
        await harness.pilot.press(*"Be brief.", "tab", "tab", "ctrl+a", "ctrl+k", *"0.2", "escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        settings = harness.backend.conversation.settings
        assert settings.system_prompt == "Be brief."
        assert settings.sampling.temperature == 0.2
        await harness.until(lambda: "¶ system prompt" in harness.picture())
        screen = await open_settings(harness)
        assert "Be brief." in harness.picture()
        assert row(screen, "temperature").query_one(Input).value == "0.2"


async def test_a_value_that_makes_no_sense_is_told_as_it_is_typed_and_left_as_it_was() -> None:
    async with open_app(size=NARROW) as harness:
        before = harness.backend.conversation.settings.sampling.temperature
        said = hear(harness)
        await open_settings(harness)
        await harness.pilot.press("tab", "tab", "x")
        await harness.until(lambda: "Temperature is a number from 0 to 5" in harness.picture())
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        assert harness.backend.conversation.settings.sampling.temperature == before
        assert said[0].startswith("temperature stays 0.7. Temperature is a number")


async def test_one_key_goes_back_to_what_the_makers_recommend_and_one_for_all() -> None:
    async with open_app() as harness:
        recommended = harness.backend.recommended
        screen = await open_settings(harness)
        await harness.pilot.press("tab", "tab", "ctrl+a", "ctrl+k", "2", "tab", "ctrl+a", "ctrl+k", "3")
        await harness.until(lambda: f"↺ recommended {recommended.temperature:g}" in harness.picture())
        await harness.pilot.press("ctrl+r")
        assert row(screen, "top_k").value == recommended.top_k
        assert row(screen, "temperature").value == 2
        await harness.pilot.press("ctrl+l", "escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        assert harness.backend.conversation.settings.sampling == recommended


async def test_a_click_on_the_recommended_value_takes_it() -> None:
    async with open_app() as harness:
        screen = await open_settings(harness)
        field = row(screen, "min_p")
        field.query_one(Input).value = "0.3"
        await harness.until(lambda: field.value == 0.3)
        await harness.pilot.click(field.query_one("Recommended"))
        await harness.until(lambda: field.value == harness.backend.recommended.min_p)


async def test_thinking_takes_its_own_recommended_values_along_and_leaves_the_users_alone() -> None:
    async with open_app(FakeBackend(model=THINKER)) as harness:
        plain = harness.backend.recommended
        screen = await open_settings(harness)
        row(screen, "top_k").query_one(Input).value = "7"
        await harness.pilot.press("tab", "space")
        await harness.until(lambda: "trained on answers without thoughts" in harness.picture())
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        settings, thinking = harness.backend.conversation.settings, harness.backend.recommended
        assert settings.is_thinking
        assert thinking.temperature != plain.temperature
        assert (settings.sampling.temperature, settings.sampling.top_k) == (thinking.temperature, 7)


@SIZES
async def test_the_key_for_thinking_warns_and_the_top_bar_says_it(size: tuple[int, int]) -> None:
    async with open_app(FakeBackend(model=THINKER), size=size) as harness:
        said = hear(harness)
        await harness.pilot.press("ctrl+t")
        await harness.until(lambda: "∴ thinking" in harness.picture())
        assert harness.backend.conversation.settings.is_thinking
        assert "trained on answers without thoughts" in said[-1]
        await harness.pilot.press("ctrl+t")
        await harness.until(lambda: "∴ thinking" not in harness.picture())
        assert not harness.backend.conversation.settings.is_thinking


async def test_a_model_without_the_switch_is_said_to_have_none() -> None:
    async with open_app() as harness:
        said = hear(harness)
        await harness.pilot.press("ctrl+t")
        assert "no switch for thinking" in said[-1]


async def test_settings_belong_to_their_conversation() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        first = harness.backend.conversation.key
        assert first is not None
        await harness.pilot.press("ctrl+t", "ctrl+n")
        await harness.until(lambda: not harness.transcript.has_turns)
        await harness.ask("two")
        await harness.pilot.press("ctrl+t")
        await harness.until(lambda: "∴ thinking" not in harness.picture())
        await harness.chat.conversations.open(first)
        await harness.until(lambda: "∴ thinking" in harness.picture())


async def test_settings_that_were_only_looked_at_leave_the_conversation_where_it_was_in_the_list() -> None:
    async with open_app() as harness:
        await harness.ask("one")
        changed_at = harness.backend.history.newest()[0].changed_at
        await open_settings(harness)
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        assert harness.backend.history.newest()[0].changed_at == changed_at
