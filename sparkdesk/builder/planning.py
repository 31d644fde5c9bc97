"""A pair's plan in the quantization that was settled on."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.builder.build import made_files
from sparkdesk.builder.estimate import Selection
from sparkdesk.builder.plan import BuildRequest, Plan, plan_pair
from sparkdesk.catalog import Catalog
from sparkdesk.events import Report
from sparkdesk.hub.client import Hub
from sparkdesk.hub.lookup import Lookup


class Planning:
    """Keeps the plan of the last `find`."""

    def __init__(self, hub: Hub, catalog: Catalog, wish: BuildRequest, models: Path) -> None:
        self._lookup, self._catalog, self._wish, self._models = Lookup(hub), catalog, wish, models
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None, "asked before anything was found"
        return self._plan

    def find(self, quantization: str) -> Generator[Report, None, Selection]:
        """What settle() asks for. Raises DownloadError or UsageError."""
        wish = self._wish.as_type(quantization) if quantization else self._wish
        plan = self._plan = yield from plan_pair(self._lookup, self._catalog, wish)
        return Selection(plan.target, plan.draft, plan.target_type, plan.draft_type, made_files(plan, self._models))
