"""A JSON schema as a GBNF grammar, by the converter that comes with llama-cpp-python."""

import json
import re
from typing import Any

from llama_cpp.llama_grammar import BuiltinRule, SchemaConverter

from sparkdesk.errors import GrammarError

MOST_SCHEMA_CHARACTERS = 100_000
_MOST_ITEMS = 300  # the converter nests what may be left out of a list, by recursion
_MOST_REPEATS, _FEW_REPEATS, _MANY_REPEATS = 1000, 100, 4000
_NEVER_PLAIN = r'"\\\x7F\x00-\x1F'  # within a text of JSON, only with a backslash before it
_PLAIN_CHARACTER = f"[^{_NEVER_PLAIN}]"
_CHARACTER = _PLAIN_CHARACTER + r' | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])'
_SHORTHANDS = {"d": "0-9", "w": "a-zA-Z0-9_", "s": " "}
_ANY = {"type": "value"}  # the converter's own name for any JSON value
_ANNOTATIONS = frozenset(
    "title description default examples deprecated readOnly writeOnly $comment $schema $id strict".split()
)
_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_LEAST, _MOST = ("minItems", "minLength"), ("maxItems", "maxLength")


def gbnf_of_schema(text: str) -> str:
    """The grammar of everything that fits the schema; "{}" is any JSON object.

    Types, properties, required, enum, const, anyOf, items, pattern, the formats date, time, date-time and uuid, lengths
    and references within the schema are kept to. Bounds of numbers are not, nor what says which combinations are
    forbidden, nor a greatest length above a thousand (three hundred items), or above a hundred where there are many:
    each costs as many rules.

    Raises GrammarError where this schema cannot be turned into a grammar.
    """
    if len(text) > MOST_SCHEMA_CHARACTERS:
        raise _refusal(f"it has {len(text):,} characters, and {MOST_SCHEMA_CHARACTERS:,} are the most")
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict):
            raise _refusal("it is not an object")
        converter: Any = _Converter(  # type: ignore[no-untyped-call]
            prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False
        )
        plain = _plain(schema, _MOST_REPEATS if _asked_repeats(schema) <= _MANY_REPEATS else _FEW_REPEATS)
        converter.visit(converter.resolve_refs({} if plain == _ANY else plain, ""), "")
        grammar: str = converter.format_grammar()
        return grammar
    except ValueError as error:
        raise _refusal(str(error)) from None
    except AssertionError as error:
        raise _refusal(str(error) or "it asks for something no grammar can say") from None
    except (KeyError, TypeError, AttributeError, IndexError):
        raise _refusal("it is not made as a JSON schema should be") from None
    except RecursionError:
        raise _refusal("it is nested too deeply, or has too many optional properties") from None


class _Converter(SchemaConverter):
    """The package's converter, so that whatever the grammar allows is JSON: no control characters within a text, and
    literals that survive backslashes, quotes and letters beyond ASCII."""

    def _add_primitive(self, name: str, rule: BuiltinRule) -> str:
        chosen = BuiltinRule(_CHARACTER, []) if name == "char" else rule
        return str(super()._add_primitive(name, chosen))

    def _add_rule(self, name: str, rule: str) -> str:
        return str(super()._add_rule(name, _PLAIN_CHARACTER if name == "dot" else rule))  # type: ignore[no-untyped-call]

    def _resolve_ref(self, ref: str) -> str:
        """Under a name of its whole path: the last part alone may be that of another rule."""
        name = re.sub(r"[^a-zA-Z0-9-]+", "-", f"ref{ref}")
        if name not in self._rules and ref not in self._refs_being_resolved:
            self._refs_being_resolved.add(ref)
            name = str(self.visit(self._refs[ref], name))  # type: ignore[no-untyped-call]
            self._refs_being_resolved.remove(ref)
        return name

    def _visit_pattern(self, pattern: str, name: str) -> str:
        return str(super()._visit_pattern(_translated(pattern), name))  # type: ignore[no-untyped-call]

    def _format_literal(self, literal: str) -> str:
        text = json.dumps(json.loads(literal), ensure_ascii=False)
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\r", "\\r"), ("\n", "\\n")):
            text = text.replace(plain, escaped)
        return f'"{text}"'


