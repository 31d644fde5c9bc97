"""Reads the functions a reply may call, whatever form of API they come in."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sparkdesk.server.requests.fields import Fields

_FUNCTION_NAME = re.compile(r"[\w.-]{1,128}", re.ASCII)
_MOST_TOOLS = 512

Tool = Mapping[str, Any]
"""In the form of /v1/chat/completions, as chat templates want it."""


def read_tools(fields: Fields, read: Callable[[Fields], Tool | None]) -> tuple[Tool, ...]:
    """`read` gives None for a tool that is left out. Raises ApiError."""
    given = fields.items("tools")
    if len(given) > _MOST_TOOLS:
        fields.refuse("tools", f"must have no more than {_MOST_TOOLS} functions")
    found = (read(Fields(tool, f"{fields.path('tools')}[{index}]")) for index, tool in enumerate(given))
    tools = tuple(tool for tool in found if tool is not None)
    if len({tool["function"]["name"] for tool in tools}) < len(tools):
        fields.refuse("tools", "must have functions of different names")
    return tools


def read_function(fields: Fields, schema_name: str) -> Tool:
    """An object with a function's name, its description, and under `schema_name` the schema of its arguments."""
    name = fields.needed_text("name")
    if not _FUNCTION_NAME.fullmatch(name):
        fields.refuse("name", "must have letters, digits, _, - and . only, and no more than 128 of them")
    parameters = fields.inner(schema_name)
    said: dict[str, Any] = {"name": name, "description": fields.text("description")}
    if parameters is not None:
        said["parameters"] = parameters.given
    return {"type": "function", "function": said}


def read_chosen(fields: Fields, tools: Sequence[Tool]) -> str:
    """The name of the function that must be called."""
    name = fields.needed_text("name")
    if all(tool["function"]["name"] != name for tool in tools):
        fields.refuse("name", "is not among the tools")
    return name
