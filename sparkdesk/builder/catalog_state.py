"""The models screen's values: pairs of the catalogue and whether they are downloaded, jobs, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkdesk import hub_layout
from sparkdesk.library.model_dirs import HUB

if TYPE_CHECKING:
    from sparkdesk.catalog.entry import ModelEntry, PairEntry
    from sparkdesk.library.model import Library

READY, DOWNLOADED, INCOMPLETE, ABSENT = "ready", "downloaded", "incomplete", "not downloaded"


@dataclass(frozen=True, slots=True)
class Listed:
    """A pair of the catalogue."""

    entry: PairEntry
    state: str
    """READY to open, DOWNLOADED but not built, INCOMPLETE, or ABSENT."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is here, and what is known."""

    library: Library
    catalogue: tuple[Listed, ...] = ()
    problem: str = ""
    """Why the user's own catalogue could not be read; ours is there all the same."""


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Something to be had."""

    name: str
    """A pair's name; of a lone model, its repository."""
    is_pair: bool = True
    quantization: str = ""
    """Empty leaves it to what fits."""
    target: str = ""
    """Repository or path, where the catalogue does not say."""
    draft: str = ""


@dataclass(frozen=True, slots=True)
class JobResult:
    sentence: str
    opens: str = ""
    """The pair that can be opened now; empty for a model alone."""


def state_of(entry: PairEntry, library: Library) -> str:
    """As far as the disk alone can tell."""
    pair = library.pair(entry.name)
    if pair is not None and pair.is_built and not pair.problem:
        return READY
    found = [_parts(model, library) for model in (entry.target, entry.draft)]
    if all(is_here for is_here, _ in found):
        return DOWNLOADED
    return INCOMPLETE if any(is_here or is_begun for is_here, is_begun in found) else ABSENT


def _parts(model: ModelEntry, library: Library) -> tuple[bool, bool]:
    """Whether it is downloaded, and whether something of it is."""
    is_here = is_begun = False
    for place in library.places:
        if place.kind != HUB:
            continue
        for repository in (*(source.repository for source in model.gguf), model.checkpoint):
            if not hub_layout.is_repository(repository):
                continue
            folder = hub_layout.repository_folder(place.folder, repository)
            is_begun = is_begun or bool(hub_layout.partials(folder))
            is_here = is_here or hub_layout.has_weights(folder)
    return is_here and not is_begun, is_begun or is_here
