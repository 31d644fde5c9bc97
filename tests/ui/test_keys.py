"""Keys: every one has a name and words, the settings file can change it, and what is said of keys follows."""

import pytest

from sparkdesk.errors import UsageError
from sparkdesk.ui import keys
from sparkdesk.ui.appearance import NO_LIVE
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import open_app

KNOWN = keys.everything()


def test_every_binding_has_a_name_of_its_own_and_words() -> None:
    """Without an id a key cannot be changed, without words the help cannot tell what it does."""
    seen: dict[str, str] = {}
    for holder in keys.holders():
        for binding in keys.bindings_of(holder):
            where = f"{holder.__module__}.{holder.__name__} {binding.key}"
            assert binding.id, f"{where} has no id"
            assert binding.id.count(".") == 1, f"{where}: {binding.id} is not group.action"
            assert binding.id not in seen, f"{where}: {binding.id} is also {seen[binding.id]}"
            assert binding.description, f"{where} has no description"
            seen[binding.id] = where


def test_the_keys_as_they_come_do_not_get_in_each_other_s_way() -> None:
    assert keys.checked({}, KNOWN) == {}
    as_they_come = {key_id: binding.key for key_id, binding in KNOWN.items() if key_id.startswith(("chat.", "desk."))}
    keys.checked(as_they_come, KNOWN)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"chat.reloaded": "f12"}, "chat.reloaded, which is not an action"),
        ({"chat.reload": "f4"}, "F4 to both chat.speculation and chat.reload"),
        ({"chat.reload": "ctrl+q"}, "Ctrl+Q to both"),
        ({"chat.reload": "f12", "chat.live": "F12"}, "F12 to both"),
        ({"chat.reload": "control+r"}, "'control+r' to chat.reload, which is not a key"),
        ({"chat.reload": "ctrl+"}, "which is not a key"),
        ({"chat.reload": ""}, "which is not a key"),
        ({"chat.reload": "f12,"}, "which is not a key"),
        ({"chat.reload": "r"}, "the prompt needs it for writing"),
        ({"prompt.send": "question_mark"}, "the prompt needs it for writing"),
        ({"chat.reload": "ctrl+a"}, "the prompt needs it for writing"),
    ],
)
def test_keys_that_cannot_be_are_refused_in_a_sentence(wanted: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        keys.checked(wanted, KNOWN)
    assert said in raised.value.message


def test_an_unknown_action_is_told_all_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"Known are .*chat\.reload.*desk\.quit"):
        keys.checked({"reload": "f12"}, KNOWN)


def test_two_actions_may_change_places() -> None:
    assert keys.checked({"chat.live": "F4, ctrl+s", "chat.speculation": "f3"}, KNOWN) == {
        "chat.live": "f4,ctrl+s",
        "chat.speculation": "f3",
    }


async def test_a_changed_key_works_and_the_old_one_does_not() -> None:
    async with open_app() as harness:
        harness.app.set_keymap(keys.checked({"chat.live": "f4", "chat.speculation": "f3"}, KNOWN))
        await harness.pilot.press("f4")
        assert harness.app.has_class(NO_LIVE)
        await harness.pilot.press("f3")
        assert not harness.chat.view.speculation.is_enabled
        await harness.pilot.press("ctrl+s")
        assert not harness.chat.view.speculation.is_enabled


async def test_sending_and_new_lines_can_change_places() -> None:
    async with open_app() as harness:
        harness.app.set_keymap(keys.checked({"prompt.send": "ctrl+d", "prompt.new_line": "enter"}, KNOWN))
        await harness.pilot.press("a", "enter", "b", "ctrl+d")
        await harness.until(lambda: harness.backend.conversation.sent)
        assert harness.backend.conversation.sent == ["a\nb"]


async def test_what_is_said_of_a_key_is_the_changed_one() -> None:
    keymap = keys.checked({"chat.reload": "f11", "chat.stop": "f12", "prompt.send": "ctrl+d"}, KNOWN)
    desk = FakeBackend(Script(crash_after_rounds=3))
    async with open_app(desk, keymap=keymap) as harness:
        assert "Ctrl+D sends" in harness.picture()
        harness.prompt.show("a story")
        await harness.pilot.press("ctrl+d")
        await harness.until(lambda: "F11 reloads" in harness.banner)
        await harness.pilot.press("f1")
        assert "F11" in harness.picture()
        assert "Ctrl+R" not in harness.picture()
