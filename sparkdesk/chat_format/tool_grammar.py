"""Grammars that keep calls of functions well-formed, and what a call that must be made begins with."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sparkdesk.chat_format.chat_format import ChatFormat
from sparkdesk.chat_format.tool_calls.gemma4 import Gemma4Format
from sparkdesk.chat_format.tool_calls.gemma4_grammar import Gemma4Grammar, keywords_left_out
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat
from sparkdesk.engine.grammar_source import gbnf_of, reason_of, unenforced
from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.errors import GrammarError

Tool = Mapping[str, Any]
Schema = Mapping[str, Any]
_ANY_ARGUMENTS: Schema = {"type": "object"}
_MOST_CHECKED = 64
"""Functions looked at one by one, where not all can be enforced: each may take a tenth of a second."""


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
    not_enforced: tuple[str, ...] = ()
    """What of the functions' schemas a call is not held to."""


def tool_grammar_for(ask: ToolChoice, dialect: ChatFormat) -> ToolGrammar:
    """For an ask that may call functions."""
    return _gemma(ask) if dialect.is_gemma else _hermes(ask)


def _hermes(ask: ToolChoice) -> ToolGrammar:
    tag = f"{HermesFormat.opening}\n"
    if ask.tool_name:
        head = f'{tag}{{"name": {json.dumps(ask.tool_name)}, "arguments": '
        schema, not_enforced = _schema_of_calls(_dumped([_chosen(ask)]), is_named=True)
        return ToolGrammar(GrammarSettings(json_schema=schema), head, not_enforced)
    schema, not_enforced = _schema_of_calls(_dumped(ask.tools), is_named=False)
    if ask.must_call:
        return ToolGrammar(GrammarSettings(json_schema=schema), tag, not_enforced)
    return ToolGrammar(GrammarSettings(json_schema=schema, triggers=(tag,)), not_enforced=not_enforced)


@lru_cache(maxsize=4)  # agents send the same functions every time
def _schema_of_calls(functions: str, *, is_named: bool) -> tuple[str, tuple[str, ...]]:
    """The schema of a call, or of its arguments where the name is written already; and what it is not held to.

    Functions are looked at one by one only where they cannot all be enforced; those that cannot take any object.
    """
    tools: list[Tool] = json.loads(functions)
    call = _only_arguments if is_named else _call
    schemas = [_arguments(tool, index) for index, tool in enumerate(tools)]
    whole = _whole(tools, schemas, call)
    try:
        return whole, (*_untyped(tools), *_unenforced(whole))
    except GrammarError as error:
        notes = [reason_of(error)]
    loose: list[Schema] = [_ANY_ARGUMENTS] * len(tools)
    if len(tools) <= _MOST_CHECKED:
        checked = [_problem(schema) for schema in schemas]
        kept = [any_ if problem else schema for schema, any_, problem in zip(schemas, loose, checked, strict=True)]
        whole = _whole(tools, kept, call)
        try:
            formats = _unenforced(whole)
        except GrammarError as error:
            notes = [reason_of(error)]
        else:
            told = [_note(tool, problem) for tool, problem in zip(tools, checked, strict=True) if problem]
            return whole, (*_untyped(tools), *told, *formats)
    return _whole(tools, loose, call), tuple(notes)


def _whole(tools: Sequence[Tool], schemas: Sequence[Schema], call: Callable[[Tool, Schema], Schema]) -> str:
    calls = [call(tool, schema) for tool, schema in zip(tools, schemas, strict=True)]
    return _dumped(calls[0] if len(calls) == 1 else {"anyOf": calls})


def _only_arguments(tool: Tool, arguments: Schema) -> Schema:
    return arguments


def _call(tool: Tool, arguments: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"name": {"const": tool["function"]["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
    }


def _arguments(tool: Tool, index: int) -> Schema:
    """The function's own schema, of objects only; its $id is where its references begin, inside another schema too."""
    schema = _parameters(tool)
    if not schema or not _takes_objects(schema):
        return _ANY_ARGUMENTS
    own = schema.get("$id")
    return {**schema, "type": "object", "$id": own if isinstance(own, str) else f"urn:function:{index}"}


def _parameters(tool: Tool) -> Schema:
    schema: Schema = tool["function"].get("parameters") or {}
    return schema


def _takes_objects(schema: Schema) -> bool:
    kind = schema.get("type", "object")
    return "object" in kind if isinstance(kind, list) else kind == "object"


def _untyped(tools: Sequence[Tool]) -> list[str]:
    return [_note(tool, "its type is not object") for tool in tools if not _takes_objects(_parameters(tool))]


def _problem(schema: Schema) -> str:
    """Why calls cannot be held to it, or nothing."""
    try:
        _unenforced(_dumped(schema))
    except GrammarError as error:
        return reason_of(error)
    return ""


def _unenforced(schema: str) -> tuple[str, ...]:
    """Raises GrammarError."""
    settings = GrammarSettings(json_schema=schema)
    gbnf_of(settings)
    return unenforced(settings)


def _note(tool: Tool, problem: str) -> str:
    return f"parameters of {tool['function']['name']}: {problem}"


def _chosen(ask: ToolChoice) -> Tool:
    return next(tool for tool in ask.tools if tool["function"]["name"] == ask.tool_name)


def _gemma(ask: ToolChoice) -> ToolGrammar:
    tag, grammar = Gemma4Format.opening, Gemma4Grammar()
    tools = [_chosen(ask)] if ask.tool_name else ask.tools
    schemas = [(tool, _parameters(tool) if _takes_objects(_parameters(tool)) else {}) for tool in tools]
    left_out = ((tool, ", ".join(keywords_left_out(schema))) for tool, schema in schemas)
    notes = (*_untyped(tools), *(_note(tool, f"{names} is not enforced") for tool, names in left_out if names))
    if ask.tool_name:
        gbnf = grammar.text(grammar.arguments(schemas[0][1]))
        return ToolGrammar(GrammarSettings(gbnf=gbnf), f"{tag}call:{ask.tool_name}", notes)
    calls = (f"{json.dumps(tool['function']['name'])} {grammar.arguments(schema)}" for tool, schema in schemas)
    text = grammar.text(f'"call:" ({" | ".join(calls)}) "<tool_call|>"')
    if ask.must_call:
        return ToolGrammar(GrammarSettings(gbnf=text), tag, notes)
    return ToolGrammar(GrammarSettings(gbnf=text, triggers=(tag,)), not_enforced=notes)


def _dumped(value: Schema | Sequence[Tool]) -> str:
    return json.dumps(value, ensure_ascii=False)
