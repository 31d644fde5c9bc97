"""Whatever a schema's grammar allows fits the schema, and what cannot be kept to is refused by name."""

import json
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sparkdesk.engine.gbnf import check
from sparkdesk.engine.json_schema import compile_schema
from sparkdesk.errors import GrammarError
from tests.engine.json_schema.gbnf_text import Grammar

MANY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
COUNTS = st.integers(0, 4)
NUMBERS = (
    st.integers(-1100, 1100)
    | st.floats(-50, 50).map(lambda value: round(value, 3))
    | st.sampled_from([0, 1, 0.5, -0.001, 1e-5, 99, 100, 1000, 10**12, 2.5e7, -(10**9)])
)
PATTERNS = st.sampled_from(
    [
        r"^v\d+\.\d+$",
        r"^[a-z]{2,5}$",
        r"^(a|bc)*d?$",
        r"\d",
        r"^\S+$",
        r"^\D\W\w\s\S$",
        r"^[^\"\\]+$",
        r"^\/[\w\-.]*\/$",
        r"\\",
        r'^"[\s\S]"$',
        r"^.$",
        r"^a|b$",
        r"^(?:x|y(z)){2,3}$",
        r"^[^a-z\d]{1,3}$",
        r"^\x41\u00e9\t?$",
        r"^[\]\\^-]$",
        r"^é+$",
        r"^[1-9]\d{0,2}(,\d{3})*$",
    ]
)
FORMATS = st.sampled_from("date time date-time duration uuid email hostname ipv4 ipv6 uri".split())
NAMES = st.sampled_from(["a", "b", "ab", "abc", "é", 'q"', "", "x y", "\n"])
VALUES = st.sampled_from([1, 1.5, "a", "", 'say "hi"', "\\", "größe", None, True, [], [1, "a"], {"a": None}, -3, 2**40])


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(NAMES, inner, max_size=4)
    extra = st.fixed_dictionaries(
        {},
        optional={
            "additionalProperties": st.booleans() | inner,
            "required": st.lists(NAMES, max_size=3, unique=True),
            "minProperties": COUNTS,
            "maxProperties": COUNTS,
        },
    )
    return st.builds(lambda props, more: {"type": "object", "properties": props, **more}, properties, extra)


def _keyed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "patternProperties": st.dictionaries(PATTERNS, inner, min_size=1, max_size=1),
            "propertyNames": st.fixed_dictionaries({"minLength": COUNTS}, optional={"pattern": PATTERNS}),
            "additionalProperties": inner,
        },
    )


def _array(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner | st.booleans(),
            "prefixItems": st.lists(inner, max_size=3),
            "minItems": COUNTS,
            "maxItems": COUNTS,
            "uniqueItems": st.booleans(),
        },
    )


