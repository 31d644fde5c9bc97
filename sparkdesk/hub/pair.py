"""Where the models of a catalogue's pair are to be had: the first of its sources that has what is wanted."""

from collections.abc import Generator

from sparkdesk.catalog.entry import ModelEntry
from sparkdesk.errors import HubUnreachable, NotOnHub, SparkDeskError, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import ModelSource, find_model


def find_target(
    lookup: Lookup, entry: ModelEntry, *, quantization: str = ""
) -> Generator[Progress | Notice, None, ModelSource]:
    # Where a checkpoint could be converted instead, a repository without the usual type is passed over.
    wanted = (quantization or (DEFAULT_QUANTIZATION if entry.checkpoint else "")).upper()
    return (yield from _find(lookup, entry, wanted, is_draft=False))


def find_draft(lookup: Lookup, entry: ModelEntry) -> Generator[Progress | Notice, None, ModelSource]:
    return (yield from _find(lookup, entry, "", is_draft=True))


def _find(
    lookup: Lookup, entry: ModelEntry, quantization: str, *, is_draft: bool
) -> Generator[Progress | Notice, None, ModelSource]:
    """A ready-made file saves downloading the whole checkpoint; a repository that lost its files is passed over."""
    failure: SparkDeskError | None = None
    for source in entry.gguf:
        try:
            return (yield from find_model(lookup, source.repository, quantization=quantization, is_draft=is_draft))
        except (NotOnHub, UsageError, HubUnreachable) as error:  # without a network the next one may be on the disk
            failure = error
    if entry.checkpoint:
        return (yield from find_model(lookup, entry.checkpoint, is_draft=is_draft))
    assert failure is not None
    raise failure
