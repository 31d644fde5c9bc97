"""Messages and settings as a row of the history, and back.

A row comes from a file that anything may have happened to: what is not understood gets its default, and where what was
said itself cannot be told, ValueError.
"""

import json
import math
import struct
import types
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from functools import cache, partial
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN, REPEATED, Parts, RoundMark, Stretch, Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats

_VERSION = 1
_SOURCES = ("", DRAFTED, REPEATED, BONUS, PLAIN)
_HEAD = struct.Struct("<BI")
_STRETCH = struct.Struct("<HBBB")
_ROUND = struct.Struct("<BBBBf")
_UNKNOWN = 255
_LONGEST = 0xFFFF
_SPECULATING, _PARKED = 0x40, 0x80
_MOST_BYTES = 1 << 26
_MOST_MS = 1e9


def pack(trace: Trace) -> bytes:
    """Confidences are kept to half a percent, times to a millionth, counts up to 255."""
    stretches = [part for each in trace.stretches for part in _parts(each)]
    written = [_HEAD.pack(_VERSION, len(stretches)), *map(_pack_stretch, stretches), *map(_pack_round, trace.rounds)]
    return zlib.compress(b"".join(written))


def unpack(packed: bytes) -> Parts:
    """Nothing where the bytes make no sense: a picture is lost, not the reply."""
    try:
        data = zlib.decompressobj().decompress(packed, _MOST_BYTES)
        version, count = _HEAD.unpack_from(data)
        if version != _VERSION:
            return (), ()
        end = _HEAD.size + count * _STRETCH.size
        stretches = tuple(map(_unpack_stretch, _STRETCH.iter_unpack(data[_HEAD.size : end])))
        return stretches, tuple(map(_unpack_round, _ROUND.iter_unpack(data[end:])))
    except (zlib.error, struct.error, IndexError):
        return (), ()


def _parts(stretch: Stretch) -> Sequence[Stretch]:
    if stretch.length <= _LONGEST:
        return (stretch,)
    rest = Stretch(stretch.length - _LONGEST, stretch.source, stretch.position, stretch.confidence)
    return (Stretch(_LONGEST, stretch.source, stretch.position, stretch.confidence), *_parts(rest))


def _pack_stretch(stretch: Stretch) -> bytes:
    confidence = _UNKNOWN if stretch.confidence is None else round(254 * min(1.0, max(0.0, stretch.confidence)))
    return _STRETCH.pack(stretch.length, _SOURCES.index(stretch.source), min(stretch.position, 255), confidence)


def _unpack_stretch(fields: tuple[int, ...]) -> Stretch:
    length, source, position, confidence = fields
    return Stretch(length, _SOURCES[source], position, None if confidence == _UNKNOWN else confidence / 254)


def _pack_round(mark: RoundMark) -> bytes:
    flags = _SOURCES.index(mark.source) | _SPECULATING * mark.is_speculating | _PARKED * mark.is_parked
    counts = (min(255, count) for count in (mark.tokens, mark.verified, mark.accepted))
    return _ROUND.pack(*counts, flags, mark.elapsed_ms)


def _unpack_round(fields: tuple[int, int, int, int, float]) -> RoundMark:
    tokens, verified, accepted, flags, elapsed_ms = fields
    source = _SOURCES[flags & 0x3F]
    is_time = 0 <= elapsed_ms < _MOST_MS  # not so where the bytes were damaged
    time_ms = elapsed_ms if is_time else 0.0
    return RoundMark(tokens, verified, accepted, source, bool(flags & _SPECULATING), bool(flags & _PARKED), time_ms)


Row = tuple[str, str, str, bytes | None]
"""role, content, about, trace"""
Value = TypeVar("Value")
_LONGEST_ROLE = 32
_LARGEST = 1 << 53
"""Of a number; figures beyond it are none."""


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
    return message.role, storable(message.content), storable(json.dumps(about, ensure_ascii=False)), trace


def message_of(role: object, content: object, said: object, trace: object) -> Message:
    """Raises ValueError where it cannot be told who said what."""
    if not isinstance(role, str) or not role.isidentifier() or len(role) > _LONGEST_ROLE:
        raise ValueError("nobody said it")
    if not isinstance(content, str):
        raise ValueError("nothing was said")
    about = _object(said)
    stats = about.get("stats")
    return Message(
        role,
        content,
        is_partial=bool(about.get("is_partial")),
        stats=_made(ReplyStats, stats) if isinstance(stats, dict) else None,
        note=text_of(about.get("note")),
        attachments=tuple(_attachments(about.get("attachments"))),
        trace=Trace.kept(partial(unpack, trace)) if isinstance(trace, bytes) else None,
        model=text_of(about.get("model")),
    )


def tree_of(said: Iterable[tuple[object, ...]], shown: object) -> MessageTree:
    """Out of rows of number, parent, role, content, about and trace, in the order of their numbers.

    Raises ValueError where one cannot be told, or follows none that is there: a loop too.
    """
    tree, known = MessageTree(), set[int]()
    for number, parent, *row in said:
        if not isinstance(number, int) or number < 0 or number in known:
            raise ValueError("a message has no number of its own")
        if parent is not None and (not isinstance(parent, int) or parent not in known):
            raise ValueError("a message follows none that is there")
        tree.put(number, message_of(*row), parent)
        known.add(number)
    leaves = _parsed(shown)
    for leaf in leaves if isinstance(leaves, list) else ():
        if type(leaf) is int and leaf in known:
            tree.show(leaf)
    if known and not tree.shown:
        tree.show(max(known))
    return tree


def stats_of(text: object) -> ReplyStats:
    return _made(ReplyStats, _object(text))


def settings_text(settings: ChatSettings) -> str:
    return storable(json.dumps(asdict(settings), ensure_ascii=False))


def storable(text: str) -> str:
    """Halves of characters, as in the name of a file that is not UTF-8, are no text that a database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def settings_of(text: object) -> ChatSettings:
    said = _object(text)
    parts = {
        "sampling": _made(SamplingSettings, said.pop("sampling", {})),
        "speculation": _made(SpeculationSettings, said.pop("speculation", {})),
    }
    return _made(ChatSettings, {**said, **parts})


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _attachments(given: object) -> Iterable[Attachment]:
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("text"), str):
            yield Attachment(each["name"], each["text"])


def _object(text: object) -> dict[str, Any]:
    said = _parsed(text)
    return said if isinstance(said, dict) else {}


def _parsed(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _made(kind: type[Value], said: object) -> Value:
    """Fields that this version does not know, or whose value is none of theirs, are left out; lists were tuples."""
    hints, values = _hints(kind), {}  # type: ignore[arg-type]  # every class is hashable
    for field in fields(kind):  # type: ignore[arg-type]  # every kind here is a dataclass
        value = said.get(field.name, _object) if isinstance(said, dict) else _object
        value = tuple(value) if isinstance(value, list) else value
        if _fits(value, hints[field.name]):
            values[field.name] = value
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(each, get_args(hint)[0]) for each in value)
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return abs(value) < _LARGEST and math.isfinite(value)
    if hint is int:
        return type(value) is int and abs(value) < _LARGEST
    return isinstance(value, hint)
