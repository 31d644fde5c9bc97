"""Puts the library together: walks the places, reads the headers, and says what every file is."""

from collections.abc import Mapping
from dataclasses import replace

from converters.gguf_rules import missing_key
from sparkdesk.config.paths import Paths
from sparkdesk.config.settings import Settings
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.pairing import OLD_DRAFT_ARCHITECTURE, DraftKind, draft_kind
from sparkdesk.gguf.parts import joined
from sparkdesk.library import files
from sparkdesk.library.duplicates import mark_twins
from sparkdesk.library.files import FoundModel
from sparkdesk.library.headers import Headers
from sparkdesk.library.last_used import read_last_used
from sparkdesk.library.model import DRAFT, OTHER, TARGET, Library, Model
from sparkdesk.library.model_dirs import Place, find_places, repository_of
from sparkdesk.library.pairs import find_pairs
from sparkdesk.library.quantization import parameter_count, quantization_of
from sparkdesk.local_path import real_path

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
