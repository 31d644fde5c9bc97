"""What can draft for which architecture, and that what is said of them agrees with itself."""

import pytest

from sparkdesk.gguf.architectures import ARCHITECTURES, Recurrent, Rollback, drafters_for


@pytest.mark.parametrize(
    ("name", "has_mtp", "said"),
    [
        ("qwen3", False, "DSpark, DFlash and EAGLE-3 drafts, a small model of its vocabulary, prompt lookup"),
        ("qwen35", True, "DSpark, DFlash and EAGLE-3 drafts, its own MTP layer, a small model of its vocabulary, "),
        ("qwen2", False, "a small model of its vocabulary, prompt lookup"),
        ("never-heard-of", False, "a small model of its vocabulary, prompt lookup"),
        ("mamba2", False, ""),
        ("falcon-h1", True, ""),
    ],
)
def test_what_drafts_for_it(name: str, has_mtp: bool, said: str) -> None:
    found = ", ".join(drafters_for(name, has_mtp=has_mtp))
    assert found.startswith(said) and bool(found) == bool(said)


def test_what_keeps_states_says_in_which_layers() -> None:
    """deepseek4 alone is rolled back like a hybrid and has no recurrent layer."""
    for name, found in ARCHITECTURES.items():
        keeps = found.rollback in (Rollback.RECURRENT_STATES, Rollback.CHECKPOINT)
        assert (found.recurrent is not None) == (keeps and name != "deepseek4"), name
        assert found.recurrent is None or isinstance(found.recurrent, Recurrent)
