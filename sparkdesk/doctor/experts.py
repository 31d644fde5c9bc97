"""Installed mixtures of experts that are too large for the graphics card: what of them stays with the CPU."""

from collections.abc import Iterator
from dataclasses import dataclass

from sparkdesk.config.settings import Settings
from sparkdesk.doctor.check import OK, WARN, Check
from sparkdesk.fit import FreeMemory, ModelSize, Wanted, plan_load, size_from_header
from sparkdesk.fit.room import AS_MUCH_AS_FITS
from sparkdesk.library import Library

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Mixtures:
    """What is installed, and what the settings say of loading it."""

    sizes: tuple[ModelSize, ...] = ()
    context_tokens: int = 4096
    wanted: Wanted = AS_MUCH_AS_FITS


def mixtures_of(library: Library, settings: Settings) -> Mixtures:
    sizes = [size_from_header(model.header) for model in library.targets if model.is_usable and model.header]
    wanted = Wanted(gpu_layers=settings.gpu_layers, cpu_experts=settings.cpu_experts, cache_type=settings.cache_type)
    return Mixtures(tuple(size for size in sizes if size.expert_layers), settings.context_tokens, wanted)


def experts(mixtures: Mixtures, free: FreeMemory) -> Iterator[Check]:
    """One line for each that does not lie on the card as a whole."""
    found = [check for size in mixtures.sizes if (check := _check(size, mixtures, free)) is not None]
    yield from found[:_MOST_NAMED]


def _check(size: ModelSize, mixtures: Mixtures, free: FreeMemory) -> Check | None:
    context_tokens = mixtures.context_tokens or size.trained_context
    plan = plan_load(size, None, free, context_tokens=context_tokens, wanted=mixtures.wanted)
    if not plan.fits:
        return Check("experts", WARN, f"{size.name} does not fit here: {plan.why}", plan.advice)
    if not free.has_gpu or not plan.layout.cpu_experts:
        return None
    layers = f"{plan.layout.cpu_experts} of {size.expert_layers} layers"
    return Check("experts", OK, f"{size.name}: the experts of {layers} stay with the CPU, at {context_tokens:,} tokens")
