"""A pair's plan in the quantization that was settled on."""

from collections.abc import Generator
from pathlib import Path

from sparkdesk.assembly.build import made_files
from sparkdesk.assembly.forecast import Wanted
from sparkdesk.assembly.plan import Plan, Wish, plan_pair
from sparkdesk.catalog import Catalog
from sparkdesk.events import Told
from sparkdesk.hub.client import Hub
from sparkdesk.hub.look_up import LookUp


class Planning:
    """Keeps the plan of the last `find`."""

    def __init__(self, hub: Hub, catalog: Catalog, wish: Wish, models: Path) -> None:
        self._look_up, self._catalog, self._wish, self._models = LookUp(hub), catalog, wish, models
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None, "asked before anything was found"
        return self._plan

    def find(self, quantization: str) -> Generator[Told, None, Wanted]:
        """What settle() asks for. Raises DownloadError or UsageError."""
        wish = self._wish.as_type(quantization) if quantization else self._wish
        plan = self._plan = yield from plan_pair(self._look_up, self._catalog, wish)
        return Wanted(plan.target, plan.draft, plan.target_type, plan.draft_type, made_files(plan, self._models))
