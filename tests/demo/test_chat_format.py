"""The template in tokenizer_config.json and the functions that training uses must write the same text."""

import jinja2

from sparkdesk.demo.chat_format import CHAT_TEMPLATE, message_text, question_text


def rendered(messages: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
    text: str = jinja2.Template(CHAT_TEMPLATE).render(messages=messages, add_generation_prompt=add_generation_prompt)
    return text


def test_a_first_question_is_written_as_in_training() -> None:
    messages = [{"role": "user", "content": "Count to 3."}]
    assert rendered(messages, add_generation_prompt=True) == question_text("Count to 3.")


def test_system_and_history_are_written_as_in_training() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]
    expected = question_text("Bye", system="Be brief.", history=[("Hi", "Hello!")])
    assert rendered(messages, add_generation_prompt=True) == expected
    assert expected == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_a_generation_prompt_the_text_ends_with_the_message() -> None:
    assert rendered([{"role": "user", "content": "Hi"}], add_generation_prompt=False) == message_text("user", "Hi")
