"""Commands written at the prompt: /new, /model NAME, /system TEXT. Everything else that is written is a message."""

import re
from dataclasses import dataclass

from textual.message import Message

_COMMAND = re.compile(r"/([A-Za-z]+)(?:[ \t]+(\S.*))?", re.DOTALL)
HELP = {
    "help": "all keys and commands",
    "new": "start a new conversation",
    "model [NAME]": "switch to another model",
    "system [TEXT]": "set the system prompt; without a text, open this conversation's settings",
    "thinking": "switch thinking on or off",
    "attach": "attach a text file",
    "regenerate": "regenerate the last reply",
    "continue": "continue a reply that was cut short",
    "export": "export this conversation",
    "copy": "copy the last reply",
    "editor": "write the message in $EDITOR",
    "quit": "leave",
}
"""What may be written, and what it does."""


@dataclass
class CommandGiven(Message):
    name: str
    """As it was written, known or not."""
    rest: str = ""


def command_in(text: str) -> CommandGiven | None:
    """None for a message, such as one that begins with a path."""
    found = _COMMAND.fullmatch(text.strip())
    return CommandGiven(found[1].lower(), (found[2] or "").strip()) if found else None
