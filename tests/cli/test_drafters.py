"""Every kind of drafter from the command line: by its file's header, by name, and what is refused."""

import json
from pathlib import Path

import pytest

from sparkdesk.config.paths import user_paths
from sparkdesk.gguf.header import read_gguf
from sparkdesk.gguf.pairing import draft_kind, problem
from sparkdesk.loading.choice import chosen_pair
from tests.cli.command_line import numbers, sparkdesk
from tests.engine.tiny_drafts import write_assistant_pair, write_eagle3_pair
from tests.engine.tiny_gguf import write_hybrid, write_plain

pytestmark = pytest.mark.native

PROMPT = numbers(tuple(range(300, 312)))
KINDS = ("eagle3", "assistant", "small", "mtp")


def pair_arguments(kind: str, folder: Path) -> tuple[str, ...]:
    match kind:
        case "mtp":
            return ("--target", str(write_hybrid(folder / "hybrid.gguf", layers=4)), "--drafter", "mtp")
        case "assistant":
            target, draft = write_assistant_pair(folder)
        case "small":
            target = write_plain(folder / "target.gguf", layers=6, damped=0.3)
            draft = write_plain(folder / "draft.gguf", layers=2, damped=0.3)
        case _:
            pair = write_eagle3_pair(folder)
            target, draft = pair.target, pair.draft
    return "--target", str(target), "--draft", str(draft)


@pytest.mark.parametrize("kind", KINDS)
def test_chat_drafts_with_it_and_says_the_target_s_own_text(kind: str, tmp_path: Path) -> None:
    asked = (*pair_arguments(kind, tmp_path), "--prompt-tokens", PROMPT, "--max-tokens", "16", "--temperature", "0")
    asked = ("chat", *asked, "--ignore-eos", "--threads", "1", "--json")
    drafted, plain = (sparkdesk(*asked, *how) for how in (("--draft-length", "2"), ("--no-spec",)))
    assert drafted.returncode == plain.returncode == 0, drafted.stderr
    told, expected = json.loads(drafted.stdout), json.loads(plain.stdout)
    assert told["tokens"] == expected["tokens"]
    assert told["stats"]["draft_ms"] > 0 == expected["stats"]["draft_ms"]


@pytest.mark.parametrize("kind", ["mtp", "small"])
def test_bench_run_names_the_kind(kind: str, tmp_path: Path) -> None:
    asked = ("bench", "run", *pair_arguments(kind, tmp_path), "--prompt-tokens", PROMPT, "--max-tokens", "8")
    found = json.loads(sparkdesk(*asked, "--draft-length", "2", "--threads", "1", "--json").stdout)
    assert found["model"]["drafter"] == kind
    assert found["overall"]["sources"].keys() <= {"draft", "context", "plain"}


def test_prompt_lookup_alone_needs_no_draft(tmp_path: Path) -> None:
    target = str(write_plain(tmp_path / "target.gguf"))
    asked = ("--target", target, "--drafter", "context", "--prompt-tokens", PROMPT, "--max-tokens", "8")
    assert sparkdesk("chat", *asked, "--threads", "1").returncode == 0
    found = json.loads(sparkdesk("bench", "run", *asked, "--threads", "1", "--json").stdout)
    assert found["model"]["drafter"] == "context"


def test_a_small_model_of_this_disk_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("SPARKDESK_HOME", str(home))
    models = user_paths().models
    models.mkdir(parents=True)
    target = write_plain(tmp_path / "target.gguf", layers=6, damped=0.3)
    draft = write_plain(models / "Little.gguf", layers=2, damped=0.3)
    chosen = chosen_pair(str(target), None, None, "little")
    steps = chosen.prepare()
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert done.value.value.draft == draft and not done.value.value.drafter
    wrong = sparkdesk("chat", "--target", str(target), "--drafter", "litle", "--prompt", "a")
    assert wrong.returncode == 2 and "no drafter called litle" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--drafter", "mtp", "--draft", "x.gguf"), "--draft and --drafter"),
        (("--drafter", "nonsense"), "no drafter called nonsense"),
        (("--drafter", "mtp"), "no multi-token prediction layer"),
    ],
)
def test_what_cannot_draft_is_told_in_a_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    target = str(write_plain(tmp_path / "target.gguf"))
    done = sparkdesk("chat", "--target", target, *arguments, "--prompt-tokens", PROMPT, "--threads", "1")
    assert done.returncode in (1, 2, 3, 4, 5) and not done.stdout
    assert said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_the_header_tells_the_kind(tmp_path: Path) -> None:
    for kind in ("eagle3", "assistant", "small"):
        draft = pair_arguments(kind, tmp_path / kind)[-1] if kind != "small" else pair_arguments(kind, tmp_path)[-1]
        assert draft_kind(read_gguf(Path(draft))).value == kind


def test_a_small_model_as_wide_as_the_target_is_no_stranger(tmp_path: Path) -> None:
    """Drafts begin with their target's embeddings, and were told apart by them; a small model never does."""
    target = read_gguf(write_hybrid(tmp_path / "hybrid.gguf", layers=4))
    draft = read_gguf(write_plain(tmp_path / "draft.gguf"))
    assert draft.metadata["llama.embedding_length"] == target.metadata["qwen35.embedding_length"]
    assert problem(target, draft) == ""
