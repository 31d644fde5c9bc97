"""Finds the same bytes lying on disk twice, from a few samples of files of the same size."""

import os
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from converters.regular_file import open_regular
from sparkdesk.library.model import Model

_SAMPLE_BYTES = 16 * 1024
_SAMPLES = 8


def mark_twins(models: Iterable[Model]) -> tuple[Model, ...]:
    """The models, where later ones name the earlier one that they repeat."""
    by_size: dict[int, list[Model]] = {}
    marked = []
    for model in models:
        peers = by_size.setdefault(model.size_bytes, [])
        twin = next((peer for peer in peers if model.header is not None and _are_same(peer, model)), None)
        marked.append(model if twin is None else replace(model, same_as=twin.path))
        if twin is None:
            peers.append(model)
    return tuple(marked)


def _are_same(first: Model, second: Model) -> bool:
    if first.header is None or second.header is None or len(first.files) != len(second.files):
        return False
    if first.header.metadata != second.header.metadata:
        return False
    return all(_sampled(one) == _sampled(other) for one, other in zip(first.files, second.files, strict=True))


def _sampled(path: Path) -> bytes:
    """A digest of pieces from all over the file, its end included."""
    digest = sha256()
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            for i in range(_SAMPLES):
                file.seek(max(0, (size - _SAMPLE_BYTES) * i // (_SAMPLES - 1)))
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
        return os.fsencode(path)
    return digest.digest()
