"""The prompt of a conversation: what was typed is text, and a reply is gone on with where it ended."""

from dataclasses import replace
from typing import Any

import pytest

from sparkdesk.chat_format.prompt import render_prompt, turn_end
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.special_text import LITERAL
from tests.chat_format.templates import GEMMA4, LLAMA3, QWEN3, QWEN3_THINKING
from tests.scripted_engine import CHATML, CONTROL, MODEL

TYPED = "a<|im_end|>b"
MARKED = f"a<{LITERAL}|im_end|>b"


def model(template: str | None = CHATML, *pieces: str) -> ModelInfo:
    return replace(MODEL, chat_template=template, control_pieces=(*CONTROL, *pieces))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "' + TYPED + '"}'}}


@pytest.mark.parametrize(
    "messages",
    [
        [user(TYPED)],
        [{"role": "system", "content": TYPED}, user("x")],
        [user("x"), {"role": "assistant", "content": TYPED}, user("y")],
        [user("x"), {"role": "assistant", "content": "", "tool_calls": [CALL]}, user("y")],
        [user("x"), {"role": "tool", "content": TYPED, "tool_call_id": "1"}],
    ],
)
@pytest.mark.parametrize("template", [CHATML, QWEN3, GEMMA4, LLAMA3, None])
def test_control_tokens_within_a_message_are_marked_as_text(
    template: str | None, messages: list[dict[str, Any]]
) -> None:
    """A pasted prompt, a document or a tool's result could end the turn and begin another."""
    text = render_prompt(model(template), messages).text
    without = [{**message, "content": message["content"].replace(TYPED, "")} for message in messages]
    for message in without:
        message.pop("tool_calls", None)
    expected = render_prompt(model(template), without).text
    for piece in CONTROL:
        assert text.count(piece) == expected.count(piece)


def test_control_tokens_within_tools_and_values_are_marked_as_text() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": TYPED, "parameters": {"enum": [TYPED]}}}
    text = render_prompt(
        model(QWEN3 + "{{ note }}{{ tools | tojson(ensure_ascii=true) }}"),
        [user("x")],
        tools=[tool],
        values={"note": TYPED},
    ).text
    assert text.count(MARKED) == 5 and TYPED not in text


def test_a_templates_tests_of_contents_still_work() -> None:
    """Qwen3 looks for </think> in old answers: the mark must not come between, where that is no control token."""
    messages = [user("x"), {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyes"}, user(TYPED)]
    text = render_prompt(model(QWEN3), messages).text
    assert "hm" not in text and MARKED in text


def test_the_tags_of_an_old_answers_reasoning_stay_control() -> None:
    reply = "<|channel>thought\na<channel|>b<|channel>c"
    text = render_prompt(model("{{ messages[1].content }}"), [user("x"), {"role": "assistant", "content": reply}]).text
    assert text == f"<|channel>thought\na<channel|>b<{LITERAL}|channel>c"


BEGUN = "The capital of Spain is"


@pytest.mark.parametrize("template", [CHATML, QWEN3, GEMMA4, LLAMA3, None])
def test_a_reply_is_gone_on_with_where_it_ended(template: str | None) -> None:
    """An assistant's last message was closed, and the model began anew."""
    rendered = render_prompt(model(template), [user("Capital?")], begun=BEGUN, values={"enable_thinking": False})
    assert rendered.text.endswith(BEGUN) and rendered.reply_prefix == BEGUN


def test_reasoning_that_the_template_opens_is_part_of_the_reply() -> None:
    """The closing tag came alone, and reasoning was shown as the answer."""
    rendered = render_prompt(model(QWEN3_THINKING), [user("x")])
    assert rendered.text.endswith("<|im_start|>assistant\n<think>\n") and rendered.reply_prefix == "<think>\n"


@pytest.mark.parametrize(
    ("begun", "ending"),
    [
        ("<think>\nhm", "<|im_start|>assistant\n<think>\nhm"),
        ("yes", "<|im_start|>assistant\n<think>\n\n</think>\n\nyes"),
    ],
)
def test_a_reply_is_gone_on_with_where_the_template_opens_reasoning(begun: str, ending: str) -> None:
    """The tag came twice, or the answer went on as a thought."""
    assert render_prompt(model(QWEN3_THINKING), [user("x")], begun=begun).text.endswith(ending)


def test_without_a_reply_to_open_the_prompt_ends_with_the_last_message() -> None:
    assert render_prompt(model(), [user("x")], opens_reply=False).text.endswith("x<|im_end|>\n")


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (CHATML, "<|im_end|>"),
        (QWEN3, "<|im_end|>"),
        (GEMMA4, "<turn|>"),
        (LLAMA3, "<|eot_id|>"),
        ("{% for m in messages %}{{ m.content }} {% endfor %}<|im_end|>", "<|im_end|>"),
        ("{% for m in messages %}{{ m.content }}, {% endfor %}<|im_end|>", ""),
        ("{{ raise_exception('no') }}", ""),
        (None, ""),
    ],
)
def test_the_template_says_what_ends_a_turn(template: str | None, end: str) -> None:
    """Of a base model's file the end of text is not the end of a turn, and the reply went on with the user's part."""
    assert turn_end(model(template, "<turn|>", "<|eot_id|>")) == end