LIMITS = {"minimum": NUMBERS, "maximum": NUMBERS, "exclusiveMinimum": NUMBERS, "exclusiveMaximum": NUMBERS}
LEAVES = st.one_of(
    st.sampled_from([{}, True, {"type": "null"}, {"type": "boolean"}, {"type": ["integer", "null"]}]),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional=LIMITS),
    st.fixed_dictionaries({"type": st.just("integer"), "multipleOf": st.integers(1, 120)}, optional=LIMITS),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": COUNTS, "maxLength": st.integers(0, 900), "pattern": PATTERNS},
    ),
    st.fixed_dictionaries({"type": st.just("string"), "format": FORMATS}, optional={"maxLength": st.integers(5, 99)}),
    st.fixed_dictionaries({}, optional={"enum": st.lists(VALUES, min_size=1, max_size=4), "minimum": NUMBERS}),
    st.builds(lambda value: {"const": value}, VALUES),
    st.sampled_from([{"$ref": "#"}, {"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}]),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _object(inner),
        _array(inner),
        _keyed(inner),
        *(st.builds(lambda some, name=name: {name: some}, several) for name in ("anyOf", "oneOf", "allOf")),
        st.builds(lambda one, some: {**one, "anyOf": some} if isinstance(one, dict) else one, inner, several),
    )


SCHEMAS = st.recursive(LEAVES, _nested, max_leaves=8)


@pytest.mark.slow
@MANY
@given(SCHEMAS, SCHEMAS, SCHEMAS, st.integers(0, 2**32))
def test_everything_that_is_allowed_fits(schema: Any, one: Any, two: Any, seed: int) -> None:
    assume(isinstance(schema, dict) and schema)
    whole = {**schema, "$defs": {"one": one, "two": two}}
    try:
        compiled = compile_schema(json.dumps(whole))
    except GrammarError as error:
        assert error.message.startswith("The JSON schema cannot be used: ") and "\n" not in error.message
        return
    check(compiled.gbnf)
    grammar = Grammar(compiled.gbnf, seed)
    validator = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for wish in (0, 5, 30, 100):
        text = grammar.sample(wish)
        validator.validate(json.loads(text))


@pytest.mark.slow
@pytest.mark.parametrize("multiple", [1, 2, 3, 7, 10, 25, 60, 99, 100, 700, 1000])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 9), (-5, 5), (-1234, 98765), (17, 17000), (None, 250), (5, None), (-99, -10)]
)
def test_multiples_within_bounds_are_enforced(multiple: int, low: int | None, high: int | None) -> None:
    schema: dict[str, Any] = {"type": "integer", "multipleOf": multiple}
    schema |= {"minimum": low} if low is not None else {}
    schema |= {"exclusiveMaximum": high + 1} if high is not None else {}
    expected = range(-(10**6) if low is None else low, (10**6 if high is None else high) + 1)
    is_possible = any(value % multiple == 0 for value in expected)
    if not is_possible:
        with pytest.raises(GrammarError, match="no whole number"):
            compile_schema(json.dumps(schema))
        return
    gbnf = compile_schema(json.dumps(schema)).gbnf
    found = {int(Grammar(gbnf, seed).sample(100)) for seed in range(60)}
    assert all(
        value % multiple == 0 and (low is None or low <= value) and (high is None or value <= high) for value in found
    )
    assert len(found) > 1 or sum(value % multiple == 0 for value in expected) <= 2


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "number", "multipleOf": 0.01}, "multipleOf 0.01"),
        ({"not": {"type": "string"}}, "not"),
        ({"if": {}, "then": {}}, "if"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "contains": {}}, "contains"),
        ({"type": "object", "dependentRequired": {"a": ["b"]}}, "dependentRequired"),
        ({"type": "string", "pattern": "(?=a)"}, "looks ahead"),
        ({"type": "string", "pattern": r"\p{L}"}, r"\\p"),
        ({"type": "string", "pattern": r"(a)\1"}, r"\\1"),
        ({"type": "string", "pattern": "a{999999999}"}, "999,999,999"),
        ({"type": "string", "pattern": "^a{5}$", "minLength": 6}, "length"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "minLength"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "bounds"),
        ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "bounds"),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "oneOf"),
        ({"$ref": "https://example.com/a"}, "outside"),
        ({"$ref": "#/nowhere"}, "points to nothing"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "without end"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no end"),
        (
            {
                "type": "object",
                "properties": {"a": {}},
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": True,
            },
            "min",
        ),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "required and forbidden"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "nothing fits"),
        ({"enum": []}, "nothing fits"),
        ({"type": "strange"}, "strange"),
        ({"type": "object", "properties": {"a": 3}}, "stands where a schema"),
        ({"minimum": "3"}, "minimum must be a number"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(schema: Any, word: str) -> None:
    with pytest.raises(GrammarError, match=word) as caught:
        compile_schema(json.dumps(schema))
    assert "GBNF" not in str(caught.value) and "rule" not in caught.value.message


@pytest.mark.parametrize(
    "other",
    [
        {"properties": {}, "additionalProperties": False},
        {"properties": {"a": {"type": "integer"}}},
        {"additionalProperties": {"type": "null"}},
        {"patternProperties": {"^b": {}}},
    ],
)
@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "oneOf"])
def test_two_parts_that_both_name_keys_are_refused_where_one_does_it_by_pattern(
    other: dict[str, Any], keyword: str
) -> None:
    """{"v9.9": true} once came through where the other part allowed no property at all."""
    part = {"type": "object", **other}
    schema = {"type": "object", "patternProperties": {r"^v\d+\.\d+$": {}}, keyword: [part]}
    with pytest.raises(GrammarError, match="patternProperties"):
        compile_schema(json.dumps(schema))


