"""`sparkdesk bench race`: both arms of one prompt, in words and as JSON, and what is refused."""

import json

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli.app import run
from tests.cli.command_line import sparkdesk

COUNT = ("bench", "race", "Count from 1 to 40.", "--threads", "1")


@pytest.mark.native
def test_as_json_both_arms_have_their_text_and_figures(tiny_pair: SyntheticPair) -> None:
    done = sparkdesk(*COUNT, "--json", "--draft-length", "4", "--first", "speculation")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"]["kind"] in ("identical", "near-tie") and found["measured_first"] == "speculative"
    assert found["plain"]["text"].startswith("1, 2, 3, 4, 5")
    assert found["plain"]["stats"]["accepted_length"] == 1.0
    assert found["speculative"]["stats"]["accepted_length"] > 1.5
    for arm in ("plain", "speculative"):
        stats = found[arm]["stats"]
        assert stats["prefilled_tokens"] == stats["prompt_tokens"], "no arm profits from the other's cache"
        assert found[arm]["finish_ms"] > stats["prefill_ms"]
    assert found["speedup"] > 0


@pytest.mark.native
def test_in_words_the_text_comes_first_and_sampled_replies_have_no_verdict(tiny_pair: SyntheticPair) -> None:
    lines = sparkdesk(*COUNT).stdout.splitlines()
    assert lines[0].startswith("1, 2, 3")
    assert [line.split()[0] for line in lines[-4:]] == ["plain", "speculative", "result", "verdict"]
    warm = sparkdesk(*COUNT, "--temperature", "0.8", "--seed", "3", "--json")
    found = json.loads(warm.stdout)
    assert found["verdict"] is None and found["temperature"] == 0.8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to race"),
        (("  ",), "nothing to race"),
        (("Hello", "--prompt-tokens", "1,2"), "two prompts"),
        (("Hello", "--target", "none.gguf"), "Without a draft"),
    ],
)
def test_what_cannot_be_raced_is_a_sentence(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "race", *arguments]) == 2
    assert words in capsys.readouterr().err
