"""Which quantization, how many layers on the card, how much context: what fits, and why; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sparkdesk.fit.model_size import ModelSize
from sparkdesk.fit.need import Need, need_of

MIN_CONTEXT = 512
_STEP = 256
ALL_LAYERS = -1
_GPU_SPARE_BYTES = 600_000_000
"""What a driver takes for itself, and what other programs on the screen may want."""
_HOST_SPARE_BYTES = 500_000_000
"""Our own processes, and two vocabularies."""


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """Free memory."""

    host_bytes: int
    """0 where nobody knows."""
    gpu_bytes: int = 0
    """0 without a card."""
    is_shared: bool = False
    """Card and processor use the same memory (DGX Spark, Apple)."""

    @property
    def has_gpu(self) -> bool:
        return self.gpu_bytes > 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to load a pair, and what that takes."""

    gpu_layers: int
    """As llama.cpp counts; 0 for none."""
    context_tokens: int
    need: Need
    free: FreeMemory
    fits: bool
    why: str
    """One sentence, for the user."""
    advice: str = ""
    """What to change; empty where everything fits as asked."""
    shorter_context: int = 0
    """A context with which it would; 0 where there is none, or none is needed."""


def plan_load(
    target: ModelSize,
    draft: ModelSize | None,
    free: FreeMemory,
    *,
    context_tokens: int,
    gpu_layers: int = ALL_LAYERS,
    draft_gpu_layers: int = ALL_LAYERS,
) -> Plan:
    """The draft goes to the card first, for it runs most often; then as many of the target's layers as there is room.

    The context stays as asked; the advice says what a shorter one would give.
    """
    most = len(target.layers) + 1 if gpu_layers < 0 else min(gpu_layers, len(target.layers) + 1)
    need_at = partial(_need, target, draft, free, draft_gpu_layers=draft_gpu_layers, context_tokens=context_tokens)
    layers = _most_layers(lambda count: need_at(gpu_layers=count), free, most)
    need = need_at(gpu_layers=layers)
    fits = fits_in(need, free)
    shorter = 0
    if not fits or (free.has_gpu and layers < most):
        shorter = largest_context(
            target,
            draft,
            free,
            most=context_tokens,
            gpu_layers=most if free.has_gpu else 0,
            draft_gpu_layers=draft_gpu_layers,
        )
    return Plan(
        layers,
        context_tokens,
        need,
        free,
        fits,
        _why(need, free, layers=layers, most=most, context_tokens=context_tokens, fits=fits),
        _advice(free, layers=layers, most=most, shorter=shorter, context_tokens=context_tokens, fits=fits),
        shorter if shorter < context_tokens else 0,
    )


