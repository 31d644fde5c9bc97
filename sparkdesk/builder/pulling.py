"""What a download alone wants, of which nothing is converted here."""

from collections.abc import Generator

from sparkdesk.builder.estimate import Selection
from sparkdesk.catalog import PairEntry
from sparkdesk.events import Report
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import GGUF, ModelSource
from sparkdesk.hub.pull import DRAFT, MODEL, TARGET, find_models


def find_models_wanted(
    lookup: Lookup, entry: PairEntry | None, given: str, quantization: str
) -> Generator[Report, None, tuple[Selection, dict[str, ModelSource]]]:
    """A checkpoint counts as what it is usually converted to."""
    models = yield from find_models(lookup, entry, given, quantization=quantization)
    target = models[TARGET] if entry is not None else models[MODEL]
    type_ = target.quantization if target.kind == GGUF else (quantization or DEFAULT_QUANTIZATION).upper()
    return Selection(target, models.get(DRAFT), type_), models
