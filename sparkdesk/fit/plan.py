"""Which quantization, how many layers on the card, how much context: what fits, and why; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparkdesk.fit.model_size import ModelSize
from sparkdesk.fit.need import Layout, Need
from sparkdesk.fit.room import AS_MUCH_AS_FITS, MIN_CONTEXT, FreeMemory, Room, Wanted, fits_in, largest


def why(need: Need, free: FreeMemory, layout: Layout, target: ModelSize, *, fits: bool, is_whole: bool) -> str:
    listed = ", ".join(f"{name} {_gigabytes(size_bytes)}" for name, size_bytes in _kinds(need) if size_bytes)
    taken = f"{_gigabytes(need.total_bytes)} for {layout.context_tokens:,} tokens ({listed})"
    if free.has_gpu and not free.is_shared:
        where = f"{_gigabytes(free.gpu_bytes)} free on the card, {_gigabytes(free.host_bytes)} beside it"
        return f"It takes {taken}; {where}: {_placed(layout, target, is_whole) if fits else 'too little'}."
    available = max(free.host_bytes, free.gpu_bytes) if free.is_shared else free.host_bytes
    return f"It takes {taken}; {_gigabytes(available)} are free{'' if fits else ': too little'}."


def advice(free: FreeMemory, *, shorter: int, context_tokens: int, fits: bool, is_whole: bool) -> str:
    if fits and (not free.has_gpu or is_whole):
        return ""
    if shorter >= MIN_CONTEXT and shorter < context_tokens:
        where = "lies on the card as a whole" if free.has_gpu and not free.is_shared else "fits"
        return f"With --ctx {shorter} it {where}."
    return "Choose a smaller quantization or a smaller model." + (" Or close other programs." if not fits else "")


def _kinds(need: Need) -> tuple[tuple[str, int], ...]:
    return (
        ("weights", need.of("weights")),
        ("caches", need.of("cache")),
        ("recurrent states", need.of("states") + need.of("checkpoints")),
        ("buffers", need.of("compute") + need.of("features")),
    )


def _placed(layout: Layout, target: ModelSize, is_whole: bool) -> str:
    experts = f"the experts of {layout.cpu_experts} layers with the processor" if layout.cpu_experts else ""
    everything = len(target.layers) + 1
    if layout.gpu_layers >= everything or is_whole:
        return f"all but {experts} on the card" if experts else "all of it on the card"
    layers = f"{layout.gpu_layers} of {everything} layers on the card"
    return f"{layers}, {experts}" if experts else layers


def fewer_states(layout: Layout, target: ModelSize, *, fits: bool) -> str:
    """What is said where fewer are kept than could be; else empty."""
    kept = layout.rollback_states
    if not target.state_bytes or kept >= target.most_rollback_states or not fits:
        return ""
    tokens = "1 drafted token is" if kept == 1 else f"{kept} drafted tokens are"
    return f"To save memory it keeps {kept} earlier recurrent states: at most {tokens} verified at once."


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 5e7 else f"{size_bytes / 1e6:.0f} MB"


_STEP = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """How to load a pair, and what that takes."""

    layout: Layout
    need: Need
    free: FreeMemory
    fits: bool
    why: str
    """One sentence, for the user."""
    advice: str = ""
    """What to change; empty where everything fits as asked."""
    shorter_context: int = 0
    """A context with which it would; 0 where there is none, or none is needed."""
    note: str = ""
    """What is given up to make it fit, in a sentence."""
    is_whole: bool = True
    """All of the target lies where it was asked to, its experts too."""

    @property
    def gpu_layers(self) -> int:
        return self.layout.gpu_layers

    @property
    def context_tokens(self) -> int:
        return self.layout.context_tokens


def plan_load(
    target: ModelSize,
    draft: ModelSize | None,
    free: FreeMemory,
    *,
    context_tokens: int,
    wanted: Wanted = AS_MUCH_AS_FITS,
) -> Plan:
    """The draft goes to the card first, for it runs most often; then as many of the target's layers as there is room.

    Of a mixture of experts everything else goes to the card before the experts do: a token needs few of them, and all
    of the rest. Fewer earlier states of recurrent layers are kept where that brings everything onto the card.
    The context stays as asked; the advice says what a shorter one would give.
    """
    room = Room(target, draft, free, wanted)
    layout = room.layout(context_tokens)
    need = room.need(layout)
    fits, is_whole = fits_in(need, free), room.is_whole(layout)
    shorter = 0
    if not fits or (free.has_gpu and not is_whole):
        shorter = largest_context(target, draft, free, most=context_tokens, wanted=wanted)
    return Plan(
        layout,
        need,
        free,
        fits,
        why(need, free, layout, target, fits=fits, is_whole=is_whole),
        advice(free, shorter=shorter, context_tokens=context_tokens, fits=fits, is_whole=is_whole),
        shorter if shorter < context_tokens else 0,
        fewer_states(layout, target, fits=fits),
        is_whole,
    )


def largest_context(
    target: ModelSize, draft: ModelSize | None, free: FreeMemory, *, most: int, wanted: Wanted = AS_MUCH_AS_FITS
) -> int:
    """The longest context up to `most` with which all that was asked for lies on the card, or without a card in memory,
    in steps of 256 tokens; 0 where there is none."""
    room = Room(target, draft, free, wanted)

    def fits(steps: int) -> bool:
        return fits_in(room.need(room.whole(steps * _STEP)), free)

    steps = largest(MIN_CONTEXT // _STEP, max(MIN_CONTEXT, most) // _STEP, fits)
    return min(most, steps * _STEP) if fits(steps) else 0


def largest_loadable_context(
    target: ModelSize, draft: ModelSize | None, free: FreeMemory, *, most: int, wanted: Wanted = AS_MUCH_AS_FITS
) -> int:
    """The longest context up to `most` with which the pair fits somehow, part of it beside the card if need be.

    Where the weights alone are too large, the system reads them from their file again and again; then it is the longest
    whose caches and buffers, which are no file, fit beside them. Never less than MIN_CONTEXT, nor more than `most`.
    """
    room = Room(target, draft, free, wanted)

    def fits(steps: int) -> bool:
        return fits_in(room.need(room.layout(steps * _STEP)), free)

    def fits_beside_weights(steps: int) -> bool:
        need = room.need(replace(room.whole(steps * _STEP), gpu_layers=0))
        return fits_in(Need(tuple(part for part in need.parts if part.kind != "weights")), free)

    least, last = MIN_CONTEXT // _STEP, max(MIN_CONTEXT, most) // _STEP
    steps = largest(least, last, fits if fits(least) else fits_beside_weights)
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
    whole = {name: plan for name, plan in fitting.items() if free.has_gpu and plan.is_whole}
    # Half on the card is several times slower than whole, so a smaller one that is whole goes first.
    return next(iter((whole or fitting).items()), None)
