"""Calls are held to their functions' schemas, and what they are not held to is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
import pytest

from sparkdesk.chat_format.chat_format import ChatFormat, detect_chat_format
from sparkdesk.chat_format.tool_grammar import ToolGrammar, tool_grammar_for
from sparkdesk.engine.gbnf import check
from sparkdesk.engine.grammar_source import gbnf_of
from tests.chat_format.templates import GEMMA4, QWEN3
from tests.engine.json_schema.gbnf_text import Grammar

HERMES, GEMMA = detect_chat_format(QWEN3), detect_chat_format(GEMMA4)
PERSON = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}, "required": ["name"]}
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"left": {"$ref": "#"}, "size": {"$ref": "#/$defs/size"}},
    "required": ["size"],
    "$defs": {"size": {"type": "integer", "minimum": 1, "maximum": 3}},
}
TEAM: dict[str, Any] = {
    "type": "object",
    "properties": {"lead": {"$ref": "#/definitions/person"}, "size": {"$ref": "#/definitions/size"}},
    "required": ["lead", "size"],
    "additionalProperties": False,
    "definitions": {"person": PERSON, "size": {"enum": [10, 20]}},
}
OWN_ID: dict[str, Any] = {
    "$id": "https://example.org/own",
    "properties": {"it": {"$ref": "https://example.org/own#/$defs/it"}},
    "required": ["it"],
    "$defs": {"it": {"const": "it"}},
}
AT_THE_ROOT: dict[str, Any] = {"$ref": "#/$defs/person", "$defs": {"person": PERSON}}
FINE = {"tree": TREE, "team": TEAM, "own": OWN_ID, "root": AT_THE_ROOT}
UNIQUE = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
NOWHERE = {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}


@dataclass(frozen=True)
class Ask:
    tools: Sequence[dict[str, Any]]
    tool_name: str = ""
    must_call: bool = True


def ask(schemas: dict[str, Any]) -> Ask:
    return Ask([{"type": "function", "function": {"name": name, "parameters": each}} for name, each in schemas.items()])


def samples(grammar: ToolGrammar) -> list[Any]:
    gbnf, _ = gbnf_of(grammar.grammar)
    return [json.loads(Grammar(gbnf, seed).sample()) for seed in range(60)]


def test_references_are_followed_within_each_functions_own_schema() -> None:
    """They once made it any object, as they would not have found their definitions inside another schema."""
    grammar = tool_grammar_for(ask(FINE), HERMES)
    assert grammar.not_enforced == ()
    calls = samples(grammar)
    assert {call["name"] for call in calls} == set(FINE)
    for call in calls:
        jsonschema.validate(call["arguments"], FINE[call["name"]])


@pytest.mark.parametrize("name", FINE)
def test_a_function_that_must_be_called_is_held_to_its_references(name: str) -> None:
    grammar = tool_grammar_for(replace(ask(FINE), tool_name=name), HERMES)
    assert grammar.not_enforced == () and name in grammar.prompt_suffix
    for arguments in samples(grammar):
        jsonschema.validate(arguments, FINE[name])


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (UNIQUE, "uniqueItems"),
        (NOWHERE, "points to nothing"),
        ({"properties": {"a": {"not": {}}}}, "not"),
        ({"type": "object", "properties": 3}, "properties"),
        ({"type": "string"}, "type is not object"),
        ({"type": ["array", "null"]}, "type is not object"),
    ],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_one_that_cannot_be_enforced_is_told_and_leaves_the_others_held(
    schema: dict[str, Any], told: str, is_named: bool
) -> None:
    asked = ask({"odd": schema, "team": TEAM})
    grammar = tool_grammar_for(replace(asked, tool_name="odd") if is_named else asked, HERMES)
    (note,) = grammar.not_enforced
    assert note.startswith("parameters of odd: ") and told in note
    for call in samples(grammar):
        if is_named:
            assert isinstance(call, dict)
        elif call["name"] == "team":
            jsonschema.validate(call["arguments"], TEAM)
        else:
            assert isinstance(call["arguments"], dict)


def test_formats_that_are_only_known_by_name_are_told_for_functions_too() -> None:
    colour = {"type": "object", "properties": {"a": {"type": "string", "format": "colour"}}}
    assert tool_grammar_for(ask({"paint": colour, "team": TEAM}), HERMES).not_enforced == ('format "colour"',)
    both = tool_grammar_for(ask({"paint": colour, "odd": UNIQUE}), HERMES).not_enforced
    assert len(both) == 2 and 'format "colour"' in both


@pytest.mark.parametrize("count", [60, 300])
def test_many_functions_that_cannot_all_be_enforced_are_told(count: int) -> None:
    grammar = tool_grammar_for(ask({f"f{index}": UNIQUE if index else TEAM for index in range(count)}), HERMES)
    assert len(grammar.not_enforced) == (count - 1 if count == 60 else 1)


@pytest.mark.parametrize("dialect", [HERMES, GEMMA])
@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_functions_without_parameters_have_nothing_to_tell(dialect: ChatFormat, schema: Any) -> None:
    assert tool_grammar_for(ask({"f": schema}), dialect).not_enforced == ()


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (TEAM, "parameters of f: $ref is not enforced"),
        ({"properties": {"a": {"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]}}}, "minimum"),
        ({"properties": {"a": {"items": {"type": "string", "pattern": "x"}}}}, "pattern"),
        ({"properties": {"a": {"type": "string", "minLength": 1, "maxLength": 2}}}, "minLength, maxLength"),
        ({"type": "integer"}, "type is not object"),
        (PERSON, "maxLength"),
    ],
)
def test_what_gemmas_grammar_leaves_to_the_model_is_told(schema: dict[str, Any], told: str) -> None:
    for named in ("", "f"):
        grammar = tool_grammar_for(replace(ask({"f": schema, "g": {}}), tool_name=named), GEMMA)
        check(grammar.grammar.gbnf)
        (note,) = grammar.not_enforced
        assert note.startswith("parameters of f: ") and told in note


def test_gemma_holds_to_the_rest_of_a_schema_with_references() -> None:
    """One $ref once made all arguments any object."""
    schema = {
        "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"enum": ["yes"]}},
        "required": ["a", "b"],
        "$defs": {"x": {}},
    }
    grammar = tool_grammar_for(ask({"f": schema}), GEMMA)
    assert all('b:<|"|>yes' in Grammar(grammar.grammar.gbnf, seed).sample() for seed in range(20))
