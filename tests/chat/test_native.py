"""A conversation over the real engine and a real tokenizer: later turns decode only what is new."""

from collections.abc import Iterator

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyFinished
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.messages import Attachment
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
        LocalResponder(synthetic), settings=ChatSettings(max_tokens=30, sampling=GREEDY, is_raw=True)
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
        LocalResponder(spark),
        settings=ChatSettings(max_tokens=40, sampling=SamplingSettings(temperature=temperature, seed=1)),
    )
    turn(conversation, "Count from 3 to 9.")
    for question in ("What is 17 + 25?", "Sort these words: pear, apple, fig."):
        new = len(spark.tokenize(f"<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"))
        assert turn(conversation, question).prefilled_tokens <= new + 1


@pytest.mark.parametrize("is_speculating", [False, True])
def test_a_cut_reply_goes_on_to_the_text_it_would_have_had(spark: EngineClient, is_speculating: bool) -> None:
    """Greedy, so that there is one such text. Nothing of what is in the cache is read again but the last token."""
    speculation = SpeculationSettings(is_enabled=is_speculating, draft_length=4)
    whole = Conversation(
        LocalResponder(spark), settings=ChatSettings(max_tokens=40, sampling=GREEDY, speculation=speculation)
    )
    turn(whole, "Count from 3 to 30.")
    cut = Conversation(
        LocalResponder(spark), settings=ChatSettings(max_tokens=8, sampling=GREEDY, speculation=speculation)
    )
    turn(cut, "Count from 3 to 30.")
    for part in range(2, 6):
        before = cut.messages[-1].stats
        *_, last = cut.go_on()
        assert before is not None and isinstance(last, ReplyFinished)
        assert last.stats.prefilled_tokens - before.prefilled_tokens <= 2
        assert (last.stats.generated, last.stats.prefills) == (8 * part, part), "the figures are those of the whole"
        assert last.stats.rounds > before.rounds and last.stats.decode_ms > before.decode_ms
        assert last.stats.prompt_tokens == before.prompt_tokens
    assert cut.messages[-1].content == whole.messages[-1].content
    trace = cut.messages[-1].trace
    assert trace is not None and sum(each.length for each in trace.stretches) == len(cut.messages[-1].content)


def test_a_reply_made_again_reads_its_prompt_from_the_cache(spark: EngineClient) -> None:
    conversation = Conversation(LocalResponder(spark), settings=ChatSettings(max_tokens=10, sampling=GREEDY))
    turn(conversation, "Count from 3 to 30.")
    turn(conversation, "And on to 50.")
    *_, last = conversation.regenerate()
    assert isinstance(last, ReplyFinished) and last.stats.prefilled_tokens <= 2
    new = len(spark.tokenize("What is 17 + 25?<|im_end|>\n<|im_start|>assistant\n"))
    *_, last = conversation.edit(2, "What is 17 + 25?")
    assert isinstance(last, ReplyFinished) and last.stats.prefilled_tokens <= new + 2


def test_what_a_message_would_take_is_what_it_takes(spark: EngineClient) -> None:
    conversation = Conversation(LocalResponder(spark), settings=ChatSettings(max_tokens=10, sampling=GREEDY))
    turn(conversation, "Count from 3 to 9.")
    files = (Attachment("list.txt", "pear\napple"),)
    count = conversation.count("Sort these.", files)
    *_, last = conversation.reply("Sort these.", files)
    assert isinstance(last, ReplyFinished) and last.stats.prompt_tokens == count.prompt_tokens
    assert 0 < count.text_tokens < count.prompt_tokens < count.context_tokens


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
