"""Where a pair's parts go in the memory that is free: layers, experts, and states of recurrent layers; pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sparkdesk.fit.model_size import ROLLBACK_STATES, ModelSize
from sparkdesk.fit.need import F16, Layout, Need, need_of

ALL_LAYERS = AUTOMATIC = -1
MIN_CONTEXT = 512
_GPU_SPARE_BYTES = 600_000_000
"""What a driver takes for itself, and what other programs on the screen may want."""
_HOST_SPARE_BYTES = 500_000_000
"""Our own processes, and two vocabularies."""
_FEWER_STATES = (3, 1)


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
class Wanted:
    """What was asked for; the rest is chosen by what there is room for."""

    gpu_layers: int = ALL_LAYERS
    draft_gpu_layers: int = ALL_LAYERS
    cpu_experts: int = AUTOMATIC
    """So many of the first layers leave their experts with the processor; automatic: as few as must be."""
    cache_type: str = F16
    rollback_states: int = ROLLBACK_STATES
    """Earlier states of recurrent layers: no more than these."""

    def most_layers(self, target: ModelSize) -> int:
        everything = len(target.layers) + 1
        return everything if self.gpu_layers < 0 else min(self.gpu_layers, everything)


AS_MUCH_AS_FITS = Wanted()


@dataclass(frozen=True, slots=True)
class Room:
    """For one pair on one machine."""

    target: ModelSize
    draft: ModelSize | None
    free: FreeMemory
    wanted: Wanted

    def need(self, layout: Layout) -> Need:
        return need_of(self.target, self.draft, layout)

    def whole(self, context_tokens: int) -> Layout:
        """Everything where it was asked to be, whether or not it fits.

        The engine puts a draft onto the card wherever there is one, also where nothing of the target is.
        """
        wanted, has_gpu = self.wanted, self.free.has_gpu
        draft_layers = len(self.draft.layers) + 1 if self.draft is not None and has_gpu else 0
        return Layout(
            context_tokens,
            gpu_layers=wanted.most_layers(self.target) if has_gpu else 0,
            draft_gpu_layers=draft_layers
            if wanted.draft_gpu_layers < 0
            else min(draft_layers, wanted.draft_gpu_layers),
            cpu_experts=max(0, min(wanted.cpu_experts, self.target.expert_layers)),
            cache_type=wanted.cache_type,
            rollback_states=min(wanted.rollback_states, self.target.most_rollback_states),
        )

    def is_whole(self, layout: Layout) -> bool:
        whole = self.whole(layout.context_tokens)
        return (layout.gpu_layers, layout.cpu_experts) == (whole.gpu_layers, whole.cpu_experts)

    def layout(self, context_tokens: int) -> Layout:
        """The best that fits; where nothing does, what would be on the processor alone."""
        whole = self.whole(context_tokens)
        states = [each for each in _FEWER_STATES if each < whole.rollback_states]
        tried = [self._placed(whole), *(self._placed(replace(whole, rollback_states=each)) for each in states)]
        fitting = [layout for layout in tried if self._fits(layout)]
        return next((layout for layout in fitting if self.is_whole(layout)), (fitting or tried)[0])

    def _placed(self, whole: Layout) -> Layout:
        if self._fits(whole) or not self.free.has_gpu:
            return whole
        layout, experts = whole, self.target.expert_layers
        if experts and self.wanted.cpu_experts < 0:
            layout = replace(whole, cpu_experts=experts)
            if self._fits(layout):
                on_card = largest(0, experts, lambda n: self._fits(replace(whole, cpu_experts=experts - n)))
                return replace(whole, cpu_experts=experts - on_card)
        layers = largest(0, whole.gpu_layers, lambda count: self._fits(replace(layout, gpu_layers=count)))
        return replace(layout, gpu_layers=layers)

    def _fits(self, layout: Layout) -> bool:
        return fits_in(self.need(layout), self.free)


def fits_in(need: Need, free: FreeMemory) -> bool:
    if free.is_shared:
        return not free.host_bytes or need.total_bytes + _HOST_SPARE_BYTES <= max(free.host_bytes, free.gpu_bytes)
    gpu_fits = need.gpu_bytes == 0 or need.gpu_bytes + _GPU_SPARE_BYTES <= free.gpu_bytes
    host_fits = not free.host_bytes or need.host_bytes + _HOST_SPARE_BYTES <= free.host_bytes
    return gpu_fits and host_fits


def largest(least: int, most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from `least` to `most` that fits; `least` where none does. What fits at n fits below n."""
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
