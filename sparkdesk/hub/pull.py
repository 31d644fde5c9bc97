"""Getting a model, or both models of a pair, by whatever name the user gives."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.catalog import Catalog, PairEntry
from sparkdesk.catalog.entry import ModelEntry
from sparkdesk.catalog.reading import unknown_pair
from sparkdesk.errors import HubUnreachable, NotOnHub, SparkDeskError, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION, gguf_choices
from sparkdesk.hub.client import Hub
from sparkdesk.hub.download import Need, download
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import GGUF, ModelSource, find_model
from sparkdesk.hub.source import read_source
from sparkdesk.local_path import expanded


def find_target(
    lookup: Lookup, entry: ModelEntry, *, quantization: str = ""
) -> Generator[Progress | Notice, None, ModelSource]:
    # Where a checkpoint could be converted instead, a repository without the usual type is passed over.
    wanted = (quantization or (DEFAULT_QUANTIZATION if entry.checkpoint else "")).upper()
    return (yield from _find(lookup, entry, wanted, is_draft=False))


def find_draft(lookup: Lookup, entry: ModelEntry) -> Generator[Progress | Notice, None, ModelSource]:
    return (yield from _find(lookup, entry, "", is_draft=True))


def _find(
    lookup: Lookup, entry: ModelEntry, quantization: str, *, is_draft: bool
) -> Generator[Progress | Notice, None, ModelSource]:
    """A ready-made file saves downloading the whole checkpoint; a repository that lost its files is passed over."""
    failure: SparkDeskError | None = None
    for source in entry.gguf:
        try:
            return (yield from find_model(lookup, source.repository, quantization=quantization, is_draft=is_draft))
        except (NotOnHub, UsageError, HubUnreachable) as error:  # without a network the next one may be on the disk
            failure = error
    if entry.checkpoint:
        return (yield from find_model(lookup, entry.checkpoint, is_draft=is_draft))
    assert failure is not None
    raise failure


TARGET, DRAFT, MODEL = "target", "draft", "model"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is on this disk."""

    role: str
    """TARGET or DRAFT of a pair, or just a MODEL."""
    source: ModelSource
    path: Path


def named_pair(catalog: Catalog, given: str) -> PairEntry | None:
    """The catalogue's pair of that name; None where it can only be a repository or a path. Raises UsageError."""
    entry = catalog.find(given)
    if entry is None and "/" not in given and not expanded(given).exists():
        raise unknown_pair(given, available=catalog.names)
    return entry


def find_models(
    lookup: Lookup, entry: PairEntry | None, given: str, *, quantization: str = ""
) -> Generator[Progress | Notice, None, dict[str, ModelSource]]:
    """By their roles: both of a pair, or the one model that `given` names. Raises DownloadError or UsageError."""
    if entry is None:
        read_source(given)  # before anybody is asked
        model = yield from find_model(lookup, given, quantization=quantization)
        yield from _drafts_beside(model)
        return {MODEL: model}
    target = yield from find_target(lookup, entry.target, quantization=quantization)
    draft = yield from find_draft(lookup, entry.draft)
    return {TARGET: target, DRAFT: draft}


def _drafts_beside(model: ModelSource) -> Generator[Notice, None, None]:
    """Says that the repository of a target holds drafts of it too."""
    if model.wanted is None or model.kind != GGUF:
        return
    repository, file = model.wanted.repository, model.file
    drafts = gguf_choices(repository, is_draft=True)
    if drafts and all(file != each.path for choice in drafts for each in choice.files):
        names = ", ".join(choice.files[0].name for choice in drafts[:3])
        yield Notice(
            f"{repository.name} also holds drafts: {names}. For both: sparkdesk build NAME --target {repository.name} "
            f"--draft {repository.name}."
        )


def fetch_models(
    hub: Hub, models: dict[str, ModelSource], *, later: Sequence[Need] = ()
) -> Generator[Progress | Notice, None, tuple[Pulled, ...]]:
    """By their roles. Closing it keeps what has come. Raises DownloadError."""
    wanted = [model.wanted for model in models.values() if model.wanted is not None]
    yield from download(hub, wanted, later=later)
    cache = HubCache(hub.cache_folder)
    return tuple(Pulled(role, model, model.path(cache)) for role, model in models.items())
