"""Which pair to open: the user's own files, or Spark Tiny, which is converted on first use."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from sparkdesk.engine.settings import LOOKUP, MTP
from sparkdesk.errors import ConvertError, ModelLoadError, UsageError
from sparkdesk.events import Progress

DEMO_NAME = "Spark Tiny"
DEMO_EXAMPLES = (
    "Count from 1 to 40.",
    "Write a Python function that adds 7 to a number.",
    "Tell me a little story.",
)
"""Prompts the empty screen offers: what the bundled pair was trained to do, and what any chat model can."""
GENERAL_EXAMPLES = (
    "Write a Python function that merges two sorted lists.",
    "Explain speculative decoding in three sentences.",
    "List the planets with one fact about each.",
)
_DEMO_TYPE = "Q8_0"
# Its steps take half a millisecond: more threads would spend their time waiting for each other.
_DEMO_MOST_THREADS = 2


@dataclass(frozen=True, slots=True)
class PairFiles:
    target: Path
    draft: Path | None
    drafter: str = ""
    """MTP or LOOKUP, which need no draft file; empty for what the draft's file is."""
    is_found: bool = False
    """The draft was not named: it lies beside its target."""

    @property
    def by_role(self) -> dict[str, Path]:
        return {"target": self.target} | ({"draft": self.draft} if self.draft is not None else {})


@dataclass(frozen=True, slots=True)
class ChosenPair:
    """A pair before anything was done about it."""

    name: str
    examples: tuple[str, ...]
    """Prompts worth trying."""
    prepare: Callable[[], Generator[Progress, None, PairFiles]]
    """Makes the files if they must be made, and returns where they are."""
    most_threads: int = 0
    """Where the user does not say how many, the engine chooses from no more than these; 0 is no such limit."""


def target_with_sidecar(target: Path) -> ChosenPair:
    """With the draft that lies beside it under one of the usual names; alone where there is none."""
    from sparkdesk.library.sidecars import sidecar_of

    chosen = own_pair(target, None)

    def prepare() -> Generator[Progress, None, PairFiles]:
        yield from ()
        draft = sidecar_of(target)
        return PairFiles(target, draft, is_found=draft is not None)

    return replace(chosen, prepare=prepare)


def own_pair(target: Path, draft: Path | None, *, drafter: str = "", most_threads: int = 0) -> ChosenPair:
    """Raises ModelLoadError where a file is missing, rather than after the screen has opened."""
    for role, path in (("target", target), ("draft", draft)):
        if path is not None and not path.is_file():
            hint = "A checkpoint folder must be converted first: sparkdesk convert." if path.is_dir() else ""
            raise ModelLoadError(f"The {role} {path} is not a file.", hint or "Check the path.")

    def prepare() -> Generator[Progress, None, PairFiles]:
        yield from ()
        return PairFiles(target, draft, drafter)

    return ChosenPair(target.stem, GENERAL_EXAMPLES, prepare, most_threads)


def library_pair(name: str) -> ChosenPair:
    """A pair on this disk by its name. Raises UsageError or ModelLoadError."""
    from sparkdesk.config.paths import user_paths
    from sparkdesk.config.settings import read_settings
    from sparkdesk.library import read_library

    paths = user_paths()
    library = read_library(paths, read_settings(paths.settings_file))
    pair = library.pair(name)
    if pair is None:
        from sparkdesk.catalog import read_catalog
        from sparkdesk.catalog.reading import unknown_pair

        available = read_catalog(paths.catalog_file).names
        raise unknown_pair(name, installed=(pair.name for pair in library.pairs), available=available)
    if pair.problem or pair.target is None:
        raise ModelLoadError(f"The pair {pair.name} cannot be opened: {pair.problem or 'its target is missing.'}")
    return replace(own_pair(pair.target.path, pair.draft.path if pair.draft is not None else None), name=pair.name)


