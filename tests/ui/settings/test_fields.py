"""Values of the conversation's settings as they are typed, shown, judged and put back."""

import pytest

from sparkdesk.chat.recommended import follow
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.ui.settings.fields import FIELDS, NotThis

BY_NAME = {field.name: field for field in FIELDS}


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temperature", "0.6", 0.6),
        ("temperature", "0,6", 0.6),
        ("temperature", "0", 0),
        ("top_k", "40", 40),
        ("seed", "random", None),
        ("seed", "", None),
        ("seed", "7", 7),
        ("max_tokens", "no limit", 0),
        ("max_tokens", "200", 200),
    ],
)
def test_what_makes_sense_is_read_and_shown_alike(name: str, typed: str, value: float | None) -> None:
    field = BY_NAME[name]
    assert field.parse(typed) == value
    assert field.parse(field.show(value)) == value
    assert field.read(field.put(ChatSettings(), value)) == value


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("temperature", "hot", "Temperature is a number from 0 to 5"),
        ("temperature", "nan", "Temperature is a number from 0 to 5"),
        ("temperature", "-1", "Temperature is a number from 0 to 5"),
        ("temperature", "", "Temperature is a number from 0 to 5"),
        ("top_k", "1.5", "Top-k is a whole number"),
        ("top_p", "1.2", "Top-p is a number from 0 to 1"),
        ("repeat_penalty", "0", "from 0.1 to 5"),
        ("seed", "-3", "or “random”"),
        ("max_tokens", "0", "or “no limit”"),
    ],
)
def test_what_makes_none_is_refused_with_a_sentence(name: str, typed: str, words: str) -> None:
    with pytest.raises(NotThis, match=words):
        BY_NAME[name].parse(typed)


def test_every_sampler_setting_has_a_line() -> None:
    from dataclasses import fields

    assert {field.name for field in FIELDS} == {each.name for each in fields(SamplingSettings)} | {"max_tokens"}


def test_values_as_recommended_follow_another_mode_and_own_ones_stay() -> None:
    plain, thinking = SamplingSettings(temperature=0.7, top_p=0.8), SamplingSettings(temperature=0.6, top_p=0.95)
    mine = SamplingSettings(temperature=0.2, top_p=0.8, seed=7)
    assert follow(mine, plain, thinking) == SamplingSettings(temperature=0.2, top_p=0.95, seed=7)
