"""What is to be built: a name, a target, a draft, and the types they get."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from sparkdesk.catalog import Catalog
from sparkdesk.catalog.entry import PairEntry
from sparkdesk.catalog.reading import did_you_mean
from sparkdesk.convert import OUTPUT_TYPES
from sparkdesk.errors import UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import CHECKPOINT, GGUF, ModelSource, find_model
from sparkdesk.hub.pull import find_draft, find_target, named_pair

DRAFT_TYPE = "Q8_0"


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    target: ModelSource
    draft: ModelSource
    target_type: str
    draft_type: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What the user said."""

    name: str
    target: str = ""
    """Repository or path, instead of the catalogue's."""
    draft: str = ""
    target_type: str = ""
    draft_type: str = ""

    def as_type(self, target_type: str) -> "BuildRequest":
        return replace(self, target_type=target_type)


def plan_pair(lookup: Lookup, catalog: Catalog, request: BuildRequest) -> Generator[Progress | Notice, None, Plan]:
    """Asks the hub what there is; downloads nothing."""
    if not _is_folder_name(request.name):
        raise UsageError(f"{request.name!r} cannot be the name of a folder.", "Use letters, digits, dots and dashes.")
    entry = _entry(catalog, request)
    target = yield from _target(lookup, entry, request)
    draft = yield from _draft(lookup, entry, request)
    target_type = target.quantization if target.kind == GGUF else (request.target_type or DEFAULT_QUANTIZATION).upper()
    plan = Plan(request.name, target, draft, target_type, (request.draft_type or DRAFT_TYPE).upper(), _notes(entry))
    for model, type_ in ((plan.target, plan.target_type), (plan.draft, plan.draft_type)):
        if model.kind == CHECKPOINT and type_ not in OUTPUT_TYPES:
            raise UsageError(f"{type_} is not a type SparkDesk can convert to.", f"Types: {', '.join(OUTPUT_TYPES)}.")
    return plan


def _entry(catalog: Catalog, request: BuildRequest) -> PairEntry | None:
    """None where everything was said, and the name is only a name."""
    if request.target and request.draft:
        return catalog.find(request.name)
    found = catalog.find(request.name) if request.target or request.draft else named_pair(catalog, request.name)
    if found is None:
        hint = did_you_mean(request.name, catalog.names) or "Name both: --target and --draft."
        raise UsageError(f"{request.name} is not in the catalogue, so its other model is not known.", hint)
    return found


def _target(
    lookup: Lookup, entry: PairEntry | None, request: BuildRequest
) -> Generator[Progress | Notice, None, ModelSource]:
    if request.target:
        return (yield from find_model(lookup, request.target, quantization=request.target_type))
    assert entry is not None
    return (yield from find_target(lookup, entry.target, quantization=request.target_type))


def _draft(
    lookup: Lookup, entry: PairEntry | None, request: BuildRequest
) -> Generator[Progress | Notice, None, ModelSource]:
    if request.draft:
        return (yield from find_model(lookup, request.draft, is_draft=True))
    assert entry is not None
    return (yield from find_draft(lookup, entry.draft))


def _notes(entry: PairEntry | None) -> tuple[str, ...]:
    return entry.remarks if entry is not None else ()


def _is_folder_name(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set(name) & set('/\\:*?"<>|\0')
