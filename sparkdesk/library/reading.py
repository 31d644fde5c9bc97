"""Puts the library together: walks the places, reads the headers, and says what every file is."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from converters.gguf_rules import missing_key
from converters.regular_file import open_regular
from sparkdesk.config.paths import Paths
from sparkdesk.config.settings import Settings
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.pairing import OLD_DRAFT_ARCHITECTURE, DraftKind, draft_kind
from sparkdesk.gguf.parts import joined
from sparkdesk.library import files
from sparkdesk.library.files import FoundModel
from sparkdesk.library.headers import Headers
from sparkdesk.library.model import DRAFT, OTHER, TARGET, Library, Model, parameter_count, quantization_of
from sparkdesk.library.model_dirs import Place, find_places, read_last_used, repository_of
from sparkdesk.library.pairs import find_pairs
from sparkdesk.local_path import real_path

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


_NO_LANGUAGE_MODELS = {
    "clip": "a projector for pictures, not a language model",
    "bert": "a model for embeddings, which does not chat",
    "nomic-bert": "a model for embeddings, which does not chat",
    "jina-bert-v2": "a model for embeddings, which does not chat",
    "whisper": "a model for speech",
}
_NO_MODELS = {"adapter": "an adapter, not a whole model", "imatrix": "an importance matrix, not a model"}


def read_library(paths: Paths, settings: Settings) -> Library:
    """Everything there is now. Reads headers only, and those that it knows from the cache."""
    places = find_places(paths.models, settings.model_folders)
    return read_places(places, paths)


def read_places(places: tuple[Place, ...], paths: Paths) -> Library:
    headers, last_used = Headers(paths.headers_file), read_last_used(paths.last_used_file)
    models = mark_twins([_model(found, headers, last_used) for found in files.find_models(places)])
    headers.save()
    return Library(models, find_pairs(models, paths.models), files.find_partials(places), places)


def _model(found: FoundModel, headers: Headers, last_used: Mapping[str, float]) -> Model:
    first = found.files[0]
    model = Model(
        name=found.name,
        path=first.path,
        files=tuple(file.path for file in found.files),
        place=first.place,
        role=OTHER,
        size_bytes=found.size_bytes,
        repo=repository_of(first.path, first.place),
        last_used_s=last_used.get(str(real_path(first.path)), 0.0),
    )
    if found.missing:
        listed = ", ".join(map(str, found.missing))
        return replace(model, problem=f"Of its {found.part_count} parts, these are missing: {listed}.")
    read = [headers.read(file) for file in found.files]
    problem = next((each for each in read if isinstance(each, str)), "")
    if problem:
        return replace(model, problem=problem)
    header = joined([each for each in read if isinstance(each, GgufFile)])
    role, problem = _role(header)
    return replace(
        model,
        role=role,
        problem=problem,
        header=header,
        quantization=quantization_of(header),
        parameter_count=parameter_count(header),
    )


def _role(header: GgufFile) -> tuple[str, str]:
    kind, architecture = str(header.metadata.get("general.type", "")), header.architecture
    if kind in _NO_MODELS:
        return OTHER, f"{_NO_MODELS[kind]}."
    if architecture in _NO_LANGUAGE_MODELS:
        return OTHER, f"{_NO_LANGUAGE_MODELS[architecture]}."
    if not architecture or not header.tensors:
        return OTHER, "it holds no weights."
    if architecture == OLD_DRAFT_ARCHITECTURE:
        return DRAFT, "in the early 'dspark' format that nothing loads any more: convert it again."
    missing = missing_key(header.metadata)
    problem = f"its header does not say {missing}." if missing else ""
    return (TARGET if draft_kind(header) is DraftKind.SMALL_MODEL else DRAFT), problem
