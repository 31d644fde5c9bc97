"""Renders a conversation with the model's own chat template, the way Hugging Face does; knows nothing of tokens."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, Protocol

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sparkdesk.errors import SparkDeskError

_MISTAKES = (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What a template that came with a download may raise."""


class ChatTemplateError(SparkDeskError):
    """The model's template cannot say this conversation."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The model's chat template failed: {cause}", "Without a system prompt, or in raw mode, it may work."
        )


class Turn(Protocol):
    """What a template needs of a message."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


class ChatTemplate:
    """One model's template, compiled. Raises ChatTemplateError when it cannot be."""

    def __init__(self, source: str, *, bos_piece: str = "", eos_piece: str = "") -> None:
        self._specials = {"bos_token": bos_piece, "eos_token": eos_piece}
        try:
            self._template = _environment().from_string(source)
        except (TemplateError, SyntaxError, RecursionError) as error:
            raise ChatTemplateError(_in_one_line(error)) from error

    def render(self, messages: Sequence[Turn], *, is_thinking: bool = False) -> str:
        """The conversation up to the point where the model speaks. Raises ChatTemplateError."""
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return self.render_turns(turns, values={"enable_thinking": is_thinking})

    def render_turns(
        self,
        turns: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        values: Mapping[str, Any] | None = None,
    ) -> str:
        """The same for turns as OpenAI's clients send them, calls of functions and their results included.

        `values` are what the template may ask for by name. Raises ChatTemplateError.
        """
        try:
            return self._template.render(
                {
                    **(values or {}),
                    "messages": turns,
                    "tools": list(tools) or None,
                    "documents": None,
                    "add_generation_prompt": True,
                    **self._specials,
                }
            )
        except _MISTAKES as error:
            raise ChatTemplateError(_in_one_line(error)) from error


class _GenerationBlock(Extension):
    """{% generation %} marks what the assistant says, for training; here it is only its content."""

    tags = {"generation"}  # noqa: RUF012  jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> Environment:
    """A template comes with a download: it may compute, but not reach anything."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _GenerationBlock]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(_functions())
    return environment


def _functions() -> dict[str, Callable[..., Any]]:
    return {"raise_exception": _raise, "strftime_now": lambda form: datetime.now().strftime(form)}


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja2's own escapes HTML, which models were not trained on."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith((".", "!")) else f"{text}."
