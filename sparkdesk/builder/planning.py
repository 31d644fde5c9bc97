"""What is wanted in a quantization: of a pair that is built, and of a download alone."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.builder.build import made_files
from sparkdesk.builder.estimate import Forecast, Selection, estimate
from sparkdesk.builder.plan import BuildRequest, Plan, plan_pair
from sparkdesk.catalog import Catalog, PairEntry
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Report
from sparkdesk.fit import FreeMemory
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.client import Hub
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import CHECKPOINT, GGUF, ModelSource, find_model
from sparkdesk.hub.pull import DRAFT, MODEL, TARGET, find_models
from sparkdesk.hub.repository import FoundModel


class Planning:
    """Keeps the plan of the last `find`."""

    def __init__(self, hub: Hub, catalog: Catalog, request: BuildRequest, models: Path) -> None:
        self._lookup, self._catalog, self._request, self._models = Lookup(hub), catalog, request, models
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None, "asked before anything was found"
        return self._plan

    def find(self, quantization: str) -> Generator[Report, None, Selection]:
        """What choose_quantization() asks for. Raises DownloadError or UsageError."""
        request = self._request.as_type(quantization) if quantization else self._request
        plan = self._plan = yield from plan_pair(self._lookup, self._catalog, request)
        return Selection(plan.target, plan.draft, plan.target_type, plan.draft_type, made_files(plan, self._models))


def find_selection(
    lookup: Lookup, entry: PairEntry | None, given: str, quantization: str
) -> Generator[Report, None, tuple[Selection, dict[str, ModelSource]]]:
    """A checkpoint counts as what it is usually converted to."""
    models = yield from find_models(lookup, entry, given, quantization=quantization)
    target = models[TARGET] if entry is not None else models[MODEL]
    type_ = target.quantization if target.kind == GGUF else (quantization or DEFAULT_QUANTIZATION).upper()
    return Selection(target, models.get(DRAFT), type_), models


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
