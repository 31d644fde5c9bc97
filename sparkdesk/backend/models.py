"""What the models screen is given: this user's library, the catalogue, the hub, and building pairs."""

import shutil
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sparkdesk.builder.catalog_state import BuildJob, Contents, JobResult, Listed, state_of
from sparkdesk.config.paths import Paths
from sparkdesk.config.settings import Settings
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import EngineError, UsageError
from sparkdesk.events import SILENCE, Journey, Notice, Report
from sparkdesk.loading.choice import DEMO_NAME
from sparkdesk.local_path import real_path
from sparkdesk.machine.child_processes import python_command
from sparkdesk.sizes import size_in_words

if TYPE_CHECKING:
    from sparkdesk.builder.build import Built
    from sparkdesk.builder.estimate import Forecast, Selection
    from sparkdesk.builder.planning import Planning
    from sparkdesk.catalog import Catalog
    from sparkdesk.fit import FreeMemory, Plan
    from sparkdesk.hub.client import Hub
    from sparkdesk.hub.model import ModelSource
    from sparkdesk.hub.search import Hit
    from sparkdesk.library.model import Library, Model, Pair, Partial
    from sparkdesk.library.removal import Removal
    from sparkdesk.loading.placement import LoadedPair
    from sparkdesk.runner.client import EngineClient

_ROOM_HOLDS_S = 10.0
"""Asking what is free takes a moment where there is a card, and every row of a list asks."""
_BACKGROUND_NICENESS = 15


class Loads(Protocol):
    """What is asked of the backend."""

    @property
    def loaded(self) -> "LoadedPair | None": ...


