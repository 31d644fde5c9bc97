"""`sparkdesk chat` on a synthetic pair: what goes where, and what is refused."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair, expected_text
from sparkdesk.cli import app
from sparkdesk.cli import chat as chat_command
from sparkdesk.errors import UsageError
from tests.cli.command_line import chat, numbers, sparkdesk
from tests.conftest import TINY_SHAPE

pytestmark = pytest.mark.native

STATS = {
    "tokens_per_second",
    "generated",
    "prompt_tokens",
    "prefilled_tokens",
    "prefill_ms",
    "rounds",
    "accepted_length",
    "acceptance",
    "from_context",
    "acceptance_by_position",
    "draft_ms",
    "absorb_ms",
    "verify_ms",
    "other_ms",
    "plain_ms_per_token",
    "saved_ms",
}


def greedy(pair: SyntheticPair, *arguments: str) -> tuple[str, ...]:
    tokens = numbers(pair.prompt_tokens)
    return chat(pair, "--prompt-tokens", tokens, "--temperature", "0", "--max-tokens", "24", *arguments)


def test_json_is_one_object_with_stable_names(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(*greedy(synthetic_pair, "--json"))
    assert done.returncode == 0 and "tok/s" not in done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"text", "tokens", "stop_reason", "stats"}
    assert set(answer["stats"]) == STATS
    assert answer["stop_reason"] == "length"


def test_the_answer_is_the_target_s_own_at_every_draft_length(synthetic_pair: SyntheticPair) -> None:
    expected = list(expected_text(TINY_SHAPE, 24))
    for speculation in (["--no-spec"], ["--draft-length", "auto"], ["--draft-length", "7"]):
        answer = json.loads(sparkdesk(*greedy(synthetic_pair, "--json", *speculation)).stdout)
        assert answer["tokens"] == expected
        length = answer["stats"]["accepted_length"]
        assert length == 1.0 if "--no-spec" in speculation else length >= 1.0  # auto may find that nothing pays here
        assert length > 1.0 or "7" not in speculation


def test_stdout_holds_the_answer_and_stderr_the_talk(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(*greedy(synthetic_pair))
    assert done.stdout == "".join(f"tok{token - 260}" for token in expected_text(TINY_SHAPE, 24)) + "\n"
    assert "24 tokens" in done.stderr and "tok/s" in done.stderr
    assert "\033" not in done.stdout + done.stderr


def test_a_piped_prompt_is_answered_and_a_missing_template_is_told(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(*chat(synthetic_pair, "--max-tokens", "4"), stdin="hello\n")
    assert done.returncode == 0 and done.stdout.strip()
    assert "no chat template" in done.stderr
    assert "template" not in sparkdesk(*chat(synthetic_pair, "--max-tokens", "4", "--raw"), stdin="hello").stderr


def test_bytes_that_are_no_text_are_read_all_the_same(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(*chat(synthetic_pair, "--max-tokens", "2", "--raw"), stdin=b"caf\xe9 \xff")
    assert done.returncode == 0 and done.stdout.strip()


def test_an_empty_pipe_is_refused(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(*chat(synthetic_pair), stdin=" \n")
    assert done.returncode == 2 and "The prompt is empty" in done.stderr


def test_the_same_seed_gives_the_same_reply(synthetic_pair: SyntheticPair) -> None:
    warm = (
        "--prompt",
        "a",
        "--raw",
        "--max-tokens",
        "12",
        "--json",
        "--temperature",
        "40",
        "--top-p",
        "1",
        "--top-k",
        "0",
        "--draft-length",
        "3",
    )
    replies = [
        json.loads(sparkdesk(*chat(synthetic_pair, *warm, "--seed", seed)).stdout)["tokens"] for seed in ("5", "5", "6")
    ]
    assert replies[0] == replies[1] != replies[2]


def test_without_a_draft_the_target_answers_plainly(synthetic_pair: SyntheticPair) -> None:
    tokens = numbers(synthetic_pair.prompt_tokens)
    done = sparkdesk(
        *("chat", "--target", str(synthetic_pair.target), "--prompt-tokens", tokens),
        *("--threads", "1", "--max-tokens", "8", "--temperature", "0", "--json"),
    )
    answer = json.loads(done.stdout)
    assert answer["tokens"] == list(expected_text(TINY_SHAPE, 8))
    assert answer["stats"]["rounds"] == 7


def test_a_draft_that_does_not_fit_is_refused_and_the_target_answers_without_it(synthetic_pair: SyntheticPair) -> None:
    """A script that asked for speculation must not take a plain answer for a fast one."""
    both_targets = SyntheticPair(synthetic_pair.target, synthetic_pair.target, synthetic_pair.prompt_tokens)
    refused = sparkdesk(*greedy(both_targets, "--json"))
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "not a DSpark draft" in refused.stderr and "--no-spec" in refused.stderr
    alone = sparkdesk(*greedy(both_targets, "--json", "--no-spec"))
    assert alone.returncode == 0 and json.loads(alone.stdout)["tokens"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--draft-length", "9"), 2, "9 is more than the 7 tokens"),
        (("--prompt-tokens", "1,640"), 4, "Token 640 is not in the vocabulary of 640"),
        (("--prompt-tokens", numbers(tuple(range(300, 600))), "--ctx", "256"), 4, "300 tokens, the context holds 256"),
    ],
)
def test_what_the_model_cannot_do_is_one_sentence(
    arguments: tuple[str, ...], code: int, said: str, synthetic_pair: SyntheticPair
) -> None:
    given = arguments if "--prompt-tokens" in arguments else ("--prompt", "a", *arguments)
    done = sparkdesk(*chat(synthetic_pair, *given))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_broken_file_is_one_sentence(tmp_path: Path, synthetic_pair: SyntheticPair) -> None:
    broken = tmp_path / "broken.gguf"
    shutil.copy(synthetic_pair.target, broken)
    with broken.open("r+b") as file:
        file.truncate(1000)
    done = sparkdesk("chat", "--target", str(broken), "--prompt", "a")
    assert (done.returncode, done.stdout) == (4, "")
    assert "broken.gguf" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "piped", "asked"),
    [
        (("--prompt", "Sum up:"), "some notes\n", "Sum up:\n\nsome notes\n"),
        (("--prompt", "Hello"), "", "Hello"),
        (("--prompt", "Hello"), " \n", "Hello"),
        ((), "only piped", "only piped"),
    ],
)
def test_what_is_piped_in_follows_the_prompt(
    arguments: tuple[str, ...], piped: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a prompt, the pipe was once ignored."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(piped)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        options = app.parser_for("chat").parse(["chat", "pair", *arguments])
        assert chat_command._prompt(options) == asked


def test_attached_files_go_with_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("some notes")
    with open(os.devnull) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        options = app.parser_for("chat").parse(
            ["chat", "pair", "--prompt", "Sum up", "--file", str(tmp_path / "notes.txt")]
        )
        prompt = chat_command._prompt(options)
    assert isinstance(prompt, str) and prompt.endswith("Sum up") and "notes.txt:\n```\nsome notes\n```" in prompt


def test_a_prompt_cannot_continue_a_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    options = app.parser_for("chat").parse(["chat", "pair", "--prompt", "a", "--continue"])
    with open(os.devnull) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="--continue is for the screen"):
            chat_command._prompt(options)