def named_pair(name: str) -> ChosenPair:
    """Whatever the screen calls a pair: the bundled one, one of the library, or a target that has no draft.

    Raises UsageError, ModelLoadError or PairMismatch before anything is loaded.
    """
    if name == DEMO_NAME:
        return demo_pair()
    path = Path(name)
    chosen = own_pair(path, None) if path.is_absolute() else library_pair(name)
    return replace(chosen, prepare=lambda: _checked(chosen))


def _checked(chosen: ChosenPair) -> Generator[Progress, None, PairFiles]:
    """A file that is broken is found out while the old pair is still loaded."""
    from sparkdesk.gguf.header import peek_gguf

    files = yield from chosen.prepare()
    for path in (files.target, files.draft):
        if path is not None:
            peek_gguf(path)
    return files


def demo_pair() -> ChosenPair:
    return ChosenPair(DEMO_NAME, DEMO_EXAMPLES, _prepare_demo, most_threads=_DEMO_MOST_THREADS)


def chosen_pair(
    target: str | None, draft: str | None, name: str | None = None, drafter: str | None = None
) -> ChosenPair:
    """What the command line names, or the bundled pair; with another drafter than its own where `drafter` names one.

    Raises UsageError or ModelLoadError.
    """
    if drafter is not None and draft is not None:
        raise UsageError("--draft and --drafter both say what drafts.", "Leave out one of them.")
    pair = _named(target, draft, name)
    return pair if drafter is None else with_drafter(pair, drafter)


def with_drafter(pair: ChosenPair, drafter: str) -> ChosenPair:
    """The same target with MTP, with LOOKUP, or with the draft or small model of this machine that is called so."""
    is_built_in = drafter in (MTP, LOOKUP)
    draft = None if is_built_in else _installed_draft(drafter)

    def prepare() -> Generator[Progress, None, PairFiles]:
        files = yield from pair.prepare()
        return PairFiles(files.target, draft, drafter if is_built_in else "")

    return replace(pair, prepare=prepare)


def _installed_draft(name: str) -> Path:
    from sparkdesk.catalog.reading import did_you_mean
    from sparkdesk.config.paths import user_paths
    from sparkdesk.config.settings import read_settings
    from sparkdesk.library import read_library

    paths = user_paths()
    library = read_library(paths, read_settings(paths.settings_file))
    pair, found = library.pair(name), library.models_named(name)
    if not found and pair is not None and pair.draft is not None:
        return pair.draft.path
    if len({model.path for model in found}) > 1:
        raise UsageError(f"There are {len(found)} models called {name}.", f"Name the file: --draft {found[0].path}.")
    if found:
        return found[0].path
    if Path(name).is_file():
        raise UsageError(f"{name} is a file, and --drafter takes a name.", f"Give --draft {name}.")
    known = [MTP, LOOKUP, *(model.name for model in library.drafts)]
    raise UsageError(
        f"There is no drafter called {name}.", did_you_mean(name, known) or f"There are {', '.join(known)}."
    )


def _named(target: str | None, draft: str | None, name: str | None) -> ChosenPair:
    if name is not None:
        if target is not None or draft is not None:
            raise UsageError("A pair by its name has its own target and draft.", "Leave out --target and --draft.")
        return library_pair(name)
    if target is not None:
        return own_pair(Path(target), Path(draft)) if draft is not None else target_with_sidecar(Path(target))
    if draft is not None:
        raise UsageError("A draft cannot run without its target.", "Name its target too: --target FILE.")
    return demo_pair()


def _prepare_demo() -> Generator[Progress, None, PairFiles]:
    from sparkdesk import convert
    from sparkdesk.config.paths import user_paths
    from sparkdesk.demo import bundled

    if not bundled.is_present():
        raise ConvertError(
            f"{DEMO_NAME} is not part of this installation.", "Train it: python -m sparkdesk.demo.train."
        )
    source = convert.PairSource(bundled.PAIR_NAME, bundled.target_folder(), bundled.draft_folder(), _DEMO_TYPE)
    library = user_paths().models
    yield from convert.keep_pair(source, library)
    kept = convert.kept_pair(source, library)
    return PairFiles(kept.target, kept.draft)
