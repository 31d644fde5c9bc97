"""Before a load: does the pair fit, and how many layers go onto the graphics card."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sparkdesk.cli.pairs import PairFiles
from sparkdesk.engine.settings import ALL_LAYERS, LoadSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice
from sparkdesk.fit import ModelSize, Room, need_of, plan_load, size_from_header
from sparkdesk.gguf_glance import glance_gguf

_SURE_TO_FIT_BYTES = 1_000_000_000
"""Below this nobody is asked what is free: that takes a moment where there is a card."""


def fitted(
    files: PairFiles, how: LoadSettings, *, ask_room: Callable[[], Room] | None = None
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
    plan = plan_load(target, draft, room, context_tokens=context, gpu_layers=how.gpu_layers)
    if not plan.advice:
        return how, None
    if how.gpu_layers == ALL_LAYERS and room.has_gpu and plan.fits and plan.gpu_layers <= len(target.layers):
        how = replace(how, gpu_layers=plan.gpu_layers)
    return how, Notice(f"{plan.why} {plan.advice}")


def _size(path: Path | None) -> ModelSize | None:
    if path is None:
        return None
    try:
        return size_from_header(glance_gguf(path))
    except EngineError:
        return None


def _free_room() -> Room:
    from sparkdesk.doctor.room import free_room

    return free_room()