def _plain(schema: Any, most: int) -> dict[str, Any]:
    """The schema in the words the converter knows: what it would take for something else is said differently."""
    if schema is True:
        return _ANY
    if not isinstance(schema, dict):
        raise ValueError(f"{json.dumps(schema)[:40]} stands where a schema should be")
    out = {name: value for name, value in schema.items() if name not in _ANNOTATIONS}
    for name in _OF_SCHEMAS:
        if name in out:
            out[name] = {key: _plain(value, most) for key, value in out[name].items()}
    for name in _LISTS:
        if name in out:
            out[name] = [_plain(value, most) for value in out[name]]
    if isinstance(out.get("items"), dict | bool):
        out["items"] = _plain(out["items"], most)
    if out.get("additionalProperties") is True and "properties" not in out:
        del out["additionalProperties"]
    elif out.get("additionalProperties", False) is not False:
        out["additionalProperties"] = _plain(out["additionalProperties"], most)
    _bound(out, most)
    return _merged(_spread(out)) if out else _ANY


def _spread(schema: dict[str, Any]) -> dict[str, Any]:
    """Several types at once as alternatives that keep what else is said."""
    if "enum" in schema or "const" in schema:
        return {name: value for name, value in schema.items() if name != "type"}
    types = schema.get("type")
    if not isinstance(types, list) or any(name in schema for name in ("anyOf", "oneOf")):
        return schema
    rest = {name: value for name, value in schema.items() if name != "type" and name not in _OF_SCHEMAS[1:]}
    shared = {name: schema[name] for name in _OF_SCHEMAS[1:] if name in schema}
    return {"anyOf": [{**(rest if _takes(each, rest) else {}), "type": each} for each in types], **shared}


def _takes(kind: str, rest: dict[str, Any]) -> bool:
    """Whether the rest speaks of this type at all."""
    return kind in ("object", "array", "string") and bool(rest)


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """allOf of a single schema, as generators write a reference with a description."""
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(parts) == 1:
        return {**{name: value for name, value in schema.items() if name != "allOf"}, **parts[0]}
    return schema


def _bound(schema: dict[str, Any], most: int) -> None:
    """A grammar repeats a rule as often as it says; a thousand times is much already."""
    for name in _LEAST:
        if schema.get(name, 0) > _MOST_REPEATS:
            raise ValueError(f"{name} is {schema[name]:,}, and {_MOST_REPEATS:,} is the most")
    for name in _MOST:
        limit = min(most, _MOST_ITEMS) if name == "maxItems" else most
        if schema.get(name, 0) > max(limit, schema.get(name.replace("max", "min"), 0)):
            del schema[name]


def _asked_repeats(schema: Any) -> int:
    """All greatest lengths that can be kept to, together."""
    if isinstance(schema, list):
        return sum(map(_asked_repeats, schema))
    if not isinstance(schema, dict):
        return 0
    own = sum(value for name in _MOST if isinstance(value := schema.get(name), int) and value <= _MOST_REPEATS)
    return own + sum(map(_asked_repeats, schema.values()))


def _translated(pattern: str) -> str:
    """A regular expression without the shorthands that the converter would take for letters."""
    out, i, is_class = [], 0, False
    while i < len(pattern):
        two = pattern[i : i + 2]
        if two[0] == '"' or two == "\\\\":
            raise ValueError(f"the pattern {pattern[:40]} has a quote or a backslash in its text")
        if two[0] == "\\" and two[1:] in _SHORTHANDS:
            members = _SHORTHANDS[two[1:]]
            out.append(members if is_class else f"[{members}]")
        elif two[0] == "\\":
            out.append(two)
        elif two == "[^" and not is_class:
            out.append(f"[^{_NEVER_PLAIN}")
            is_class = True
        else:
            is_class = two[0] == "[" or (is_class and two[0] != "]")
            out.append(two[0])
            i -= 1
        i += 2
    return "".join(out)


def _refusal(reason: str) -> GrammarError:
    return GrammarError(f"The JSON schema cannot be used: {reason}.", "Ask for a simpler one, or give a grammar.")
