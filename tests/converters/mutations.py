"""Sound files, broken in ways a download, an editor or a stranger might break them. One seed, one breakage."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31 - 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "x", "1", "\0", "\ud800", "../x", "a/b", "é" * 300, [], [[]], [None], [1, 2], ["a"],
    {}, {"a": 1}, {"type": "BPE"}, {"content": "x"}, {"Regex": 1}, [{}], [[1, 2]], [["a", "b"]], [["a", 1]],
    [{"id": 0, "content": "x"}], [{"pattern": "x"}], [{"pattern": {}}],
)  # fmt: skip
_DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return mutate_bytes(content, rng)
    if rng.random() < 0.01:
        return _DEEP
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        document = _changed(document, rng)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        _BYTE_CHANGES[rng.randrange(len(_BYTE_CHANGES))](data, rng)
    return bytes(data)


def _changed(document: Any, rng: random.Random) -> Any:
    """One value somewhere replaced, removed, doubled or swapped; places near the top as likely as deep ones."""
    document = copy.deepcopy(document)
    holder: Any = None
    key: Any = None
    place = document
    while isinstance(place, dict | list) and place and (holder is None or rng.random() < 0.6):
        holder = place
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        place = place[key]
    if holder is None:
        return rng.choice(_STRANGE)
    action = rng.random()
    if action < 0.15:
        del holder[key]
    elif action < 0.25 and isinstance(place, int) and not isinstance(place, bool):
        holder[key] = place + rng.choice((-1, 1, 10**6, -(10**6)))
    elif action < 0.35 and isinstance(holder, dict):
        holder[rng.choice(list(holder))] = copy.deepcopy(place)
    else:
        holder[key] = copy.deepcopy(rng.choice(_STRANGE))
    return document


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    number = rng.choice((0, 1, 0xFF, 2**31, 2**32 - 1, 2**63, 2**64 - 1, rng.getrandbits(64), rng.getrandbits(16)))
    at, width = _place(data, rng), rng.choice((1, 2, 4, 8))
    data[at : at + width] = number.to_bytes(8, "little")[:width]


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _remove(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.randrange(1, 40)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.randrange(1, 40)]


def _place(data: bytearray, rng: random.Random) -> int:
    """Mostly in the first stretch: headers are there, and a flipped weight is no fault."""
    length = max(1, len(data))
    return rng.randrange(length if rng.random() < 0.2 else min(length, rng.choice((64, 1024, 16_384))))


_BYTE_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _overwrite, _cut, _remove, _repeat)
