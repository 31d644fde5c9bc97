"""A conversation as text for elsewhere: Markdown to be read, JSON with everything."""

import json
from dataclasses import asdict

from sparkdesk.chat.attachments import fenced
from sparkdesk.chat.history.kept import Kept, title_of
from sparkdesk.chat.messages import Message
from sparkdesk.errors import UsageError

MARKDOWN, JSON = "markdown", "json"
_NAMES = {"user": "You", "assistant": "Assistant", "system": "System"}


def exported(kept: Kept, *, form: str) -> str:
    """Raises UsageError for a form there is not."""
    if form == MARKDOWN:
        return _markdown(kept)
    if form == JSON:
        return _json(kept)
    raise UsageError(f"{form!r} is no form of export.", f"There are {MARKDOWN} and {JSON}.")


def _markdown(kept: Kept) -> str:
    """The branch that is shown."""
    parts = [f"# {kept.title or title_of(kept.tree) or 'Conversation'}"]
    if kept.settings.system_prompt:
        parts.append(f"## System\n\n{kept.settings.system_prompt}")
    parts += [_section(message) for message in kept.tree.messages]
    return "\n\n".join(parts) + "\n"


def _section(message: Message) -> str:
    name = _NAMES.get(message.role, message.role)
    heading = f"## {name} ({message.model})" if message.model else f"## {name}"
    files = [f"Attached: {fenced(each)}" for each in message.attachments]
    note = [f"*{message.note}*"] if message.note else []
    return "\n\n".join([heading, *files, message.content.strip(), *note])


def _json(kept: Kept) -> str:
    """Every version of every message."""
    shown = set(kept.tree.shown)
    messages = [
        {
            "number": number,
            "parent": node.parent,
            "is_shown": number in shown,
            "role": node.message.role,
            "content": node.message.content,
            "attachments": [asdict(each) for each in node.message.attachments],
            "is_partial": node.message.is_partial,
            "note": node.message.note,
            "model": node.message.model,
            "stats": node.message.stats.as_json() if node.message.stats is not None else None,
        }
        for number, node in kept.tree.nodes()
    ]
    title = kept.title or title_of(kept.tree)
    told = {"title": title, "settings": asdict(kept.settings), "messages": messages}
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
