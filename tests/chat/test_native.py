"""A conversation over the real engine and a real tokenizer: later turns decode only what is new."""

from collections.abc import Iterator

import pytest

from sparkdesk.bench.synthetic import SyntheticPair
from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyFinished
from sparkdesk.chat.local_speaker import LocalSpeaker
from sparkdesk.chat.oneshot import Answer, answer
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.verdict import DIVERGED, IDENTICAL, Answered, compare_answers
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.client import EngineClient

pytestmark = pytest.mark.native

GREEDY = SamplingSettings(temperature=0)


@pytest.fixture(scope="module")
def synthetic(quantized_pair: SyntheticPair) -> Iterator[EngineClient]:
    with EngineClient() as client:
        list(client.load(LoadSettings(str(quantized_pair.target), str(quantized_pair.draft), threads=1)))
        yield client


@pytest.fixture(scope="module")
def spark(tiny_pair: SyntheticPair) -> Iterator[EngineClient]:
    with EngineClient() as client:
        list(client.load(LoadSettings(str(tiny_pair.target), str(tiny_pair.draft), context_tokens=1024, threads=1)))
        yield client


def turn(conversation: Conversation, text: str) -> ReplyStats:
    *_, last = conversation.reply(text)
    assert isinstance(last, ReplyFinished)
    return last.stats


def test_a_reply_that_the_tokenizer_would_cut_otherwise_is_not_decoded_again(synthetic: EngineClient) -> None:
    """The synthetic model says whole tokens whose text the tokenizer takes apart: without splicing, all is lost."""
    conversation = Conversation(
        LocalSpeaker(synthetic), settings=ChatSettings(max_tokens=30, sampling=GREEDY, is_raw=True)
    )
    turn(conversation, "hello")
    second = turn(conversation, "there")
    assert second.prompt_tokens == 5 + 30 + 5
    assert second.prefilled_tokens <= 5 + 1, "the new words, and the last token whose logits were never needed"
    assert turn(conversation, "and again").prefilled_tokens <= 9 + 1


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_turns_with_the_models_own_template_decode_only_the_new_message(
    spark: EngineClient, temperature: float
) -> None:
    conversation = Conversation(
        LocalSpeaker(spark),
        settings=ChatSettings(max_tokens=40, sampling=SamplingSettings(temperature=temperature, seed=1)),
    )
    turn(conversation, "Count from 3 to 9.")
    for question in ("What is 17 + 25?", "Sort these words: pear, apple, fig."):
        new = len(spark.tokenize(f"<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"))
        assert turn(conversation, question).prefilled_tokens <= new + 1


def test_both_ways_of_decoding_give_the_same_answer(spark: EngineClient) -> None:
    def ask(*, is_speculating: bool) -> Answer:
        speculation = SpeculationSettings(is_enabled=is_speculating, draft_length=4)  # a busy machine might park
        settings = ChatSettings(max_tokens=60, sampling=GREEDY, speculation=speculation)
        return answer(spark, "Count from 3 to 21.", settings=settings)

    plain, speculative = ask(is_speculating=False), ask(is_speculating=True)
    ours, theirs = Answered(plain.tokens, plain.stop_reason), Answered(speculative.tokens, speculative.stop_reason)
    assert compare_answers(spark, plain.prompt, plain=ours, speculative=theirs).kind != DIVERGED
    assert speculative.stats.accepted > 0 and plain.stats.accepted == 0


def test_a_false_answer_is_called_diverged(spark: EngineClient) -> None:
    """The verdict must be able to fail."""
    settings = ChatSettings(max_tokens=20, sampling=GREEDY)
    found = answer(spark, "Count from 3 to 21.", settings=settings)
    right = Answered(found.tokens, found.stop_reason)
    wrong = Answered((*found.tokens[:3], found.tokens[3] + 1, *found.tokens[4:]), found.stop_reason)
    assert compare_answers(spark, found.prompt, plain=right, speculative=right).kind == IDENTICAL
    verdict = compare_answers(spark, found.prompt, plain=right, speculative=wrong)
    assert (verdict.kind, verdict.position) == (DIVERGED, 3)
