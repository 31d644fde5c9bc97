"""Grammars that keep calls of functions well-formed, and what a call that must be made begins with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sparkdesk.chat_format.chat_format import ChatFormat
from sparkdesk.chat_format.tool_calls.gemma4 import Gemma4Format
from sparkdesk.chat_format.tool_calls.gemma4_grammar import Gemma4Grammar
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat
from sparkdesk.engine.settings import GrammarSettings

_ANY_ARGUMENTS = {"type": "object"}


class ToolChoice(Protocol):
    """Which functions a reply may call, and which it must."""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def tool_name(self) -> str: ...
    @property
    def must_call(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class ToolGrammar:
    """How calls are kept well-formed."""

    grammar: GrammarSettings
    prompt_suffix: str = ""
    """What the prompt ends with, so that the reply has to go on with a call."""


def tool_grammar_for(ask: ToolChoice, dialect: ChatFormat) -> ToolGrammar:
    """For an ask that may call functions."""
    return _gemma(ask) if dialect.is_gemma else _hermes(ask)


def _hermes(ask: ToolChoice) -> ToolGrammar:
    tag = f"{HermesFormat.opening}\n"
    if ask.tool_name:
        head = f'{tag}{{"name": {json.dumps(ask.tool_name)}, "arguments": '
        chosen = next(tool for tool in ask.tools if tool["function"]["name"] == ask.tool_name)
        return ToolGrammar(GrammarSettings(json_schema=_dumped(_arguments(chosen))), head)
    schema = _dumped(_any_of([_call(tool) for tool in ask.tools]))
    if ask.must_call:
        return ToolGrammar(GrammarSettings(json_schema=schema), tag)
    return ToolGrammar(GrammarSettings(json_schema=schema, triggers=(tag,)))


def _any_of(schemas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _call(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": tool["function"]["name"]}, "arguments": _arguments(tool)},
        "required": ["name", "arguments"],
    }


def _arguments(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function's own schema; one that refers to parts of itself would not find them inside another."""
    schema = tool["function"].get("parameters") or _ANY_ARGUMENTS
    return _ANY_ARGUMENTS if "$ref" in _dumped(schema) or schema.get("type") != "object" else schema


def _gemma(ask: ToolChoice) -> ToolGrammar:
    tag, grammar = Gemma4Format.opening, Gemma4Grammar()
    if ask.tool_name:
        chosen = next(tool for tool in ask.tools if tool["function"]["name"] == ask.tool_name)
        root = grammar.arguments(_arguments(chosen))
        return ToolGrammar(GrammarSettings(gbnf=grammar.text(root)), f"{tag}call:{ask.tool_name}")
    calls = (f"{json.dumps(tool['function']['name'])} {grammar.arguments(_arguments(tool))}" for tool in ask.tools)
    text = grammar.text(f'"call:" ({" | ".join(calls)}) "<tool_call|>"')
    if ask.must_call:
        return ToolGrammar(GrammarSettings(gbnf=text), tag)
    return ToolGrammar(GrammarSettings(gbnf=text, triggers=(tag,)))


def _dumped(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False)
