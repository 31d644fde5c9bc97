"""Renders a conversation with the model's own chat template, the way Hugging Face does; knows nothing of tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkdesk.chat_format.template_process import TemplateFailed, template_process
from sparkdesk.errors import SparkDeskError

_MOST_NAME = 100


class ChatTemplateError(SparkDeskError):
    """The model's template cannot say this conversation."""

    exit_code = 4

    def __init__(self, cause: str, model: str = "") -> None:
        super().__init__(
            f"The chat template of {model[:_MOST_NAME] or 'the model'} failed: {cause}",
            "Without a system prompt, or in raw mode, it may work.",
        )


class ChatTemplate:
    """One model's template."""

    def __init__(self, source: str, *, model: str = "", bos_piece: str = "", eos_piece: str = "") -> None:
        """`model` is whose it is, for errors."""
        self._source, self._model = source, model
        self._specials = {"bos_token": bos_piece, "eos_token": eos_piece}

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        values: Mapping[str, Any] | None = None,
        opens_reply: bool = True,
    ) -> str:
        """The conversation, and with `opens_reply` the words with which the model's next reply begins.

        `messages` are OpenAI's, calls of functions and their results included; `values` are what the template may ask
        for by name. Raises ChatTemplateError.
        """
        context = {
            **(values or {}),
            "messages": messages,
            "tools": list(tools) or None,
            "documents": None,
            "add_generation_prompt": opens_reply,
            **self._specials,
        }
        try:
            return template_process().render(self._source, context)
        except TemplateFailed as error:
            raise ChatTemplateError(str(error), self._model) from error