def test_a_refusal_says_where() -> None:
    schema = {"type": "object", "properties": {"price": {"type": "number", "multipleOf": 0.05}}}
    with pytest.raises(GrammarError, match=r"at properties\.price"):
        compile_schema(json.dumps(schema))


def test_a_format_known_by_name_only_is_told() -> None:
    compiled = compile_schema('{"type": "string", "format": "password"}')
    assert compiled.unenforced == ('format "password"',)


BOMBS = {
    "doubling references": {
        "$ref": "#/$defs/a0",
        "$defs": {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)} | {"a40": {}},
    },
    "many alternatives": {"allOf": [{"anyOf": [{"minimum": i} for i in range(100)]} for _ in range(50)]},
    "long texts": {"type": "array", "items": {"type": "string", "maxLength": 10**30}, "minItems": 10**9},
    "wide objects": {"properties": {f"p{i}": {"maxLength": 999, "pattern": "^[a-z]*$"} for i in range(1500)}},
    "similar names": {"properties": {"x" * i: {} for i in range(400)}, "additionalProperties": {"type": "null"}},
    "multiples": {"anyOf": [{"type": "integer", "multipleOf": 1900 + i, "minimum": i} for i in range(200)]},
    "oneOf": {
        "oneOf": [
            {"type": "object", "properties": {f"p{j}": {"const": i} for j in range(20)}, "required": [f"p{i % 20}"]}
            for i in range(90)
        ]
    },
    "pattern": {"type": "string", "pattern": "(" * 40 + "a" + "{1,99}){1,99}" * 0 + ")" * 40},
    "nullable repeats": {"type": "string", "pattern": "^((([a-z]{0,90} ?){0,90},?){0,90};?){0,90}$"},
    "patterns": {"properties": {f"p{i}": {"pattern": f"^(([a-z]{{0,30}} ?){{0,20}},?){i % 9}$"} for i in range(300)}},
    "optional repeats": {"type": "string", "pattern": "^((a?){90}b?){90}$"},
    "exponential states": {"type": "string", "pattern": "^[ab]*a[ab]{40}$"},
    "nested repeats": {"type": "string", "pattern": "^((((a{1,90}){1,90}){1,90}){1,90}){1,90}$"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_schema_does_not_take_long(name: str) -> None:
    """Refused or made into a grammar of bounded size, in a moment."""
    began = time.process_time()
    try:
        gbnf = compile_schema(json.dumps(BOMBS[name])[:100_000]).gbnf
        check(gbnf)
    except GrammarError:
        pass
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
@pytest.mark.parametrize("number", [10**400, -(10**400), float("inf"), float("nan"), "1", [1]], ids=str)
def test_numbers_that_floats_do_not_have_are_refused(name: str, number: Any) -> None:
    """They were an OverflowError, and so the server's own fault."""
    for schema in ({name: number}, {"items": {"type": "integer", name: number}}):
        with pytest.raises(GrammarError, match="must be a number"):
            compile_schema(json.dumps(schema))


@pytest.mark.parametrize(
    "part",
    [
        lambda number: {"properties": {f"p{number}": {"anyOf": [{}, {}]}}},
        lambda number: {"required": [f"r{number}"]},
        lambda number: {"prefixItems": [{}] * number},
    ],
)
def test_putting_many_parts_together_is_bounded(part: Any) -> None:
    began_s = time.process_time()
    with pytest.raises(GrammarError):
        compile_schema(json.dumps({"allOf": [part(number) for number in range(1500)]}))
    assert time.process_time() - began_s < 3
