"""Grammars over llama.cpp: text that always fits, speculation that changes nothing, and refusals in one sentence."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import (
    Control,
    GenerationSettings,
    GrammarSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.speculate import generate
from sparkdesk.errors import EngineError
from tests.engine.tables import Run, collect

pytestmark = pytest.mark.native

GREEDY = SamplingSettings(temperature=0)
PERSON = {
    "type": "object",
    "title": "A person",
    "properties": {
        "name": {"type": "string", "maxLength": 12, "description": "of whom"},
        "age": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"enum": ['say "hi"', "back\\slash", "größe"]}, "maxItems": 2},
        "code": {"type": "string", "pattern": r"^[A-Z]{2}\d{2}[^,].?$"},
        "friend": {"$ref": "#/$defs/Friend"},
    },
    "required": ["name", "age", "tags", "code", "friend"],
    "additionalProperties": False,
    "$defs": {"Friend": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
}
TREE = {
    "$ref": "#/$defs/Tree",
    "$defs": {
        "Leaf": {"type": "integer"},
        "Tree": {
            "type": "object",
            "properties": {
                "value": {"$ref": "#/$defs/Leaf"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            },
            "required": ["value", "children"],
        },
    },
}
"""As Pydantic writes a class that refers to itself and to another."""
SCHEMA = GrammarSettings(json_schema=json.dumps(PERSON))


@pytest.fixture(scope="module")
def pair(tiny_load_settings: LoadSettings) -> Iterator[Pair]:
    with Pair.open(tiny_load_settings) as opened:
        yield opened


def answer(
    pair: Pair,
    grammar: GrammarSettings,
    *,
    length: int | None = 3,
    sampling: SamplingSettings = GREEDY,
    question: str = "What is the capital of France?",
    max_tokens: int = 200,
) -> Run:
    prompt = pair.tokenize(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
    speculation = SpeculationSettings(is_enabled=length != 0, draft_length=length or None)
    settings = GenerationSettings(max_tokens, frozenset(pair.info.end_tokens), sampling, speculation, grammar)
    return collect(generate(pair, prompt, settings, Control(speculation)))


def text_of(pair: Pair, done: Run) -> str:
    return b"".join(map(pair.piece, done.tokens)).decode()


@pytest.mark.parametrize("length", [1, 3, 7, None])
def test_greedy_text_is_that_of_plain_decoding(pair: Pair, length: int | None) -> None:
    plain = answer(pair, SCHEMA, length=0)
    assert text_of(pair, answer(pair, SCHEMA, length=length)) == text_of(pair, plain)
    assert plain.outcome.stop_reason == "end"


@pytest.mark.parametrize("length", [0, 3, None])
def test_every_reply_fits_the_schema_and_parses(pair: Pair, length: int | None) -> None:
    """Sampled hot, so that the model would say anything; a raw line break or quote within a text is no JSON."""
    for seed in range(12):
        hot = SamplingSettings(temperature=1.5, top_k=0, top_p=1.0, seed=seed)
        done = answer(pair, SCHEMA, length=length, sampling=hot)
        assert done.outcome.stop_reason == "end", "the grammar ends, and only end tokens may follow"
        found = json.loads(text_of(pair, done))
        assert list(found) == ["name", "age", "tags", "code", "friend"]
        assert len(found["name"]) <= 12 and (found["age"] is None or isinstance(found["age"], int))
        assert len(found["tags"]) <= 2 and set(found["tags"]) <= {'say "hi"', "back\\slash", "größe"}
        assert found["code"][:2].isupper() and found["code"][2:4].isdigit() and found["friend"] in (True, False, None)


def test_any_object_is_begun_with_a_brace_and_never_ended_early(pair: Pair) -> None:
    done = answer(pair, GrammarSettings(json_schema="{}"), max_tokens=20)
    assert text_of(pair, done).startswith("{")


def test_end_tokens_come_only_where_the_grammar_may_end(pair: Pair) -> None:
    done = answer(pair, GrammarSettings(gbnf='root ::= "yes " "no"{12}'), length=3)
    assert text_of(pair, done) == "yes " + "no" * 12
    assert done.outcome.stop_reason == "end" and done.outcome.stats.has_end


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        (GrammarSettings(), "exactly one"),
        (GrammarSettings(gbnf='root ::= "a"', json_schema="{}"), "exactly one"),
        (GrammarSettings(gbnf='root ::= "a"', triggers=("<call>", "")), "trigger"),
        (GrammarSettings(gbnf="root ::= ("), "cannot be used"),
        (GrammarSettings(gbnf="root ::= other"), "Undefined rule"),
        (GrammarSettings(gbnf='start ::= "a"'), "root"),
        (GrammarSettings(gbnf='root ::= root "a" | "b"'), "left recursion"),
        (GrammarSettings(gbnf='root ::= "a"{3000}'), "repetitions"),
        (GrammarSettings(gbnf='root ::= "' + "a" * 9000 + '"{2000}'), "repeats too much"),
        (GrammarSettings(gbnf="root ::= " + '"a" ' * 100_000), "400,009 characters"),
        (GrammarSettings(json_schema="{"), "schema cannot be used"),
        (GrammarSettings(json_schema="[]"), "not an object"),
        (GrammarSettings(json_schema='{"type": "strange"}'), "strange"),
        (GrammarSettings(json_schema='{"type": "array", "items": {}, "minItems": 1000000000}'), "1,000,000,000"),
        (GrammarSettings(json_schema='{"$ref": "#/nowhere"}'), "nowhere"),
        (GrammarSettings(json_schema='{"$ref": "https://example.com/a"}'), "outside the schema"),
        (GrammarSettings(json_schema='{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}'), "without end"),
        (GrammarSettings(json_schema='{"type": "object", "properties": {"a": 3}}'), "stands where a schema"),
        (GrammarSettings(json_schema='{"anyOf": [' * 5000 + "{}" + "]}" * 5000), "nested too deeply"),
        (GrammarSettings(json_schema=json.dumps({"enum": ["a" * 200_000]})), "characters"),
        (GrammarSettings(json_schema='{"type": "string", "pattern": "^(a$"}'), "without a"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_refused_in_a_sentence_and_the_pair_goes_on(
    pair: Pair, grammar: GrammarSettings, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """And the grammar, which is the user's own text, stays out of what the process prints."""
    with pytest.raises(EngineError, match=reason) as caught:
        answer(pair, grammar)
    assert len(caught.value.message) < 300 and "\n" not in caught.value.message
    assert capfd.readouterr().err == ""
    assert text_of(pair, answer(pair, GrammarSettings(gbnf='root ::= "on"'))) == "on"


