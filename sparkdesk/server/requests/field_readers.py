"""What request forms that are read field by field have in common: stop strings, the form of the reply, tools."""

import re
from collections.abc import Callable, Sequence

from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.generation import GenerationBody
from sparkdesk.server.requests.options import MOST_STOP_CHARACTERS, schema_grammar
from sparkdesk.server.requests.tools import (
    FUNCTION_NAME,
    MOST_TOOLS,
    NAME_MUST,
    Tool,
    as_tool,
    check_among,
    check_different,
)

EVERYWHERE = frozenset(GenerationBody.__struct_fields__)
"""What requests of every form may say."""


def read_stops(fields: Fields, name: str, *, most: int) -> tuple[str, ...]:
    given = fields.given.get(name)
    stops = [given] if isinstance(given, str) else fields.items(name)
    if len(stops) > most:
        fields.refuse(name, f"must have no more than {most} strings")
    for stop in stops:
        if not isinstance(stop, str) or len(stop) > MOST_STOP_CHARACTERS:
            fields.refuse(name, f"must be a string, or up to {most} of them, none of them very long")
    return tuple(str(stop) for stop in stops if stop)


def read_format(form: Fields) -> GrammarSettings | None:
    """What a reply must be: any text, a JSON object, or what the schema beside the type says."""
    kind = form.needed_text("type")
    if kind == "text":
        return None
    if kind not in ("json_object", "json_schema"):
        form.refuse("type", "must be text, json_object or json_schema")
    schema = form.inner("schema")
    if schema is None and kind == "json_schema":
        form.refuse("schema", "is missing")
    return schema_grammar(None if schema is None else schema.given)


def read_tools(fields: Fields, read: Callable[[Fields], Tool | None]) -> tuple[Tool, ...]:
    """`read` gives None for a tool that is left out. Raises ApiError."""
    given = fields.items("tools")
    if len(given) > MOST_TOOLS:
        fields.refuse("tools", f"must have no more than {MOST_TOOLS} functions")
    found = (read(Fields(tool, f"{fields.path('tools')}[{index}]")) for index, tool in enumerate(given))
    tools = tuple(tool for tool in found if tool is not None)
    check_different(tools)
    return tools


def read_function(fields: Fields, schema_name: str) -> Tool:
    """An object with a function's name, its description, and under `schema_name` the schema of its arguments."""
    name = fields.needed_text("name")
    if not re.match(FUNCTION_NAME, name):
        fields.refuse("name", f"must {NAME_MUST}")
    parameters = fields.inner(schema_name)
    return as_tool(name, fields.text("description"), None if parameters is None else parameters.given)


def read_chosen(fields: Fields, tools: Sequence[Tool]) -> str:
    """The name of the function that must be called."""
    name = fields.needed_text("name")
    check_among(tools, name, fields.path("name"))
    return name
