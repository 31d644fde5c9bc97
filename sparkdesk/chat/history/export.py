"""A conversation as text for elsewhere: Markdown to be read, JSON with everything."""

import json
import re
from dataclasses import asdict

from sparkdesk.chat.history.kept import Kept, title_of
from sparkdesk.chat.messages import Message, fenced
from sparkdesk.chat_format.reasoning import split_reply
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import UsageError

MARKDOWN, JSON = "markdown", "json"
_VERSION = 1
"""Of the JSON: a later one may hold more, never less."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_THOUGHTS = "<details><summary>Thoughts</summary>\n\n{thought}\n\n</details>"
_NAMES = {"user": "You", "assistant": "Assistant", "system": "System"}


def exported(kept: Kept, *, form: str) -> str:
    """Raises UsageError for a form there is not."""
    if form == MARKDOWN:
        return _markdown(kept)
    if form == JSON:
        return _json(kept)
    raise UsageError(f"{form!r} is not an export format.", f"There are {MARKDOWN} and {JSON}.")


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
    reasoning, answer = _parts(message)
    thoughts = [_THOUGHTS.format(thought=_with_fences_closed(reasoning))] if reasoning else []
    said = [_with_fences_closed(answer.strip("\n"))] if answer else []
    cost = [f"*{_cost(message.stats)}*"] if message.stats is not None and message.stats.generated else []
    return "\n\n".join([heading, *files, *thoughts, *said, *note, *cost])


def _cost(stats: ReplyStats) -> str:
    """What a turn took, in a line."""
    first_ms = stats.first_token_ms
    told = [f"First token after {first_ms / 1e3:.2f} s"] if first_ms is not None else []
    if stats.cached_tokens is not None:
        told.append(f"{stats.cached_tokens:,} prompt tokens cached, {stats.prefilled_tokens:,} new")
    speed = f" at {stats.tokens_per_second:.1f} a second" if stats.tokens_per_second else ""
    return " · ".join([*told, f"{stats.generated:,} tokens{speed}"])


def _cost_as_json(stats: ReplyStats) -> dict[str, object]:
    first_ms = stats.first_token_ms
    return {
        "first_token_ms": round(first_ms, 3) if first_ms is not None else None,
        "cached_tokens": stats.cached_tokens,
        "new_tokens": stats.prefilled_tokens if stats.cached_tokens is not None else None,
        "generated": stats.generated,
        "tokens_per_second": round(stats.tokens_per_second, 2),
    }


def _parts(message: Message) -> tuple[str, str]:
    """Reasoning and answer; what a user wrote is never reasoning."""
    if message.role != "assistant":
        return "", message.content
    parts = split_reply(message.content)
    return parts.reasoning, parts.answer


def _with_fences_closed(text: str) -> str:
    """A reply that was cut within a block of code would make code of all that follows it."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark.group(1)
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
    return f"{text}\n{fence}" if fence else text


def _told_apart(message: Message) -> dict[str, str]:
    """Of a reply: its parts, beside the text as the model wrote it."""
    if message.role != "assistant":
        return {}
    reasoning, answer = _parts(message)
    return {"reasoning": reasoning, "answer": answer}


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
            **_told_apart(node.message),
            "attachments": [asdict(each) for each in node.message.attachments],
            "is_partial": node.message.is_partial,
            "note": node.message.note,
            "model": node.message.model,
            "cost": _cost_as_json(node.message.stats) if node.message.stats is not None else None,
            "stats": node.message.stats.as_json() if node.message.stats is not None else None,
        }
        for number, node in kept.tree.nodes()
    ]
    title = kept.title or title_of(kept.tree)
    told = {"sparkdesk_conversation": _VERSION, "title": title, "settings": asdict(kept.settings), "messages": messages}
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
