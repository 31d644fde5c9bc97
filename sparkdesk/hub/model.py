"""One model to be had: which files of which repository, or what is on this disk already."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.errors import ModelLoadError, NotOnHub, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.gguf.header import read_gguf
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.choose import checkpoint_files, choose_gguf, gguf_choices, has_gguf, quantization_of
from sparkdesk.hub.download import FileSelection
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.source import HubSource, LocalSource, read_source
from sparkdesk.library import model as library_quantization

GGUF, CHECKPOINT = "gguf", "checkpoint"


@dataclass(frozen=True, slots=True)
class ModelSource:
    kind: str
    """GGUF, which can be run, or CHECKPOINT, which must be converted first."""
    wanted: FileSelection | None
    """None for what lies on this disk, where the user put it."""
    local: Path | None = None
    quantization: str = ""

    def path(self, cache: HubCache) -> Path:
        """The GGUF file (the first, where it was split), or the checkpoint's folder."""
        if self.local is not None:
            return self.local
        assert self.wanted is not None
        place = cache.place(self.wanted.repository, self.wanted.files[0])
        return place if self.kind == GGUF else cache.snapshot(self.wanted.repository)

    @property
    def size_bytes(self) -> int:
        if self.wanted is not None:
            return self.wanted.size_bytes
        assert self.local is not None
        files = [self.local] if self.local.is_file() else [*self.local.glob("*.safetensors")]
        return sum(file.stat().st_size for file in files)

    @property
    def repository(self) -> str:
        """Where it comes from, in words."""
        return self.wanted.repository.name if self.wanted is not None else str(self.local)

    @property
    def revision(self) -> str:
        return self.wanted.repository.revision if self.wanted is not None else ""

    @property
    def file(self) -> str:
        """Within the repository; empty for a checkpoint, which is many."""
        return self.wanted.files[0].path if self.wanted is not None and self.kind == GGUF else ""


def find_model(
    lookup: Lookup, given: str, *, quantization: str = "", is_draft: bool = False
) -> Generator[Progress | Notice, None, ModelSource]:
    """Whatever the user named: GGUF where the repository has it, else the checkpoint."""
    source = read_source(given)
    if isinstance(source, LocalSource):
        return _local(source.path)
    if source.quantization and quantization and source.quantization.upper() != quantization.upper():
        raise UsageError(
            f"{given} asks for {source.quantization}, and --quant for {quantization}.", "Give it only once."
        )
    repository = yield from lookup.repository(source.repository)
    if source.file:
        return _named_file(source, FileSelection(repository, repository.files))
    wanted_quantization = source.quantization or quantization
    if not has_gguf(repository):
        if wanted_quantization and not is_draft:
            yield Notice(f"{repository.name} is a checkpoint: it is converted to {wanted_quantization.upper()} later.")
        return ModelSource(CHECKPOINT, FileSelection(repository, checkpoint_files(repository)))
    are_drafts = is_draft or not gguf_choices(repository)
    choice = choose_gguf(repository, wanted_quantization, is_draft=are_drafts)
    return ModelSource(GGUF, FileSelection(repository, choice.files), quantization=choice.quantization)


def _local(path: Path) -> ModelSource:
    if path.is_dir() and not (path / "config.json").is_file():
        raise UsageError(
            f"{path} holds no config.json, so it is not a checkpoint.", "Name a GGUF file or a checkpoint."
        )
    if path.is_dir():
        return ModelSource(CHECKPOINT, None, path)
    return ModelSource(GGUF, None, path, quantization_of(path.name) or _written_quantization(path))


def _written_quantization(path: Path) -> str:
    """What the file itself says; empty where it cannot be read, which is said later."""
    try:
        return library_quantization.quantization_of(read_gguf(path)).strip("?")
    except ModelLoadError:
        return ""


def _named_file(source: HubSource, all_files: FileSelection) -> ModelSource:
    files = tuple(file for file in all_files.files if file.path == source.file)
    if not files:
        raise NotOnHub(
            f"{source.repository} has no file {source.file}.",
            f"Leave out the file to have one chosen: {source.repository}.",
        )
    return ModelSource(GGUF, FileSelection(all_files.repository, files), quantization=quantization_of(source.file))


def find_begun(lookup: Lookup, repository: str, partial_name: str) -> Generator[Progress | Notice, None, ModelSource]:
    """The model that the file belongs to, with all its files. Raises DownloadError."""
    digest = partial_name.partition(".")[0]
    found = yield from lookup.repository(repository)
    file = next((file for file in found.files if file.digest == digest), None)
    if file is None:
        raise NotOnHub(
            f"{repository} has changed: the file of this download is no longer in it.",
            "Remove the incomplete download, then download the model again.",
        )
    if not file.path.lower().endswith(".gguf"):
        return ModelSource(CHECKPOINT, FileSelection(found, checkpoint_files(found)))
    choices = (*gguf_choices(found), *gguf_choices(found, is_draft=True))
    files = next((choice.files for choice in choices if file in choice.files), (file,))
    return ModelSource(GGUF, FileSelection(found, files), quantization=quantization_of(file.path))
