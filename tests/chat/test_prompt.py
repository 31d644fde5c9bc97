"""Prompts are rendered and tokenized so that the KV cache finds again what it already holds."""

from dataclasses import replace

from sparkdesk.chat.messages import Message
from sparkdesk.chat.prompt import CachedPrompt, make_prompt
from sparkdesk.chat.settings import ChatSettings
from tests.reply_scripts import saying
from tests.scripted_engine import BOS, END, MERGED, MODEL, START, ScriptedEngine

HELLO = [Message("user", "Hello")]


def test_control_pieces_of_the_template_become_control_tokens() -> None:
    prompt = make_prompt(ScriptedEngine(saying()), HELLO, settings=ChatSettings())
    assert prompt.tokens[0] == START and prompt.tokens.count(START) == 2 and prompt.tokens.count(END) == 1


def test_the_system_prompt_comes_first() -> None:
    prompt = make_prompt(ScriptedEngine(saying()), HELLO, settings=ChatSettings(system_prompt="Be brief."))
    assert prompt.text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello")


def test_raw_text_is_taken_as_it_stands() -> None:
    """A base model, or somebody testing a template by hand."""
    messages = [Message("user", "Once upon"), Message("assistant", " a time"), Message("user", " there")]
    settings = ChatSettings(is_raw=True, system_prompt="not this")
    assert make_prompt(ScriptedEngine(saying()), messages, settings=settings).text == "Once upon a time there"


def test_without_a_template_the_text_is_raw() -> None:
    engine = ScriptedEngine(saying(), model=replace(MODEL, chat_template=None))
    assert make_prompt(engine, HELLO, settings=ChatSettings(system_prompt="not this")).text == "Hello"


def test_the_start_token_comes_once() -> None:
    """Llama and Gemma templates write it, and their vocabularies add it: twice makes the model ramble."""
    template = "{{ bos_token }}{{ messages[0].content }}"
    model = replace(MODEL, chat_template=template, bos_piece="<s>")
    prompt = make_prompt(ScriptedEngine(saying(), model=model, adds_bos=True), HELLO, settings=ChatSettings())
    assert prompt.tokens.count(BOS) == 1
    written_only = make_prompt(ScriptedEngine(saying(), model=model), HELLO, settings=ChatSettings())
    assert written_only.tokens.count(BOS) == 1
    added_only = replace(model, chat_template="{{ messages[0].content }}")
    engine = ScriptedEngine(saying(), model=added_only, adds_bos=True)
    assert make_prompt(engine, HELLO, settings=ChatSettings()).tokens.count(BOS) == 1


def second_prompt(engine: ScriptedEngine, reply: tuple[int, ...], text: str) -> tuple[CachedPrompt, CachedPrompt]:
    first = make_prompt(engine, HELLO, settings=ChatSettings())
    cached = CachedPrompt(first.text + text, first.tokens + reply)
    messages = [*HELLO, Message("assistant", text), Message("user", "Bye")]
    return cached, make_prompt(engine, messages, settings=ChatSettings(), cached=cached)


def test_a_reply_written_in_other_pieces_is_not_cut_anew() -> None:
    """A model may say "aaa" in one token where the tokenizer makes three: its cache would be of no use after that."""
    cached, second = second_prompt(ScriptedEngine(saying()), (MERGED + 3, ord("!")), "aaa!")
    assert second.tokens[: len(cached.tokens)] == cached.tokens
    assert second.tokens[len(cached.tokens)] == END


def test_the_same_with_a_vocabulary_that_adds_a_start_token() -> None:
    """The rest is tokenized on its own, and must not get a start token in the middle of the prompt."""
    cached, second = second_prompt(ScriptedEngine(saying(), adds_bos=True), (MERGED + 3,), "aaa")
    assert second.tokens[: len(cached.tokens)] == cached.tokens
    assert second.tokens.count(BOS) == 1


def test_a_history_that_is_rendered_otherwise_is_tokenized_anew() -> None:
    """Old tokens under a new text would make the model answer something else than what the screen shows."""
    engine = ScriptedEngine(saying())
    first = make_prompt(engine, HELLO, settings=ChatSettings())
    cached = CachedPrompt(first.text + "aaa", (*first.tokens, MERGED + 3))
    changed = make_prompt(engine, [Message("user", "Other")], settings=ChatSettings(), cached=cached)
    assert changed.tokens == engine.tokenize(changed.text)


def test_tokens_are_not_spliced_where_the_seam_would_change_them() -> None:
    """A tokenizer that joins characters across the seam: what follows must be cut as in the whole text."""

    class Joining(ScriptedEngine):
        def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
            return ScriptedEngine.tokenize(self, text.replace("a<|im_end|>\n<|im_start|>user", "J"), parse_special)

    engine = Joining(saying())
    _, second = second_prompt(engine, (MERGED + 3,), "aaa")
    assert second.tokens == engine.tokenize(second.text)
