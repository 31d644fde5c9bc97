"""What is wanted in a quantization: of a pair that is built, and of a download alone."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.builder.build import made_files
from sparkdesk.builder.estimate import Selection
from sparkdesk.builder.plan import BuildRequest, Plan, plan_pair
from sparkdesk.catalog import Catalog, PairEntry
from sparkdesk.events import Report
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.client import Hub
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import GGUF, ModelSource
from sparkdesk.hub.pull import DRAFT, MODEL, TARGET, find_models


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
