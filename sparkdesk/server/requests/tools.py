"""The functions a reply may call, whatever form of API they come in."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from sparkdesk.server.requests.decoding import MUST, refuse

MOST_TOOLS = 512
FUNCTION_NAME = r"^[A-Za-z0-9_.-]{1,128}\Z"
NAME_MUST = "have letters, digits, _, - and . only, and no more than 128 of them"
FunctionName = Annotated[str, Meta(pattern=FUNCTION_NAME, extra={MUST: NAME_MUST})]
Schema = dict[str, Any]

Tool = Mapping[str, Any]
"""In the form of /v1/chat/completions, as chat templates want it."""


def as_tool(name: str, description: str | None, parameters: Mapping[str, Any] | None) -> Tool:
    """`parameters` is the JSON schema of the arguments."""
    said: dict[str, Any] = {"name": name, "description": description or ""}
    if parameters is not None:
        said["parameters"] = parameters
    return {"type": "function", "function": said}


def check_different(tools: Sequence[Tool]) -> None:
    """Raises ApiError for two functions of one name."""
    if len({tool["function"]["name"] for tool in tools}) < len(tools):
        refuse("tools", "must have functions of different names")


def check_among(tools: Sequence[Tool], name: str, path: str) -> None:
    """Raises ApiError where no function has that name."""
    if all(tool["function"]["name"] != name for tool in tools):
        refuse(path, "is not among the tools")
