"""The catalogue: ours holds, and the user's is read with one sentence for what is wrong in it."""

from pathlib import Path

import pytest

from sparkdesk.catalog import RELEASED, read_catalog
from sparkdesk.catalog.entry import CHECKED, SYNTHETIC_PAIR
from sparkdesk.errors import UsageError

NOWHERE = Path("/nowhere/catalog.toml")
OWN = """
[[pair]]
name = "mine"
[pair.target]
checkpoint = "Me/Model"
[pair.draft]
gguf = [{ repository = "Me/Model-DSpark-GGUF", quantizations = ["q8_0"] }]
"""


def test_the_released_pairs_are_there() -> None:
    released = [pair for pair in read_catalog(NOWHERE).pairs if pair.kind == RELEASED]
    assert [pair.name for pair in released] == ["qwen3-4b", "qwen3-8b", "qwen3-14b", "gemma-4-12b-it"]
    for pair in released:
        assert pair.target.checkpoint and pair.target.gguf and pair.draft.checkpoint.startswith("deepseek-ai/dspark_")
        assert pair.target.licence and pair.draft.licence and "thinking" in pair.notes[0]


def test_a_users_pair_is_added(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(OWN)
    catalog = read_catalog(tmp_path / "catalog.toml")
    mine = catalog.find("MINE")
    assert mine is not None and mine.draft.gguf[0].quantizations == ("Q8_0",)
    assert catalog.find("qwen3-8b") is not None


def test_a_users_pair_replaces_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(OWN.replace('"mine"', '"qwen3-8b"'))
    pairs = [pair for pair in read_catalog(tmp_path / "catalog.toml").pairs if pair.name == "qwen3-8b"]
    assert [pair.target.checkpoint for pair in pairs] == ["Me/Model"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[pair]", "not valid TOML"),
        ("pairs = 1", "nothing else"),
        ("pair = 1", "nothing else"),
        ("[[pair]]", "name is missing"),
        (OWN.replace('"mine"', '"../x"'), "name is '../x'"),
        (OWN.replace("checkpoint", "chekpoint"), "target.chekpoint is not known"),
        (OWN.replace('"Me/Model"', "3"), "target.checkpoint is 3"),
        (OWN.replace('checkpoint = "Me/Model"', ""), "target has neither"),
        (OWN.replace("repository", "repo"), "draft.gguf.repo is not known"),
        (OWN.replace('"mine"', '"mine"\nkind = "secret"'), "kind is 'secret'"),
        (OWN.replace('"mine"', '"mine"\nchecked = "by me"'), "checked is 'by me'"),
    ],
)
def test_a_broken_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_catalog(path)
    assert said in raised.value.message and str(path) in raised.value.message


def test_every_pair_says_how_far_it_was_tried() -> None:
    pairs = {pair.name: pair for pair in read_catalog(NOWHERE).pairs}
    assert all(pair.remarks[-1] in CHECKED.values() for pair in pairs.values())
    assert {name for name, pair in pairs.items() if pair.checked == SYNTHETIC_PAIR} == {
        "qwen3-4b", "qwen3-8b", "qwen3-14b", "gemma-4-12b-it", "qwen3-8b-dogacel", "qwen3-8b-mgoin",
    }  # fmt: skip
    assert pairs["gpt-oss-20b"].remarks[-1] == "Not run by us."
    assert "128 GB class" in pairs["deepseek-v4-flash"].title


def test_what_no_converter_reads_is_listed_with_ready_made_targets() -> None:
    """Else a build whose GGUF files are gone would download a checkpoint that cannot be converted."""
    convertible = ("qwen3-", "gemma-4-12b")
    for pair in read_catalog(NOWHERE).pairs:
        assert pair.target.gguf
        assert bool(pair.target.checkpoint) == pair.name.startswith(convertible), pair.name
