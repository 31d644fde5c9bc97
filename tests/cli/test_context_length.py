"""`--ctx`: bounded by what the model was trained with and by what the engine needs, with a sentence."""

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from tests.cli.command_line import chat, sparkdesk

pytestmark = pytest.mark.native


@pytest.mark.parametrize(("asked", "words"), [(1, 2), (7, 60), (16, 200), (40, 50), (63, 70), (65, 230), (300, 400)])
def test_a_short_context_never_ends_the_engine(tiny_pair: SyntheticPair, asked: int, words: int) -> None:
    """GGML_ASSERT(n_tokens_all <= cparams.n_batch) ended it, and the message blamed the model's file."""
    prompt = ",".join("123456789"[i % 9] for i in range(words))
    done = sparkdesk(*chat(tiny_pair, "--ctx", str(asked), "--prompt-tokens", prompt, "--max-tokens", "3"))
    assert done.returncode == 0 and done.stdout, done.stderr
    told = f"A context of {asked} is too short for the engine; it has 256 tokens." in done.stderr
    assert told is (asked < 256)


@pytest.mark.parametrize(("asked", "words"), [(16, 256), (256, 300), (300, 512)])
def test_a_prompt_that_fills_it_is_refused_in_a_sentence(tiny_pair: SyntheticPair, asked: int, words: int) -> None:
    prompt = ",".join("123456789"[i % 9] for i in range(words))
    done = sparkdesk(*chat(tiny_pair, "--ctx", str(asked), "--prompt-tokens", prompt, "--max-tokens", "3"))
    assert done.returncode == 4 and f"The prompt has {words:,} tokens" in done.stderr
    assert "GGML" not in done.stderr and "damaged" not in done.stderr


def test_spark_tiny_has_the_context_it_was_trained_with(tiny_pair: SyntheticPair) -> None:
    done = sparkdesk(*chat(tiny_pair, "--ctx", "4096", "--prompt-tokens", "1,2", "--max-tokens", "2", "--json"))
    assert done.returncode == 0
    assert "was trained with 2,048 tokens, so its context has 2,048 and not 4,096" in done.stderr
    assert "context has" not in sparkdesk(*chat(tiny_pair, "--prompt-tokens", "1,2", "--max-tokens", "2")).stderr
    forced = sparkdesk(*chat(tiny_pair, "--ctx", "4096", "--force-ctx", "--prompt-tokens", "1,2", "--max-tokens", "2"))
    assert forced.returncode == 0 and "context has" not in forced.stderr
