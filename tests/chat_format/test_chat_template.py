"""Templates as models bring them, rendered as Hugging Face renders them, and kept in their sandbox."""

import pytest

from sparkdesk.chat_format.chat_template import ChatTemplate, ChatTemplateError
from tests.scripted_engine import CHATML

HELLO = [{"role": "user", "content": "Hello"}]
QWEN3_ENDING = (
    "{%- for message in messages %}\n"
    "    {%- set content = message.content %}\n"
    "    {%- if message.role == 'assistant' and '</think>' in content %}\n"
    "        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
    "    {%- endif %}\n"
    "    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n"
    "        {{- '<think>\\n\\n</think>\\n\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endif %}"
)


def render(source: str, messages: list[dict[str, str]] = HELLO) -> str:
    return ChatTemplate(source, model="Tiny-1B", bos_piece="<s>", eos_piece="</s>").render(messages)


def test_a_conversation_is_rendered_up_to_where_the_model_speaks() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye"},
    ]
    assert render(CHATML, messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_thinking_is_off_unless_asked_for() -> None:
    """Qwen3 thinks when enable_thinking is merely left out; its draft was trained on answers without thoughts."""
    template = ChatTemplate(QWEN3_ENDING)
    assert template.render(HELLO, values={"enable_thinking": False}).endswith("<think>\n\n</think>\n\n")
    assert template.render(HELLO, values={"enable_thinking": True}).endswith("<|im_start|>assistant\n")


def test_a_template_that_drops_old_thoughts_gets_them_to_drop() -> None:
    """History is passed as it was said: what to keep of it is the template's decision."""
    text = render(QWEN3_ENDING, [*HELLO, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHi."}, *HELLO])
    assert "hm" not in text and "assistant\nHi.<|im_end|>" in text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}", "<s>Hello</s>"),
        ("{% if true %}\n  x\n{% endif %}\ny", "  x\ny"),
        ("{% for m in messages %}{% break %}no{% endfor %}yes", "yes"),
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}!", "Hello!"),
        ("{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'),
        ("{{ strftime_now('%Y') | length }}", "4"),
        ("{{ 'tools' if tools else 'none' }}", "none"),
        ("{{ missing is defined }}", "False"),
    ],
)
def test_what_templates_in_the_wild_use_is_there(source: str, text: str) -> None:
    """Each of these is an extension of Hugging Face's that plain jinja2 lacks or does otherwise."""
    assert render(source) == text


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("{% if %}", "Expected an expression"),
        ("{{ raise_exception('System role not supported') }}", "System role not supported."),
        ("{{ messages.nothing.more }}", "no attribute 'nothing'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[0].content + 3 }}", "can only concatenate str"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe|not safely callable"),
        ("{% for i in range(99999999) %}{% endfor %}", "Range too big"),
        ("{% include 'other' %}", "no loader"),
        ("{{ strftime_now(3) }}", "strftime"),
    ],
)
def test_a_template_that_fails_says_so_in_one_sentence(source: str, cause: str) -> None:
    """A download's mistake, or its attempt to reach out of the sandbox, must not look like a crash of ours."""
    with pytest.raises(ChatTemplateError, match=cause) as caught:
        render(source)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("The chat template of Tiny-1B failed: ")
    assert caught.value.exit_code == 4
