"""Before a load: how long a context the pair can have, and how many layers go onto the graphics card."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sparkdesk.engine.settings import ALL_LAYERS, AUTOMATIC, CONTEXT_STEP_TOKENS, MTP, LoadSettings
from sparkdesk.errors import EngineError
from sparkdesk.events import Notice
from sparkdesk.fit import (
    FreeMemory,
    Layout,
    ModelSize,
    Need,
    Part,
    Plan,
    Room,
    Wanted,
    fits_in,
    largest_loadable_context,
    mtp_size,
    need_of,
    plan_load,
    size_from_header,
)
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.parts import glance_model
from sparkdesk.loading.choice import PairFiles

_ALWAYS_FITS_BYTES = 1_000_000_000
"""Below this nobody is asked what is free: that takes a moment where there is a card."""


def fitted(
    files: PairFiles, how: LoadSettings, *, ask_free_memory: Callable[[], FreeMemory] | None = None
) -> tuple[LoadSettings, Notice | None]:
    """The settings with a context that the target knows and that fits, as many layers on the card as there is room for,
    and what the user should know.

    Where nothing fits it is tried all the same, with little context; the engine falls back by itself.
    """
    target, draft = sizes_of(files)
    if target is None:
        return how, None  # the engine says what is wrong with the file
    how, said = _bounded(how, target)
    if need_of(target, draft, Layout(how.context_tokens, cache_type=how.cache_type)).total_bytes < _ALWAYS_FITS_BYTES:
        return how, _notice(said)
    free = ask_free_memory() if ask_free_memory is not None else _free_memory(how.main_gpu)
    plan = plan_for(how, target, draft, free)
    if not plan.fits and not how.insists_on_context:
        how, shortened = _shortened(how, target, draft, free)
        said += f" {plan.why} {shortened or plan.advice}"
        plan = plan_for(how, target, draft, free)
    elif plan.advice:
        said += f" {plan.why} {plan.advice}"
    elif plan.note:
        said += f" {plan.note}"
    return _as_planned(how, plan, target), _notice(said)


def _as_planned(how: LoadSettings, plan: Plan, target: ModelSize) -> LoadSettings:
    if not plan.fits:
        return how
    chosen = replace(how, rollback_states=min(how.rollback_states, plan.layout.rollback_states or how.rollback_states))
    if how.gpu_layers == ALL_LAYERS and plan.free.has_gpu and plan.gpu_layers <= len(target.layers):
        # llama.cpp begins to count at the MTP layers, which are not loaded, or lie with the draft.
        chosen = replace(chosen, gpu_layers=plan.gpu_layers + (target.mtp_layers if plan.gpu_layers else 0))
    if how.cpu_experts == AUTOMATIC and plan.layout.cpu_experts:
        chosen = replace(chosen, cpu_experts=plan.layout.cpu_experts)
    return chosen


def context_of(how: LoadSettings, trained_tokens: int) -> int:
    """How long a context is asked for: no longer than the target was trained with, unless the user insists, and no
    shorter than the engine needs. `trained_tokens` is 0 where the file does not say."""
    wanted = how.context_tokens or trained_tokens
    if trained_tokens and not how.insists_on_context:
        wanted = min(wanted, trained_tokens)
    return max(wanted, CONTEXT_STEP_TOKENS)


def plan_for(how: LoadSettings, target: ModelSize, draft: ModelSize | None, free: FreeMemory) -> Plan:
    return plan_load(
        target,
        draft,
        free,
        context_tokens=how.context_tokens,
        wanted=wanted_by(how),
    )


def wanted_by(how: LoadSettings) -> Wanted:
    return Wanted(
        gpu_layers=how.gpu_layers,
        draft_gpu_layers=how.draft_gpu_layers,
        cpu_experts=how.cpu_experts,
        cache_type=how.cache_type,
        rollback_states=how.rollback_states,
    )


def _bounded(how: LoadSettings, target: ModelSize) -> tuple[LoadSettings, str]:
    asked, trained = how.context_tokens, target.trained_context
    context = context_of(how, trained)
    said = ""
    if how.is_context_asked and 0 < context < asked:
        said = (
            f"{target.name} was trained with {trained:,} tokens, so its context has {context:,} and not {asked:,}; "
            "--force-ctx takes what was asked for."
        )
    elif how.is_context_asked and 0 < asked < context:
        said = f"A context of {asked:,} is too short for the engine; it has {context:,} tokens."
    return replace(how, context_tokens=context), said


def _shortened(
    how: LoadSettings, target: ModelSize, draft: ModelSize | None, free: FreeMemory
) -> tuple[LoadSettings, str]:
    """A context that is known not to fit is not loaded: the system may end any program for want of memory."""
    context = largest_loadable_context(
        target,
        draft,
        free,
        most=how.context_tokens,
        wanted=wanted_by(how),
    )
    shorter = replace(how, context_tokens=context)
    if context == how.context_tokens or not plan_for(shorter, target, draft, free).fits:
        return shorter, ""
    return shorter, f"So its context has {context:,} tokens; --force-ctx takes what was asked for."


def _notice(said: str) -> Notice | None:
    return Notice(said.strip()) if said else None


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """What is in memory now."""

    files: PairFiles
    context_tokens: int
    gpu_layers: int
    cpu_experts: int = 0
    cache_type: str = "f16"
    rollback_states: int = 0

    @property
    def layout(self) -> Layout:
        return Layout(
            self.context_tokens,
            gpu_layers=self.gpu_layers,
            cpu_experts=self.cpu_experts,
            cache_type=self.cache_type,
            rollback_states=self.rollback_states,
        )


def free_memory_without(free: FreeMemory, loaded: LoadedPair | None) -> FreeMemory:
    """What would be free if it were gone.

    On the host its weights are pages of a file, which the system counts as free already.
    """
    target, draft = sizes_of(loaded.files) if loaded is not None else (None, None)
    if loaded is None or target is None:
        return free
    need = need_of(target, draft, loaded.layout)
    host_bytes = sum(part.host_bytes for part in need.parts if part.kind != "weights")
    if free.is_shared:
        available = free.host_bytes + need.gpu_bytes + host_bytes
        return replace(free, host_bytes=available, gpu_bytes=available)
    gpu_bytes = free.gpu_bytes + need.gpu_bytes if free.has_gpu else 0
    return replace(free, host_bytes=free.host_bytes + host_bytes if free.host_bytes else 0, gpu_bytes=gpu_bytes)


def fit_together(files: Sequence[PairFiles], how: LoadSettings, *, ask_free_memory: Callable[[], FreeMemory]) -> bool:
    """Whether all of these fit into memory at once, each in a process of its own with weights of its own.

    On a card with all their layers; elsewhere they would not be what they are alone.
    """
    free = ask_free_memory()
    parts: list[Part] = []
    for each in files:
        target, draft = sizes_of(each)
        if target is None:
            return False
        bounded, _ = _bounded(how, target)
        room = Room(target, draft, free, wanted_by(how))
        parts += room.need(room.whole(bounded.context_tokens)).parts
    return fits_in(Need(tuple(parts)), free)


def draft_memory_bytes(files: PairFiles, context_tokens: int) -> int:
    """What a drafter takes beyond its target alone."""
    target, draft = sizes_of(files)
    if target is None:
        return 0
    with_it, alone = (need_of(target, each, Layout(context_tokens)).total_bytes for each in (draft, None))
    return with_it - alone


def sizes_of(files: PairFiles) -> tuple[ModelSize | None, ModelSize | None]:
    """Of the target and of what drafts; None for a file that cannot be read, and for a drafter that takes no room."""
    target = _header(files.target)
    draft = _header(files.draft) if files.draft is not None and not files.drafter else None
    if files.drafter == MTP and target is not None:
        beside = mtp_size(target)
    else:
        beside = size_from_header(draft) if draft is not None else None
    return size_from_header(target) if target is not None else None, beside


def _header(path: Path) -> GgufFile | None:
    try:
        return glance_model(path)
    except EngineError:
        return None


def _free_memory(main_gpu: int) -> FreeMemory:
    from sparkdesk.doctor.free_memory import free_memory

    return free_memory(main_gpu)
