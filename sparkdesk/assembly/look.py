"""A look at what the hub has: what it would take here, without downloading more than a config.json."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.assembly.forecast import Forecast, Wanted, foresee
from sparkdesk.assembly.plan import Wish
from sparkdesk.assembly.planning import Planning
from sparkdesk.catalog import Catalog, PairEntry
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Told
from sparkdesk.fit import Room
from sparkdesk.hub.client import Hub
from sparkdesk.hub.look_up import LookUp
from sparkdesk.hub.model import CHECKPOINT, find_model
from sparkdesk.hub.repository import FoundModel

_BASE = "base_model:quantized:"


def look_at_pair(
    hub: Hub,
    catalog: Catalog,
    entry: PairEntry,
    *,
    models: Path,
    room: Room,
    context_tokens: int,
    quantization: str = "",
) -> Generator[Told, None, Forecast | None]:
    """Raises DownloadError or UsageError."""
    planning = Planning(hub, catalog, Wish(entry.name), models)
    wanted = yield from planning.find(quantization)
    wanted = wanted.shaped_like(entry.target.checkpoint)
    return (yield from foresee(hub, wanted, room=room, context_tokens=context_tokens))


def look_at_model(
    hub: Hub, found: FoundModel, *, room: Room, context_tokens: int
) -> Generator[Told, None, Forecast | None]:
    """Of a search's target; None also where the hub does not say what it was made from."""
    base = next((tag.removeprefix(_BASE) for tag in found.tags if tag.startswith(_BASE)), "")
    if not base:
        return None
    try:
        model = yield from find_model(LookUp(hub), found.name)
    except SparkDeskError:  # several files, none of which is the usual one
        return None
    if model.kind == CHECKPOINT:
        return None
    wanted = Wanted(model, None, model.quantization, shape=base)
    return (yield from foresee(hub, wanted, room=room, context_tokens=context_tokens))
