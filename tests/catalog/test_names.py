"""A name nobody knows is answered with what it was meant for, or with the way to find it."""

import pytest

from sparkdesk.catalog.reading import did_you_mean, unknown_pair

INSTALLED, AVAILABLE = ("My-Pair", "qwen3-0.6b"), ("qwen3-4b", "qwen3-8b", "gemma-4-12b")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("qwen3-8", "qwen3-8b"), ("quen3-4b", "qwen3-4b"), ("my-pari", "My-Pair"), ("GEMMA4-12B", "gemma-4-12b")],
)
def test_a_typo_is_answered_with_the_name(name: str, meant: str) -> None:
    hint = unknown_pair(name, installed=INSTALLED, available=AVAILABLE).hint
    assert hint.startswith("Did you mean") and meant in hint


def test_a_pair_of_the_catalogue_is_to_be_built() -> None:
    assert unknown_pair("Qwen3-8B", available=AVAILABLE).hint == "Get it: sparkdesk build qwen3-8b."


def test_a_name_like_no_other_is_never_to_be_built() -> None:
    """Before: "Make it: sparkdesk build nope"."""
    for installed in ((), INSTALLED):
        hint = unknown_pair("nope", installed=installed, available=AVAILABLE).hint
        assert "build nope" not in hint and "sparkdesk search nope" in hint
    assert did_you_mean("nope", INSTALLED) == ""
