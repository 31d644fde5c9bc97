"""A look at what the hub has: what it would take here, without downloading more than a config.json."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.builder.estimate import Forecast, Selection, estimate
from sparkdesk.builder.plan import BuildRequest
from sparkdesk.builder.planning import Planning
from sparkdesk.catalog import Catalog, PairEntry
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Report
from sparkdesk.fit import FreeMemory
from sparkdesk.hub.client import Hub
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import CHECKPOINT, find_model
from sparkdesk.hub.repository import FoundModel

_BASE = "base_model:quantized:"


def preview_pair(
    hub: Hub,
    catalog: Catalog,
    entry: PairEntry,
    *,
    models: Path,
    room: FreeMemory,
    context_tokens: int,
    quantization: str = "",
) -> Generator[Report, None, Forecast | None]:
    """Raises DownloadError or UsageError."""
    planning = Planning(hub, catalog, BuildRequest(entry.name), models)
    wanted = yield from planning.find(quantization)
    wanted = wanted.shaped_like(entry.target.checkpoint)
    return (yield from estimate(hub, wanted, room=room, context_tokens=context_tokens))


def preview_model(
    hub: Hub, found: FoundModel, *, room: FreeMemory, context_tokens: int
) -> Generator[Report, None, Forecast | None]:
    """Of a search's target; None also where the hub does not say what it was made from."""
    base = next((tag.removeprefix(_BASE) for tag in found.tags if tag.startswith(_BASE)), "")
    if not base:
        return None
    try:
        model = yield from find_model(Lookup(hub), found.name)
    except SparkDeskError:  # several files, none of which is the usual one
        return None
    if model.kind == CHECKPOINT:
        return None
    wanted = Selection(model, None, model.quantization, shape=base)
    return (yield from estimate(hub, wanted, room=room, context_tokens=context_tokens))
