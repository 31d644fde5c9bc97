"""The rows of the models screen's four lists. Pure: values in, cells out; knows nothing of widgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.builder.catalog_state import Contents, Listed
from sparkdesk.hub.search import Hit
from sparkdesk.library.model import DRAFT, TARGET, Library, Model, Pair, Partial
from sparkdesk.sizes import day_in_words, parameters_in_words, size_in_words

if TYPE_CHECKING:
    from sparkdesk.builder.estimate import Forecast

INSTALLED, CATALOGUE, SEARCH, INCOMPLETE = "installed", "catalogue", "search", "incomplete"
SECTIONS = {INSTALLED: "Installed", CATALOGUE: "Catalogue", SEARCH: "Search", INCOMPLETE: "Incomplete"}


@dataclass(frozen=True, slots=True)
class Bundled:
    """The pair that comes with SparkDesk, where it was not opened yet."""

    name: str


Item = Pair | Model | Partial | Listed | Hit | Bundled


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    """The same thing has the same key when the list is read again."""
    cells: tuple[str, ...]
    """The first one gives way where there is little room."""
    item: Item
    trouble: str = ""
    """What is wrong with it."""


@dataclass(frozen=True, slots=True)
class Heading:
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """In place of rows: what to do next."""

    text: str


Line = Row | Heading | Remark


def rows_installed(contents: Contents, *, bundled: str, now_s: float) -> Iterator[Line]:
    library = contents.library
    built = [pair for pair in library.pairs if pair.is_built]
    yield Heading(("Pairs", "quantization", "size", "used", ""))
    if not any(is_bundled(pair, bundled) for pair in built):
        yield Row("bundled", (bundled, "", "", "", "built in"), Bundled(bundled))
    for pair in sorted(built, key=lambda pair: -pair.last_used_s):
        yield _pair(pair, bundled=bundled, now_s=now_s)
    if not any(not is_bundled(pair, bundled) for pair in built):
        yield Remark("No pairs of your own yet. Press → for the catalogue, then Enter to download one.")
    yield from _models("Targets", TARGET, library, now_s)
    yield from _models("Drafts", DRAFT, library, now_s)
    unusable = [model for model in library.models if not model.is_usable]
    if unusable:
        yield Heading(("Not usable", "", "size", "", ""))
    for model in unusable:
        cells = (model.path.name, "", size_in_words(model.size_bytes), "", model.place.kind)
        yield Row(f"model {model.path}", cells, model, _reason(model))


def rows_of_catalogue(contents: Contents, asked: dict[str, Forecast | None]) -> Iterator[Line]:
    yield Heading(("Pair", "state", "size", "licences"))
    for listed in contents.catalogue:
        entry, forecast = listed.entry, asked.get(listed.entry.name)
        size = size_in_words(forecast.download_bytes) if forecast is not None and forecast.download_bytes else ""
        licences = ", ".join(dict.fromkeys(each.licence or "not stated" for each in (entry.target, entry.draft)))
        yield Row(f"entry {entry.name}", (entry.title, listed.state, size, licences), listed)


def rows_of_hits(hits: Sequence[Hit] | None, text: str) -> Iterator[Line]:
    if hits is None:
        yield Remark(
            "Type part of a name above, such as qwen3-8b, and press Enter. Only models SparkDesk can run are listed."
        )
        return
    if not hits:
        yield Remark(f"No matches for “{text}” among the models SparkDesk can run.")
        return
    yield Heading(("Repository", "", "downloads", ""))
    for hit in hits:
        form = f"{'GGUF' if hit.is_gguf else 'checkpoint'}{' gated' if hit.model.is_gated else ''}"
        cells = (hit.model.name, hit.role, f"{hit.model.downloads:,}", form)
        yield Row(f"hit {hit.model.name}", cells, hit)


def rows_incomplete(library: Library) -> Iterator[Line]:
    if not library.partials:
        yield Remark("No incomplete downloads. Interrupted ones appear here, to be resumed or removed.")
        return
    yield Heading(("File", "", "size", "state"))
    for partial in library.partials:
        state = "in progress" if partial.is_in_use else "interrupted"
        yield Row(f"partial {partial.path}", (name_of(partial), "", size_in_words(partial.size_bytes), state), partial)


def name_of(partial: Partial) -> str:
    """A download's file has a number for a name, so its repository is said."""
    from sparkdesk.library.model_dirs import repository_of

    repository = repository_of(partial.path, partial.place)
    return f"{repository} ({partial.path.name[:8]}…)" if repository else partial.path.name


def is_bundled(pair: Pair, bundled: str) -> bool:
    return pair.name.replace("-", " ").lower() == bundled.lower()


def opened_by(item: Item, bundled: str) -> str:
    """What the desk opens it by; empty for what cannot be opened as it is."""
    match item:
        case Bundled(name):
            return name
        case Pair() if is_bundled(item, bundled):
            return bundled
        case Pair() if not item.problem and item.target is not None:
            return item.name
        case Model(role="target") if item.is_usable:
            return str(item.path)
        case Listed(entry, "ready"):
            return entry.name
        case _:
            return ""


def path_of(item: Item) -> Path | None:
    match item:
        case Pair():
            return item.folder or (item.target.path if item.target is not None else None)
        case Model() | Partial():
            return item.path
        case _:
            return None


def _pair(pair: Pair, *, bundled: str, now_s: float) -> Row:
    about = " + ".join(model.quantization for model in pair.models) or pair.quantization
    name = bundled if is_bundled(pair, bundled) else pair.name
    cells = (name, about, size_in_words(pair.size_bytes), day_in_words(pair.last_used_s, now_s), "")
    return Row(f"pair {pair.folder}", cells, pair, pair.problem)


def _models(title: str, role: str, library: Library, now_s: float) -> Iterator[Line]:
    models = [model for model in library.models if model.role == role and model.is_usable]
    if models:
        yield Heading((title, "", "size", "used", "where"))
    for model in models:
        about = f"{parameters_in_words(model.parameter_count):<5} {model.quantization}".strip()
        used = day_in_words(model.last_used_s, now_s)
        where = "" if model.place.is_ours else model.place.kind
        yield Row(f"model {model.path}", (model.name, about, size_in_words(model.size_bytes), used, where), model)


def _reason(model: Model) -> str:
    reason = model.problem.replace(f"{model.path} ", "It ") or "It cannot be run."
    return reason[:1].upper() + reason[1:]
