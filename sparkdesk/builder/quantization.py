"""Settles what is to be downloaded: the usual quantization, or a smaller one where that does not fit, and says which.

A smaller one is taken only where the user named none and nothing of the usual one is here yet: what was begun goes on.
"""

from collections.abc import Callable, Generator

from sparkdesk.builder.estimate import Forecast, Option, Selection, estimate
from sparkdesk.events import Notice, Report
from sparkdesk.fit import FreeMemory
from sparkdesk.hub.choose import in_gb
from sparkdesk.hub.client import Hub
from sparkdesk.hub.download import is_begun
from sparkdesk.hub.model import GGUF

Find = Callable[[str], Generator[Report, None, Selection]]
"""What is wanted in a quantization; "" is the usual one. Asks the hub, downloads nothing."""


def choose_quantization(
    hub: Hub, find: Find, *, asked: str, room: FreeMemory, context_tokens: int
) -> Generator[Report, None, tuple[Selection, Forecast | None]]:
    """`asked` is the quantization the user named, "" for none. The last Notice is the forecast in words."""
    wanted = yield from find(asked)
    forecast = yield from estimate(hub, wanted, room=room, context_tokens=context_tokens)
    if forecast is not None and not asked and forecast.smaller is not None and not _is_begun(hub, wanted):
        yield Notice(_instead(forecast, forecast.smaller))
        wanted = yield from find(forecast.smaller.quantization)
        forecast = yield from estimate(hub, wanted, room=room, context_tokens=context_tokens)
    if forecast is not None:
        yield Notice(forecast.in_words())
    return wanted, forecast


def _is_begun(hub: Hub, wanted: Selection) -> bool:
    """Of a checkpoint all types are made, so it matters only what was made of it."""
    source = wanted.target
    if wanted.made_file("target") is not None or source.local is not None:
        return wanted.made_file("target") is not None or source.kind == GGUF
    if source.kind != GGUF or source.wanted is None:
        return False
    return is_begun(hub, source.wanted)


def _instead(forecast: Forecast, smaller: Option) -> str:
    chosen = forecast.chosen
    return (
        f"{chosen.quantization} does not fit: {chosen.plan.why[:1].lower()}{chosen.plan.why[1:]} "
        f"Taking {smaller.quantization} ({in_gb(smaller.size_bytes)}); --quant {chosen.quantization} insists."
    )
