"""Reads the JSON of a request into a msgspec Struct; what does not fit is refused with a sentence that names its place.

null counts as not given, as OpenAI's clients send it: optional fields are `X | None = None`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn, TypeVar, cast

import msgspec
from msgspec import inspect

from sparkdesk.server.errors import ApiError, bad_request

MUST, UNKNOWN_TYPE = "must", "unknown type"
"""Keys of Meta(extra=...), for where the types do not say it well themselves: what a value must do ("must ..."), a list
with all its items; and what is wrong with an object of another type than those declared ("is 'x', but ...")."""

_PLACE = re.compile(r" - at `\$\.?([\w.\[\]]*)`$")
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|(\w+)")
_FIELD = re.compile(r"Object (missing required|contains unknown) field `([^`]*)`")
_A_VALUE = "..."
"""So msgspec names a value of an object whose names are free."""
_LONGEST_SHOWN = 40

_Body = TypeVar("_Body", bound=msgspec.Struct)
_Value = TypeVar("_Value")


def decode(body: object, form: type[_Body], where: str = "") -> _Body:
    """`where` is the path of `body` in what was sent. Raises ApiError."""
    try:
        return msgspec.convert(body, form)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), body, form, where) from None


def refuse(path: str, must: str) -> NoReturn:
    """Raises ApiError."""
    raise _bad(path, must)


def given(value: _Value | None, otherwise: _Value) -> _Value:
    return otherwise if value is None else value


def others(body: object, form: type[msgspec.Struct], where: str = "") -> tuple[str, ...]:
    """Paths of the fields that are given and that `form` does not have."""
    fields = cast(Mapping[str, object], body)
    known = form.__struct_encode_fields__
    return tuple(_join(where, name) for name, value in fields.items() if name not in known and value is not None)


def _bad(path: str, must: str) -> ApiError:
    return bad_request(f"{path or 'The body'} {must}.", param=path or None)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name and not name.startswith("[") else f"{path}{name}"


def _refusal(said: str, body: object, form: type[msgspec.Struct], where: str) -> ApiError:
    """msgspec says where it is; what is wrong there is told from the types and the value."""
    found = _PLACE.search(said)
    place = found[1] if found else ""
    field = _FIELD.match(said)
    if field:
        what = "is missing" if field[1].startswith("missing") else "is not known here; leave it out"
        return _bad(_join(_join(where, place), field[2]), what)
    path, value, expected = _at(place, body, _types(form))
    if value is None and path and not path.endswith("]"):
        return _bad(_join(where, path), "is missing")
    return _bad(_join(where, path), _complaint(value, *_options(expected)))


@cache
def _types(form: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(form)


def _at(place: str, value: Any, form: inspect.Type) -> tuple[str, Any, inspect.Type]:
    """The path, the value there, and the type it was to have: as far down the place as can be told apart."""
    path = ""
    for index, name in _STEP.findall(place):
        options, words = _options(form)
        if index:
            if MUST in words or index == _A_VALUE:
                break
            form = next(each.item_type for each in options if isinstance(each, inspect.ListType))
            path, value = f"{path}[{index}]", value[int(index)]
        else:
            structs = [each for each in options if isinstance(each, inspect.StructType)]
            form = _field(structs, name, value, words)
            path, value = _join(path, name), value.get(name)
    return path, value, form


def _field(
    structs: Sequence[inspect.StructType], name: str, value: Mapping[str, Any], words: Mapping[str, str]
) -> inspect.Type:
    if structs[0].tag_field == name:  # it is this that was wrong
        tags = inspect.LiteralType(tuple(each.tag for each in structs))
        return inspect.Metadata(tags, extra={UNKNOWN_TYPE: words[UNKNOWN_TYPE]} if UNKNOWN_TYPE in words else {})
    struct = structs[0]
    if len(structs) > 1 and struct.tag_field is not None:
        struct = next(each for each in structs if each.tag == value.get(struct.tag_field))
    return next(field.type for field in struct.fields if field.encode_name == name)


def _options(form: inspect.Type) -> tuple[list[inspect.Type], Mapping[str, str]]:
    """The types a value may have, null apart, and our own words for what does not fit."""
    if isinstance(form, inspect.Metadata):
        options, words = _options(form.type)
        return options, {**words, **(form.extra or {})}
    if not isinstance(form, inspect.UnionType):
        return ([] if isinstance(form, inspect.NoneType) else [form]), {}
    found: list[inspect.Type] = []
    said: dict[str, str] = {}
    for each in form.types:
        options, words = _options(each)
        found += options
        said |= words
    return found, said


def _complaint(value: object, options: Sequence[inspect.Type], words: Mapping[str, str]) -> str:
    if UNKNOWN_TYPE in words and isinstance(value, str):
        return f"is {value[:_LONGEST_SHOWN]!r}, but {words[UNKNOWN_TYPE]}"
    if MUST in words:
        return f"must {words[MUST]}"
    fitting = [each for each in options if isinstance(value, _PYTHON.get(type(each), object))]
    if isinstance(value, bool):
        fitting = [each for each in fitting if isinstance(each, inspect.BoolType)]
    if not fitting:
        return f"must be {_kinds(options)}, not {kind_of(value)}"
    return f"must {_limits(value, fitting[0])}"


def _limits(value: Any, form: inspect.Type) -> str:
    match form:
        case inspect.LiteralType(values):
            *most, last = map(str, values)
            return f"be {', '.join(most)} or {last}" if most else f"be {last}"
        case inspect.IntType() if isinstance(value, float) and not value.is_integer():
            return f"be a whole number, not {value:g}"
        case inspect.IntType(ge=least, le=largest) | inspect.FloatType(ge=least, le=largest):
            return _range(value, least, largest)
        case inspect.StrType(min_length=least) if least and len(value) < least:
            return "not be empty"
        case inspect.StrType(max_length=longest) if longest:
            return f"have no more than {longest:,} characters"
        case inspect.ListType(min_length=least) if least and len(value) < least:
            return "not be empty"
        case inspect.ListType(max_length=longest) if longest:
            return f"have no more than {longest:,} items"
        case inspect.DictType(value_type=inner):
            return f"have values of this kind only: {_kinds(_options(inner)[0])}"
        case _:
            return f"be {_kinds([form])} of another form"


def _range(value: float, least: float | None, largest: float | None) -> str:
    if least is not None and largest is not None:
        return f"be from {least} to {largest}"
    if least is not None and value < least:
        return f"be at least {least}"
    return "be a smaller number" if largest is None else f"be at most {largest}"


_NUMBER = int | float
_PYTHON: Mapping[type[inspect.Type], Any] = {
    inspect.IntType: _NUMBER,
    inspect.FloatType: _NUMBER,
    inspect.StrType: str,
    inspect.LiteralType: str,
    inspect.BoolType: bool,
    inspect.ListType: list,
    inspect.DictType: dict,
    inspect.StructType: dict,
}
_NAMES: Mapping[type[inspect.Type], str] = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StrType: "a string",
    inspect.LiteralType: "a string",
    inspect.BoolType: "true or false",
    inspect.ListType: "an array",
    inspect.DictType: "a JSON object",
    inspect.StructType: "a JSON object",
}


def _kinds(options: Sequence[inspect.Type]) -> str:
    """A whole number may be sent as 1.0 too, so its types are two."""
    names = dict.fromkeys(_NAMES[type(each)] for each in options)
    if "a whole number" in names:
        names.pop("a number", None)
    return " or ".join(names)


def kind_of(value: object) -> str:
    """In JSON's own words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