def largest_context(
    target: ModelSize,
    draft: ModelSize | None,
    free: FreeMemory,
    *,
    most: int,
    gpu_layers: int,
    draft_gpu_layers: int = ALL_LAYERS,
) -> int:
    """The longest context up to `most` that fits, in steps of 256 tokens; 0 where none does."""

    def fits(steps: int) -> bool:
        need = _need(
            target,
            draft,
            free,
            context_tokens=steps * _STEP,
            gpu_layers=gpu_layers,
            draft_gpu_layers=draft_gpu_layers,
        )
        return fits_in(need, free)

    steps = _largest(MIN_CONTEXT // _STEP, max(MIN_CONTEXT, most) // _STEP, fits)
    return min(most, steps * _STEP) if fits(steps) else 0


def largest_loadable_context(
    target: ModelSize,
    draft: ModelSize | None,
    free: FreeMemory,
    *,
    most: int,
    gpu_layers: int = ALL_LAYERS,
    draft_gpu_layers: int = ALL_LAYERS,
) -> int:
    """The longest context up to `most` with which the pair fits somehow, part of it beside the card if need be.

    Where the weights alone are too large, the system reads them from their file again and again; then it is the longest
    whose caches and buffers, which are no file, fit beside them. Never less than MIN_CONTEXT, nor more than `most`.
    """
    most_layers = len(target.layers) + 1 if gpu_layers < 0 else min(gpu_layers, len(target.layers) + 1)

    def need_at(steps: int, layers: int) -> Need:
        return _need(
            target,
            draft,
            free,
            context_tokens=steps * _STEP,
            gpu_layers=layers,
            draft_gpu_layers=draft_gpu_layers,
        )

    def fits(steps: int) -> bool:
        return fits_in(need_at(steps, _most_layers(partial(need_at, steps), free, most_layers)), free)

    def fits_beside_weights(steps: int) -> bool:
        return fits_in(Need(tuple(part for part in need_at(steps, 0).parts if part.kind != "weights")), free)

    least, last = MIN_CONTEXT // _STEP, max(MIN_CONTEXT, most) // _STEP
    steps = _largest(least, last, fits if fits(least) else fits_beside_weights)
    return min(most, steps * _STEP)


def best_quantization(
    sizes: Mapping[str, ModelSize], draft: ModelSize | None, free: FreeMemory, *, context_tokens: int
) -> tuple[str, Plan] | None:
    """The largest that lies on the card as a whole; without a card, or where none does, the largest that fits at all.

    None where even the smallest is too large.
    """
    plans = {
        name: plan_load(size, draft, free, context_tokens=context_tokens)
        for name, size in sorted(sizes.items(), key=lambda item: -item[1].weights_bytes)
    }
    fitting = {name: plan for name, plan in plans.items() if plan.fits}
    whole = {name: plan for name, plan in fitting.items() if plan.gpu_layers > len(sizes[name].layers)}
    # Half on the card is several times slower than whole, so a smaller one that is whole goes first.
    return next(iter((whole or fitting).items()), None)


def fits_in(need: Need, free: FreeMemory) -> bool:
    if free.is_shared:
        return not free.host_bytes or need.total_bytes + _HOST_SPARE_BYTES <= max(free.host_bytes, free.gpu_bytes)
    gpu_fits = need.gpu_bytes == 0 or need.gpu_bytes + _GPU_SPARE_BYTES <= free.gpu_bytes
    host_fits = not free.host_bytes or need.host_bytes + _HOST_SPARE_BYTES <= free.host_bytes
    return gpu_fits and host_fits


def _most_layers(need_at: Callable[[int], Need], free: FreeMemory, most: int) -> int:
    """How many of the target's layers go to the card."""
    return _largest(0, most, lambda count: fits_in(need_at(count), free)) if free.has_gpu else 0


def _need(
    target: ModelSize,
    draft: ModelSize | None,
    free: FreeMemory,
    *,
    context_tokens: int,
    gpu_layers: int,
    draft_gpu_layers: int,
) -> Need:
    """The engine puts a draft onto the card wherever there is one, also where nothing of the target is."""
    whole = len(draft.layers) + 1 if draft is not None and free.has_gpu else 0
    on_card = whole if draft_gpu_layers < 0 else min(whole, draft_gpu_layers)
    return need_of(target, draft, context_tokens=context_tokens, gpu_layers=gpu_layers, draft_gpu_layers=on_card)


def _largest(least: int, most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from `least` to `most` that fits; `least` where none does. What fits at n fits below n."""
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _why(need: Need, free: FreeMemory, *, layers: int, most: int, context_tokens: int, fits: bool) -> str:
    buffers = need.of("compute") + need.of("features")
    kinds = (("weights", need.of("weights")), ("caches", need.of("cache")), ("buffers", buffers))
    listed = ", ".join(f"{name} {_gigabytes(size_bytes)}" for name, size_bytes in kinds)
    taken = f"{_gigabytes(need.total_bytes)} for {context_tokens:,} tokens ({listed})"
    if free.has_gpu and not free.is_shared:
        where = f"{_gigabytes(free.gpu_bytes)} free on the card, {_gigabytes(free.host_bytes)} beside it"
        placed = "all of it on the card" if layers >= most else f"{layers} of {most} layers on the card"
        return f"It takes {taken}; {where}: {placed if fits else 'too little'}."
    available = max(free.host_bytes, free.gpu_bytes) if free.is_shared else free.host_bytes
    return f"It takes {taken}; {_gigabytes(available)} are free{'' if fits else ': too little'}."


def _advice(free: FreeMemory, *, layers: int, most: int, shorter: int, context_tokens: int, fits: bool) -> str:
    if fits and (not free.has_gpu or layers >= most):
        return ""
    if shorter >= MIN_CONTEXT and shorter < context_tokens:
        where = "lies on the card as a whole" if free.has_gpu and not free.is_shared else "fits"
        return f"With --ctx {shorter} it {where}."
    return "Choose a smaller quantization or a smaller model." + (" Or close other programs." if not fits else "")


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 5e7 else f"{size_bytes / 1e6:.0f} MB"
