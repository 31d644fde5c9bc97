"""ChatML as Spark Tiny speaks it: the special tokens, the template, and the same template as plain functions."""

from collections.abc import Sequence

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
MASK = "<|mask|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, MASK)

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def message_text(role: str, content: str) -> str:
    """One finished message."""
    return f"{TURN_START}{role}\n{content}{TURN_END}\n"


def reply_opening() -> str:
    """What the model continues."""
    return f"{TURN_START}assistant\n"


def question_text(prompt: str, *, system: str | None = None, history: Sequence[tuple[str, str]] = ()) -> str:
    """A chat up to the point where the model speaks; history holds (prompt, answer) turns."""
    parts = [message_text("system", system)] if system else []
    for earlier_prompt, answer in history:
        parts += [message_text("user", earlier_prompt), message_text("assistant", answer)]
    return "".join([*parts, message_text("user", prompt), reply_opening()])
