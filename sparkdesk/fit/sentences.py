"""What fits and why, in words."""

from sparkdesk.fit.model_size import ModelSize
from sparkdesk.fit.need import Layout, Need
from sparkdesk.fit.room import MIN_CONTEXT, FreeMemory


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