@pytest.mark.parametrize(
    ("schema", "fits", "fails"),
    [
        ({}, '{"a": [1, {"b": null}]}', "[1]"),
        ({"type": "object", "properties": {"any": {}}, "required": ["any"]}, '{"any": [1]}', '{"any": }'),
        ({"type": "object", "properties": {"any": True}, "required": ["any"]}, '{"any": "x"}', "{}"),
        ({"type": ["string", "null"], "minLength": 2}, '"ab"', '"a"'),
        ({"type": ["string", "null"], "minLength": 2}, "null", "1"),
        ({"type": "string", "enum": ["é", 'a"b']}, '"é"', '"e"'),
        ({"allOf": [{"$ref": "#/$defs/E"}], "title": "e", "$defs": {"E": {"enum": [1, 2]}}}, "2", "3"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}]}, "[1, true]", "[true, 1]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"a": 1}', '{"a": "b"}'),
        ({"type": "object", "additionalProperties": True}, '{"a": "b"}', '{"a"}'),
        (
            {"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
            '{"abc": 1}',
            '{"ab": 1}',
        ),
        ({"properties": {"a": {}, "b": {}, "c": {}}, "required": ["b"]}, '{"b": 1,\n  "c": 2}', '{"c": 1, "b": 2}'),
        ({"type": "integer", "minimum": -20, "maximum": 1100}, "1100", "1101"),
        ({"type": "integer", "exclusiveMinimum": -20}, "-19", "-20"),
        ({"type": "integer", "multipleOf": 7, "minimum": 100}, "105", "106"),
        ({"type": "number", "minimum": 0.5, "exclusiveMaximum": 3}, "2.999999", "3"),
        ({"type": "number", "minimum": -1.5, "maximum": 1}, "-1.5", "-1.51"),
        ({"type": "number"}, "-1.5e-7", "01"),
        ({"type": "string", "pattern": r"^v\d+\.\d+$"}, '"v1.20"', '"v1x20"'),
        ({"type": "string", "pattern": r"^\S+\/\S+$"}, '"größe/日本"', '"a /b"'),
        ({"type": "string", "pattern": r"^\D\W\s\w\-$"}, '"a! b-"', '"1! b-"'),
        ({"type": "string", "pattern": r'^["\\]$'}, r'"\""', '"a"'),
        ({"type": "string", "pattern": r"^[^\d]+$", "maxLength": 3}, '"abc"', '"abcd"'),
        ({"type": "string", "pattern": "ab"}, '"xaby"', '"xayb"'),
        ({"type": "string", "minLength": 2, "maxLength": 1500}, '"' + "ab" * 750 + '"', '"' + "ab" * 750 + 'c"'),
        ({"type": "string", "format": "email"}, '"a.b@example.org"', '"a.b"'),
        ({"type": "string", "format": "date-time"}, '"2024-02-29T10:00:00.5Z"', '"2023-02-29T10:00:00Z"'),
        ({"type": "object", "patternProperties": {"^x-": {"type": "integer"}}}, '{"x-a": 1}', '{"y": 1}'),
        ({"type": "object", "propertyNames": {"maxLength": 2}}, '{"ab": 1}', '{"abc": 1}'),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 700}, "[1,2]", "[1]"),
        ({"const": 'a"b\\c\né'}, r'"a\"b\\c\né"', '"a"'),
        (TREE, '{"value": 1, "children": [{"value": 2, "children": []}]}', '{"value": 1, "children": [2]}'),
        (
            {
                "$defs": {
                    "a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/b"}]},
                    "b": {"type": "object", "properties": {"next": {"$ref": "#/$defs/a"}}, "required": ["next"]},
                },
                "$ref": "#/$defs/b",
            },
            '{"next": {"next": null}}',
            "{}",
        ),
        ({"type": "string", "format": "date"}, '"2024-02-29"', '"2024-2-9"'),
        ({"type": "string", "maxLength": 5000}, '"abc"', "abc"),
        ({"type": "string", "maxLength": 1000}, '"' + "ab" * 500 + '"', '"' + "ab" * 500 + 'c"'),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 5000}, "[1, 2]", "[1, ]"),
        (
            {"$ref": "#/$defs/space", "$defs": {"space": {"type": "object", "properties": {"a": {"$ref": "#"}}}}}
            | {"$defs": {"space": {"enum": ["s"]}}},
            '"s"',
            '" "',
        ),
    ],
)
def test_what_a_schema_allows_is_what_it_says(pair: Pair, schema: dict[str, Any], fits: str, fails: str) -> None:
    grammar = GrammarSettings(json_schema=json.dumps(schema))
    assert spelled(pair, grammar, fits) and not spelled(pair, grammar, fails)


