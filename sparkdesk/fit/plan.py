"""Which quantization, how many layers on the card, how much context: what fits, and why; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparkdesk.fit.model_size import ModelSize
from sparkdesk.fit.need import Layout, Need
from sparkdesk.fit.room import AS_MUCH_AS_FITS, MIN_CONTEXT, FreeMemory, Room, Wanted, fits_in, largest
from sparkdesk.fit.sentences import advice, fewer_states, why

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
