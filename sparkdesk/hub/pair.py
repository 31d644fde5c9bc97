"""Where both models of a catalogue's pair are to be had: the first of its sources that has what is wanted."""

from collections.abc import Generator
from dataclasses import dataclass

from sparkdesk.catalog.entry import ModelEntry, PairEntry
from sparkdesk.errors import NotOnHub, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.choose import DEFAULT_QUANTIZATION
from sparkdesk.hub.look_up import LookUp
from sparkdesk.hub.model import ModelSource, find_model


@dataclass(frozen=True, slots=True)
class PairSource:
    target: ModelSource
    draft: ModelSource
    quantization: str
    """Of the target, as it will be run."""


def find_pair(
    look_up: LookUp, entry: PairEntry, *, quantization: str = ""
) -> Generator[Progress | Notice, None, PairSource]:
    wanted = (quantization or DEFAULT_QUANTIZATION).upper()
    target = yield from _find(look_up, entry.target, wanted, is_draft=False)
    draft = yield from _find(look_up, entry.draft, "", is_draft=True)
    return PairSource(target, draft, target.quantization or wanted)


def _find(
    look_up: LookUp, entry: ModelEntry, quantization: str, *, is_draft: bool
) -> Generator[Progress | Notice, None, ModelSource]:
    """A ready-made file saves downloading the whole checkpoint; a repository that lost its files is passed over."""
    failure: NotOnHub | UsageError | None = None
    for source in entry.gguf:
        try:
            return (yield from find_model(look_up, source.repository, quantization=quantization, is_draft=is_draft))
        except (NotOnHub, UsageError) as error:
            failure = error
    if entry.checkpoint:
        return (yield from find_model(look_up, entry.checkpoint, is_draft=is_draft))
    assert failure is not None
    raise failure