class LocalModels:
    """Satisfies ui.models.protocol.ModelManager."""

    bundled = DEMO_NAME

    def __init__(self, backend: Loads, paths: Paths, settings: Settings, *, how: Callable[[], LoadSettings]) -> None:
        self._backend, self._paths, self._settings, self._how = backend, paths, settings, how
        self._room: FreeMemory | None = None
        self._room_at_s = 0.0

    # What is here

    def contents(self) -> Contents:
        library, problem = self._library(), ""
        try:
            catalogue = self._catalogue()
        except UsageError as error:  # the user's file; ours is sound
            from sparkdesk.catalog import read_catalog

            catalogue, problem = read_catalog(self._paths.config / "none"), str(error)
        listed = tuple(Listed(entry, state_of(entry, library)) for entry in catalogue.pairs)
        return Contents(library, listed, problem)

    def free(self) -> str:
        room = self._free_memory()
        beside = f"{size_in_words(room.host_bytes)} of memory" if room.host_bytes else ""
        if room.has_gpu and not room.is_shared:
            return f"{size_in_words(room.gpu_bytes)} on the GPU, {beside}".rstrip(", ")
        return beside

    def fit(self, target: "Model", draft: "Model | None") -> "Plan | None":
        from sparkdesk.fit import plan_load, size_from_header
        from sparkdesk.loading.placement import context_of, wanted_by

        if target.header is None:
            return None
        size = size_from_header(target.header)
        beside = size_from_header(draft.header) if draft is not None and draft.header is not None else None
        context = context_of(self._how(), size.trained_context)
        return plan_load(size, beside, self._free_memory(), context_tokens=context, wanted=wanted_by(self._how()))

    # What can be had

    def search(self, text: str) -> "Journey[list[Hit]]":
        from sparkdesk.hub.client import Hub
        from sparkdesk.hub.search import search

        yield SILENCE
        return (yield from search(Hub(), text))

    def ask(self, order: BuildJob) -> "Journey[Forecast | None]":
        from sparkdesk.builder.estimate import estimate
        from sparkdesk.hub.client import Hub

        hub = Hub()
        entry = self._catalogue().find(order.name) if order.is_pair else None
        if order.is_pair:
            wanted = yield from self._planning(hub, order).find(order.quantization)
        else:
            wanted, _ = yield from self._lone(hub, order, order.quantization)
        shape = entry.target.checkpoint if entry is not None and not order.target else ""
        room = self._free_memory()
        return (
            yield from estimate(hub, wanted.shaped_like(shape), room=room, context_tokens=self._how().context_tokens)
        )

    # Getting it

    def get(self, order: BuildJob) -> Journey[JobResult]:
        from sparkdesk.hub.client import Hub

        hub = Hub()
        return (yield from (self._build(hub, order) if order.is_pair else self._pull(hub, order)))

    def resume(self, partial: "Partial") -> Journey[JobResult]:
        from sparkdesk.hub.client import Hub
        from sparkdesk.hub.lookup import Lookup
        from sparkdesk.hub.model import find_begun
        from sparkdesk.hub.pull import MODEL, fetch_models
        from sparkdesk.library.model_dirs import repository_of

        name = repository_of(partial.path, partial.place)
        if not name:
            raise UsageError("This is not a download, so it cannot be resumed.", "Build the pair again.")
        hub = Hub()
        source = yield from find_begun(Lookup(hub), name, partial.path.name)
        yield from fetch_models(hub, {MODEL: source})
        return JobResult(f"{name} is downloaded.")

    def plan_removal(self, what: "Pair | Model | Partial | None") -> "Removal":
        from sparkdesk.library.model import Pair
        from sparkdesk.library.removal import plan_removal, plan_sweep

        library = self._library()
        if what is None:
            return plan_sweep(library)
        self._refuse_loaded(what)
        return plan_removal(library, what.name if isinstance(what, Pair) else str(what.path))

    def remove(self, removal: "Removal") -> None:
        from sparkdesk.library.removal import remove

        remove(removal)

    def _build(self, hub: "Hub", order: BuildJob) -> Journey[JobResult]:
        from sparkdesk.builder.build import build, keep
        from sparkdesk.builder.estimate import choose_quantization

        planning = self._planning(hub, order)
        context = self._how().context_tokens
        yield from choose_quantization(
            hub, planning.find, asked=order.quantization, room=self._free_memory(), context_tokens=context
        )
        for note in planning.plan.notes:
            yield Notice(note)
        built = yield from build(hub, planning.plan, self._paths.models)
        said = "" if built.is_tested else (yield from self._tried(built))
        keep(built)
        return JobResult(f"{order.name} is ready. {said}".rstrip(), opens=order.name)

    def _tried(self, built: "Built") -> Generator[Report, None, str]:
        """Beside the pair that is loaded; where there is no room for both, the chat goes first."""
        from sparkdesk.builder.build import note_tested
        from sparkdesk.loading.choice import own_pair
        from sparkdesk.loading.smoke_test import refuse_divergence, trying

        if not self._has_room_beside(built.target, built.draft):
            return "It was not tested: there is no room for it beside the loaded pair."
        pair = own_pair(built.target, built.draft)
        found = yield from trying(background_engine(self._paths.machine_file), pair, self._how())
        refuse_divergence(found)
        note_tested(built)
        return found.sentence

    def _pull(self, hub: "Hub", order: BuildJob) -> Journey[JobResult]:
        from sparkdesk.builder.estimate import choose_quantization
        from sparkdesk.hub.pull import fetch_models

        models: dict[str, ModelSource] = {}

        def find(quantization: str) -> "Generator[Report, None, Selection]":
            wanted, found = yield from self._lone(hub, order, quantization)
            models.update(found)
            return wanted

        context = self._how().context_tokens
        yield from choose_quantization(
            hub, find, asked=order.quantization, room=self._free_memory(), context_tokens=context
        )
        yield from fetch_models(hub, models)
        return JobResult(f"{order.name} is downloaded.")

    def _lone(
        self, hub: "Hub", order: BuildJob, quantization: str
    ) -> "Generator[Report, None, tuple[Selection, dict[str, ModelSource]]]":
        from sparkdesk.builder.planning import find_selection
        from sparkdesk.hub.lookup import Lookup

        return (yield from find_selection(Lookup(hub), None, order.name, quantization))

    def _planning(self, hub: "Hub", order: BuildJob) -> "Planning":
        from sparkdesk.builder.plan import BuildRequest
        from sparkdesk.builder.planning import Planning

        request = BuildRequest(order.name, order.target, order.draft)
        return Planning(hub, self._catalogue(), request, self._paths.models)

    # Memory

    def _has_room_beside(self, target: Path, draft: Path) -> bool:
        from sparkdesk.doctor.free_memory import free_memory
        from sparkdesk.fit import plan_load, size_from_header
        from sparkdesk.gguf.parts import glance_model

        sizes = [size_from_header(glance_model(path)) for path in (target, draft)]
        context = self._how().context_tokens or sizes[0].trained_context
        return plan_load(sizes[0], sizes[1], free_memory(), context_tokens=context).fits

    def _free_memory(self) -> "FreeMemory":
        """With what the loaded pair takes: it goes when another is opened."""
        from sparkdesk.doctor.free_memory import free_memory
        from sparkdesk.loading.placement import free_memory_without

        if self._room is None or time.monotonic() - self._room_at_s > _ROOM_HOLDS_S:
            self._room, self._room_at_s = free_memory_without(free_memory(), self._backend.loaded), time.monotonic()
        return self._room

    # The library

    def _library(self) -> "Library":
        from sparkdesk.library import read_library

        return read_library(self._paths, self._settings)

    def _catalogue(self) -> "Catalog":
        from sparkdesk.catalog import read_catalog

        return read_catalog(self._paths.catalog_file)

    def _refuse_loaded(self, what: "Pair | Model | Partial") -> None:
        from sparkdesk.library.model import Pair, Partial

        loaded = self._backend.loaded
        if loaded is None or isinstance(what, Partial):
            return
        models = what.models if isinstance(what, Pair) else (what,)
        taken = {real_path(path) for path in (loaded.files.target, loaded.files.draft) if path is not None}
        if any(real_path(file) in taken for model in models for file in model.files):
            raise EngineError("It is loaded, so it cannot be removed now.", "Open another pair first.")


def background_engine(machine_file: Path) -> "EngineClient":
    """One that leaves the processor to the chat and the screen as long as they want it."""
    from sparkdesk.runner.client import EngineClient

    nice = shutil.which("nice")
    later = (nice, "-n", str(_BACKGROUND_NICENESS)) if nice is not None else ()
    command = (*later, *python_command("sparkdesk.runner.child"))
    return EngineClient(machine_file=machine_file, child_command=command)
