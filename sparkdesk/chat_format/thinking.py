"""Tells a reply's thoughts from its answer. The text itself is never changed: templates want it whole."""

from sparkdesk.chat_format.text_stream import THINKING_TAGS

OPENING, CLOSING = THINKING_TAGS


def split_thinking(text: str) -> tuple[str, str]:
    """(thinking, answer). Some templates open the thought in the prompt, so its closing tag alone ends one."""
    thought, closing, answer = text.partition(CLOSING)
    if closing:
        return thought.strip().removeprefix(OPENING).strip(), answer.lstrip("\n")
    if text.lstrip().startswith(OPENING):
        return text.lstrip().removeprefix(OPENING).strip(), ""
    return "", text


def has_thoughts(text: str) -> bool:
    """Whether it began to think, and said so itself."""
    return text.lstrip().startswith(OPENING)
