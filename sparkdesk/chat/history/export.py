"""A conversation as text for elsewhere: Markdown to be read, JSON with everything."""

import json
from dataclasses import asdict

from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import UsageError

MARKDOWN, JSON = "markdown", "json"
_NAMES = {"user": "You", "assistant": "Assistant", "system": "System"}


def exported(tree: MessageTree, *, title: str, settings: ChatSettings, form: str) -> str:
    """Raises UsageError for a form there is not."""
    if form == MARKDOWN:
        return _markdown(tree, title, settings)
    if form == JSON:
        return _json(tree, title, settings)
    raise UsageError(f"{form!r} is no form of export.", f"There are {MARKDOWN} and {JSON}.")


def _markdown(tree: MessageTree, title: str, settings: ChatSettings) -> str:
    parts = [f"# {title or 'Conversation'}"]
    if settings.system_prompt:
        parts.append(f"## System\n\n{settings.system_prompt}")
    parts += [_section(message) for message in tree.messages]
    return "\n\n".join(parts) + "\n"


def _section(message: Message) -> str:
    name = _NAMES.get(message.role, message.role)
    heading = f"## {name} ({message.model})" if message.model else f"## {name}"
    files = [f"Attached: {each.name}\n\n````\n{each.text.rstrip()}\n````" for each in message.attachments]
    note = [f"*{message.note}*"] if message.note else []
    return "\n\n".join([heading, *files, message.content.strip(), *note])


def _json(tree: MessageTree, title: str, settings: ChatSettings) -> str:
    shown = set(tree.shown)
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
        for number, node in tree.nodes()
    ]
    told = {"title": title, "settings": asdict(settings), "messages": messages}
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
