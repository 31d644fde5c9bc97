"""Removing from the library: first a plan that says what goes and what else would lose it, then the deed."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk import hub_layout
from sparkdesk.catalog.reading import did_you_mean
from sparkdesk.errors import SparkDeskError, UsageError
from sparkdesk.library.model import Library, Model, Pair, Partial
from sparkdesk.library.model_dirs import HUB, LM_STUDIO, OURS, Place
from sparkdesk.local_path import real_path

_OWNERS = {HUB: "the hub's cache, which other programs share", LM_STUDIO: "LM Studio's folder"}


@dataclass(frozen=True, slots=True)
class Removal:
    """What would be deleted; nothing has been yet."""

    what: str
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    """Deleted with everything in them: folders of ours, or repositories of the hub's cache."""
    freed_bytes: int = 0
    losers: tuple[str, ...] = ()
    """Built pairs that would be left without a part."""
    outside: tuple[str, ...] = ()
    """Whose folders it reaches into, in words, where they are not ours."""
    kept: tuple[Path, ...] = ()
    """Parts of a pair that stay, because they lie elsewhere."""
    tops: tuple[Path, ...] = ()
    """The places themselves, which stay when nothing is left in them."""


def plan_removal(library: Library, name: str) -> Removal:
    """Of a pair, a model or an unfinished file, by name or path. Raises UsageError where it is not clear which."""
    pair = library.pair(name)
    if pair is not None and pair.folder is not None:
        return _of_pair(library, pair, pair.folder)
    model = library.model(name)
    if model is not None:
        return _of_model(library, model)
    partial = next((each for each in library.partials if each.path in (Path(name), Path(name).absolute())), None)
    if partial is not None:
        return _of_partials([partial], partial.path.name)
    named = library.models_named(name)
    if named:
        listed = " ".join(f"{model.path}" for model in named)
        raise UsageError(f"{len(named)} models are called {name}.", f"Name one by its file: {listed}")
    known = (*(pair.name for pair in library.pairs if pair.is_built), *(model.name for model in library.models))
    raise UsageError(
        f"There is no pair, model or incomplete download called {name}.",
        did_you_mean(name, known) or "See: sparkdesk list.",
    )


def plan_sweep(library: Library) -> Removal:
    """Of everything unfinished that nobody has written to lately."""
    return _of_partials(
        [each for each in library.partials if not each.is_in_use], "incomplete downloads and conversions"
    )


def remove(removal: Removal) -> None:
    """Do it. Raises SparkDeskError at the first file that cannot be deleted."""
    try:
        for path in removal.files:
            path.unlink(missing_ok=True)
        for folder in removal.folders:
            shutil.rmtree(folder)
        for path in removal.files:
            _drop_empty(path.parent, removal.tops)
    except OSError as error:
        raise SparkDeskError(
            f"{error.filename} cannot be removed: {error.strerror or error}.", "Check who may write to its folder."
        ) from error


def _of_pair(library: Library, pair: Pair, folder: Path) -> Removal:
    inside = [model for model in library.models if folder in model.path.parents]
    kept = [model.path for model in pair.models if model not in inside]
    losers = [each.name for model in inside for each in _built_with(library, model) if each is not pair]
    return Removal(
        what=f"the pair {pair.name}",
        folders=(folder,),
        freed_bytes=sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()),
        losers=tuple(dict.fromkeys(losers)),
        kept=tuple(kept),
    )


def _of_model(library: Library, model: Model) -> Removal:
    paths = tuple(dict.fromkeys(path for file in model.files for path in _names(file, model.place, library)))
    repository = _emptied_repository(model.place, paths)
    return Removal(
        what=f"the {model.role} {model.name}" if model.is_usable else model.name,
        files=() if repository else paths,
        folders=(repository,) if repository else (),
        freed_bytes=model.size_bytes,
        losers=tuple(pair.name for pair in _built_with(library, model)),
        outside=_owners([model.place]),
        tops=tuple(place.folder for place in library.places),
    )


def _of_partials(partials: Iterable[Partial], what: str) -> Removal:
    partials = tuple(partials)
    return Removal(
        what=what,
        files=tuple(each.path for each in partials if not each.path.is_dir()),
        folders=tuple(each.path for each in partials if each.path.is_dir()),
        freed_bytes=sum(each.size_bytes for each in partials),
        outside=_owners(each.place for each in partials),
    )


def _built_with(library: Library, model: Model) -> tuple[Pair, ...]:
    return tuple(pair for pair in library.pairs_with(model) if pair.is_built)


def _owners(places: Iterable[Place]) -> tuple[str, ...]:
    strangers = (place for place in places if place.kind != OURS)
    return tuple(dict.fromkeys(_OWNERS.get(place.kind, f"your folder {place.folder}") for place in strangers))


def _names(path: Path, place: Place, library: Library) -> Iterator[Path]:
    """The file, what it links to, and in the hub's cache all its revisions' links to the same bytes."""
    real = real_path(path)
    yield path
    if place.kind == HUB:
        snapshots = _repository(path, place) / hub_layout.SNAPSHOTS
        yield from (link for link in sorted(snapshots.rglob(path.name)) if real_path(link) == real)
    if any(real_path(each.folder) in real.parents for each in library.places):
        yield real


def _emptied_repository(place: Place, paths: tuple[Path, ...]) -> Path | None:
    """The repository's folder in the hub's cache, when nothing downloaded would be left in it."""
    if place.kind != HUB:
        return None
    repository = _repository(paths[0], place)
    left = [
        path for path in (repository / hub_layout.SNAPSHOTS).glob("**/*") if not path.is_dir() and path not in paths
    ]
    return repository if not left and not hub_layout.partials(repository) else None


def _repository(path: Path, place: Place) -> Path:
    return place.folder / path.relative_to(place.folder).parts[0]


def _drop_empty(folder: Path, tops: Iterable[Path]) -> None:
    """Folders below `tops` that held nothing but what was removed."""
    tops = tuple(tops)
    while any(top in folder.parents for top in tops) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
