"""`sparkdesk bench compare` on one target with drafters of known acceptance, and what it refuses."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli import app
from sparkdesk.loading import placement
from tests.bench.known_drafts import KnownDraft, chain_of, dspark_draft, write_eagle3_draft, write_small_draft
from tests.cli.command_line import numbers, sparkdesk
from tests.conftest import TINY_SHAPE
from tests.engine.tiny_gguf import write_hybrid, write_plain

pytestmark = pytest.mark.native

SMALL_SHARE, EAGLE3_SHARE = 0.8, 0.6
BLOCK = 7


@dataclass(frozen=True, slots=True)
class Known:
    target: Path
    prompt: tuple[int, ...]
    drafts: dict[str, KnownDraft]

    def arguments(self, *more: str) -> tuple[str, ...]:
        named = [part for name, draft in self.drafts.items() for part in ("--drafter", f"{name}={draft.path}")]
        prompt = ("--prompt-tokens", numbers(self.prompt), "--threads", "1", "--ctx", "2048")
        return ("bench", "compare", "--target", str(self.target), *named, *prompt, *more)


@pytest.fixture(scope="module")
def known(synthetic_pair: SyntheticPair, tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("known")
    drafts = {
        "dspark": dspark_draft(synthetic_pair, TINY_SHAPE),
        "eagle3": write_eagle3_draft(folder / "eagle3.gguf", synthetic_pair.target, TINY_SHAPE, EAGLE3_SHARE),
        "small": write_small_draft(folder / "small.gguf", TINY_SHAPE, SMALL_SHARE),
    }
    return Known(synthetic_pair.target, synthetic_pair.prompt_tokens, drafts)


@pytest.fixture(scope="module")
def compared(known: Known) -> dict[str, Any]:
    done = sparkdesk(*known.arguments("--max-tokens", "400", "--json"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_measured_accepted_length_is_the_built_one(known: Known, compared: dict[str, Any]) -> None:
    """To the last digit of these very rounds, and of the whole text within the error."""
    chain = chain_of(TINY_SHAPE)
    first = chain.following(known.prompt[-1], 1)[0]
    for each in compared["drafters"]:
        built, rounds = known.drafts[each["name"]].accepted_length, each["accepted_length_rounds"]
        assert rounds > 50
        assert each["accepted_length"] == pytest.approx(built(chain, first, rounds, BLOCK), abs=1e-4)
        assert abs(each["accepted_length"] - built(chain, first, 5000, BLOCK)) < 3 * each["accepted_length_error"]
    lengths = {each["name"]: each["accepted_length"] for each in compared["drafters"]}
    assert lengths["small"] > lengths["eagle3"] > 1.5


def test_the_json_has_its_stable_names(compared: dict[str, Any]) -> None:
    assert compared["plain"]["tokens_per_second"] > 0 and compared["is_together"]
    assert [each["name"] for each in compared["drafters"]] == ["dspark", "eagle3", "small"]
    for each in compared["drafters"]:
        assert each["kind"] == each["name"]
        assert set(each["tokens_per_second"]) == {"tuned", "best_fixed"}
        assert all(speed > 0 for speed in each["tokens_per_second"].values())
        assert set(each["draft_ms"]) == {str(length) for length in range(1, BLOCK + 1)}
        assert each["bytes_per_block"] > 0 and each["memory_bytes"] > 0
        assert each["verdict"] == "identical"
        assert 1 <= each["best_fixed_length"] <= BLOCK


def test_sampling_is_real_and_the_text_is_checked_all_the_same(known: Known) -> None:
    """The target is all but certain of every token, so its temperature changes no accepted length."""
    one = Known(known.target, known.prompt, {"small": known.drafts["small"]})
    done = sparkdesk(*one.arguments("--max-tokens", "300", "--temperature", "1", "--json"))
    (found,) = json.loads(done.stdout)["drafters"]
    chain = chain_of(TINY_SHAPE)
    first = chain.following(known.prompt[-1], 1)[0]
    built = known.drafts["small"].accepted_length(chain, first, found["accepted_length_rounds"], BLOCK)
    assert found["accepted_length"] == pytest.approx(built, abs=1e-4)
    assert found["verdict"] == "identical"


def test_a_card_and_a_table_are_made(known: Known, tmp_path: Path) -> None:
    one = Known(known.target, known.prompt, {"mine": known.drafts["small"]})
    card = tmp_path / "card.md"
    done = sparkdesk(*one.arguments("--max-tokens", "24", "--out", str(card)))
    assert done.returncode == 0 and "mine" in done.stdout and "identical" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    written = card.read_text()
    assert "small model" in written and str(tmp_path) not in written and "SHA-256" in written
    figures = json.loads((tmp_path / "card.json").read_text())
    assert len(figures["files"]["mine"]["sha256"]) == 64


def test_a_kept_comparison_becomes_a_card_without_measuring(known: Known, tmp_path: Path) -> None:
    one = Known(known.target, known.prompt, {"small": known.drafts["small"]})
    kept = tmp_path / "run.json"
    kept.write_text(sparkdesk(*one.arguments("--max-tokens", "24", "--json")).stdout)
    card = tmp_path / "card.md"
    done = sparkdesk(*one.arguments("--from", str(kept), "--out", str(card)))
    assert done.returncode == 0 and "small model" in card.read_text() and "Comparing" not in done.stderr
    assert json.loads((tmp_path / "card.json").read_text())["drafters"] == json.loads(kept.read_text())["drafters"]
    other = Known(known.target, known.prompt, {"small": known.drafts["eagle3"]})
    refused = sparkdesk(*other.arguments("--from", str(kept)))
    assert refused.returncode == 2 and "kind eagle3" in refused.stderr
    renamed = Known(known.target, known.prompt, {"mine": known.drafts["eagle3"]})
    refused = sparkdesk(*renamed.arguments("--from", str(kept)))
    assert refused.returncode == 2 and "of another pair" in refused.stderr
    kept.write_text("{}")
    refused = sparkdesk(*one.arguments("--from", str(kept)))
    assert refused.returncode == 2 and "not a kept run" in refused.stderr


def test_where_memory_is_short_one_is_measured_after_the_other(
    known: Known, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(placement, "fit_together", lambda files, how, *, ask_free_memory: False)
    two = Known(known.target, known.prompt, {name: known.drafts[name] for name in ("small", "eagle3")})
    assert app.run(two.arguments("--max-tokens", "24", "--json")) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert not found["is_together"] and "one is measured after the other" in said.err
    assert [each["name"] for each in found["drafters"]] == ["small", "eagle3"]
    assert all(each["plain_tokens_per_second"] > 0 and each["gain"]["tuned"] > 0 for each in found["drafters"])


def test_mtp_stands_beside_a_small_model(tmp_path: Path) -> None:
    target = write_hybrid(tmp_path / "hybrid.gguf", layers=4)
    draft = write_plain(tmp_path / "draft.gguf", hidden=32)
    drafters = ("--drafter", "mtp", "--drafter", f"small={draft}")
    asked = ("--prompt-tokens", "300,301,302", "--max-tokens", "16", "--threads", "1", "--json")
    found = json.loads(sparkdesk("bench", "compare", "--target", str(target), *drafters, *asked).stdout)
    assert [(each["name"], each["kind"], each["block_size"]) for each in found["drafters"]] == [
        ("mtp", "mtp", 4),
        ("small", "small", 7),
    ]


@pytest.mark.parametrize(
    ("drafters", "said"),
    [
        (("eagle3={small}",), "is a draft of the kind small, not eagle3"),
        (("small={small}", "small={small}"), "Two drafters are called small"),
        (("small={gone}",), "is not a file"),
        (("mtp",), "no multi-token prediction layer"),
        (("context",), "beside every drafter already"),
        (("nonsense",), "neither KIND=FILE"),
        (("dspark=",), "neither KIND=FILE"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(
    known: Known, tmp_path: Path, drafters: tuple[str, ...], said: str
) -> None:
    places = {"small": known.drafts["small"].path, "gone": tmp_path / "gone.gguf"}
    given = [part for each in drafters for part in ("--drafter", each.format(**places))]
    done = sparkdesk("bench", "compare", "--target", str(known.target), *given, "--prompt-tokens", "300,301")
    assert 0 < done.returncode < 70 and not done.stdout
    assert said in done.stderr and "Traceback" not in done.stderr


def test_deepspecs_protocol_asks_for_its_nine_files(known: Known, tmp_path: Path) -> None:
    (tmp_path / "gsm8k.jsonl").write_text('{"turns": ["What is 1 + 1?"]}\n')
    one = Known(known.target, (), {"small": known.drafts["small"]})
    asked = ("bench", "compare", "--target", str(one.target), "--drafter", f"small={one.drafts['small'].path}")
    done = sparkdesk(*asked, "--deepspec", str(tmp_path), "--max-tokens", "8", "--threads", "1", "--json")
    found = json.loads(done.stdout)
    assert found["temperature"] == 1.0 and "nine" not in done.stdout
    assert "has 9 benchmarks" in done.stderr