def spelled(pair: Pair, grammar: GrammarSettings, text: str) -> bool:
    """Whether the grammar takes the text to its end."""
    constraint = pair.constraint(grammar)
    try:
        for token in pair.tokenize(text, parse_special=False):
            if not constraint.allowed(np.array([token]))[0]:
                return False
            constraint.accept(token)
        return bool(constraint.allowed(np.array(pair.info.end_tokens)).all())
    finally:
        constraint.close()


@pytest.mark.parametrize("length", [0, 3, None])
def test_a_grammar_with_a_trigger_holds_behind_it_only(pair: Pair, length: int | None) -> None:
    """The answer names Paris of its own accord; what comes next is the grammar's, and then the model is free again."""
    free = answer(pair, GrammarSettings(gbnf='root ::= "x"', triggers=("never said",)), length=length)
    assert "Paris" in text_of(pair, free)
    done = answer(pair, GrammarSettings(gbnf='root ::= " [" [0-9] "]"', triggers=("Paris",)), length=length)
    before, _, after = text_of(pair, done).partition("Paris")
    assert text_of(pair, free).startswith(before)
    assert after[:2] == " [" and after[2].isdigit() and after[3] == "]"
    assert done.outcome.stop_reason == "end"


def test_a_copy_goes_its_own_way(pair: Pair) -> None:
    a, b = (pair.tokenize(letter, parse_special=False)[0] for letter in "ab")
    first = pair.constraint(GrammarSettings(gbnf='root ::= "a" "b" "a"'))
    second = first.copy()
    first.accept(a)
    assert first.allowed(np.array([a, b])).tolist() == [False, True]
    assert second.allowed(np.array([a, b])).tolist() == [True, False]
    first.close()
    second.accept(a)
    second.close()
