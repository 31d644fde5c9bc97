"""Why a schema cannot be kept to, in words for whoever wrote it."""

from sparkdesk.errors import GrammarError

REFUSED = "The JSON schema cannot be used: "
_LONGEST_SHOWN = 60


def refusal(reason: str, path: str = "") -> GrammarError:
    """`path` is where in the schema, as in properties.name.pattern."""
    where = f" (at {shown(path)})" if path else ""
    return GrammarError(
        f"{REFUSED}{reason}{where}.",
        "Leave that out or say it in another way; a reply is held to everything a schema says.",
    )


def shown(text: str) -> str:
    """A piece of the schema, fit for one line."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."
