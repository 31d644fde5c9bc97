"""Before a load: does the pair fit, and how many layers go onto the graphics card."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sparkdesk.engine.settings import ALL_LAYERS, LoadSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice
from sparkdesk.fit import FreeMemory, ModelSize, need_of, plan_load, size_from_header
from sparkdesk.gguf.header import glance_gguf
from sparkdesk.loading.choice import PairFiles

_SURE_TO_FIT_BYTES = 1_000_000_000
"""Below this nobody is asked what is free: that takes a moment where there is a card."""


def fitted(
    files: PairFiles, how: LoadSettings, *, ask_room: Callable[[], FreeMemory] | None = None
) -> tuple[LoadSettings, Notice | None]:
    """The settings with as many layers on the card as there is room for, and what the user should know.

    What was asked for is loaded even where it seems not to fit; the engine falls back by itself.
    """
    target, draft = _size(files.target), _size(files.draft)
    if target is None:
        return how, None  # the engine says what is wrong with the file
    context = how.context_tokens or target.trained_context
    if need_of(target, draft, context_tokens=context).total_bytes < _SURE_TO_FIT_BYTES:
        return how, None
    room = (ask_room or _free_room)()
    plan = plan_load(
        target,
        draft,
        room,
        context_tokens=context,
        gpu_layers=how.gpu_layers,
        draft_gpu_layers=how.draft_gpu_layers,
    )
    if not plan.advice:
        return how, None
    if how.gpu_layers == ALL_LAYERS and room.has_gpu and plan.fits and plan.gpu_layers <= len(target.layers):
        how = replace(how, gpu_layers=plan.gpu_layers)
    return how, Notice(f"{plan.why} {plan.advice}")


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """What is in memory now."""

    files: PairFiles
    context_tokens: int
    gpu_layers: int


def room_without(room: FreeMemory, loaded: LoadedPair | None) -> FreeMemory:
    """What would be free if it were gone.

    On the host its weights are pages of a file, which the system counts as free already.
    """
    target = _size(loaded.files.target) if loaded is not None else None
    if loaded is None or target is None:
        return room
    draft = _size(loaded.files.draft)
    need = need_of(target, draft, context_tokens=loaded.context_tokens, gpu_layers=loaded.gpu_layers)
    host_bytes = sum(part.host_bytes for part in need.parts if part.kind != "weights")
    if room.is_shared:
        free = room.host_bytes + need.gpu_bytes + host_bytes
        return replace(room, host_bytes=free, gpu_bytes=free)
    gpu_bytes = room.gpu_bytes + need.gpu_bytes if room.has_gpu else 0
    return replace(room, host_bytes=room.host_bytes + host_bytes if room.host_bytes else 0, gpu_bytes=gpu_bytes)


def _size(path: Path | None) -> ModelSize | None:
    if path is None:
        return None
    try:
        return size_from_header(glance_gguf(path))
    except EngineError:
        return None


def _free_room() -> FreeMemory:
    from sparkdesk.doctor.free_memory import free_room

    return free_room()
