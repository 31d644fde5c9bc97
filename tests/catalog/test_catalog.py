"""The catalogue: ours holds, and the user's is read with one sentence for what is wrong in it."""

from pathlib import Path

import pytest

from sparkdesk.catalog import RELEASED, read_catalog
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
    ],
)
def test_a_broken_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_catalog(path)
    assert said in raised.value.message and str(path) in raised.value.message
