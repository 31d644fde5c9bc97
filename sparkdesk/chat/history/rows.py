"""Messages and settings as a row of the history, and back. What is not understood gets its default."""

import json
from dataclasses import asdict, fields
from functools import partial
from typing import Any, TypeVar

from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import Trace
from sparkdesk.chat.trace_bytes import pack, unpack
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats

Row = tuple[str, str, str, bytes | None]
"""role, content, about, trace"""
Value = TypeVar("Value")


def message_row(message: Message) -> Row:
    about: dict[str, Any] = {}
    if message.is_partial:
        about["is_partial"] = True
    for name in ("note", "model"):
        if getattr(message, name):
            about[name] = getattr(message, name)
    if message.attachments:
        about["attachments"] = [asdict(each) for each in message.attachments]
    if message.stats is not None:
        about["stats"] = {name: value for name, value in asdict(message.stats).items() if value}
    trace = pack(message.trace) if message.trace is not None else None
    return message.role, message.content, json.dumps(about, ensure_ascii=False), trace


def message_of(row: Row) -> Message:
    role, content, said, trace = row
    about = _object(said)
    stats = about.get("stats")
    return Message(
        role,
        content,
        is_partial=bool(about.get("is_partial")),
        stats=_made(ReplyStats, stats) if isinstance(stats, dict) else None,
        note=str(about.get("note", "")),
        attachments=tuple(Attachment(str(each["name"]), str(each["text"])) for each in about.get("attachments", ())),
        trace=Trace.kept(partial(unpack, trace)) if trace is not None else None,
        model=str(about.get("model", "")),
    )


def stats_of(text: str) -> ReplyStats:
    return _made(ReplyStats, _object(text))


def settings_text(settings: ChatSettings) -> str:
    return json.dumps(asdict(settings), ensure_ascii=False)


def settings_of(text: str) -> ChatSettings:
    said = _object(text)
    sampling, speculation = said.pop("sampling", {}), said.pop("speculation", {})
    parts = {"sampling": _made(SamplingSettings, sampling), "speculation": _made(SpeculationSettings, speculation)}
    return _made(ChatSettings, {**said, **parts})


def _object(text: str) -> dict[str, Any]:
    said = json.loads(text)
    return said if isinstance(said, dict) else {}


def _made(kind: type[Value], said: dict[str, Any]) -> Value:
    """Fields that this version does not know are left out; lists were tuples."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every kind here is a dataclass
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items() if name in known}
    return kind(**values)
