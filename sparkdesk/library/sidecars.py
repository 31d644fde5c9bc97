"""A draft that lies beside its target under a name that launchers look for, as `dspark-<model>.gguf`."""

import re
from collections.abc import Iterator
from pathlib import Path

from sparkdesk.errors import EngineError
from sparkdesk.gguf import pairing
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.pairing import DraftKind, draft_kind
from sparkdesk.gguf.parts import glance_model

_SIDECAR = re.compile(r"(?:^|[-_.])(?:dspark|dflash|eagle-?3|mtp|assistant)(?=[-_.])", re.IGNORECASE)
_PREFERRED = (DraftKind.DSPARK, DraftKind.DFLASH, DraftKind.EAGLE3, DraftKind.ASSISTANT, DraftKind.MTP)
_MOST_LOOKED_AT = 32


def sidecar_of(target: Path) -> Path | None:
    """The draft in the target's folder that fits it by its header, the best kind first, then the likest name."""
    try:
        header = glance_model(target)
    except EngineError:
        return None  # whoever loads it says what is wrong
    fitting = [draft for draft in _drafts_beside(target) if not pairing.problem(header, draft)]
    fitting.sort(key=lambda draft: (_PREFERRED.index(draft_kind(draft)), -_likeness(draft, target)))
    return fitting[0].path if fitting else None


def _drafts_beside(target: Path) -> Iterator[GgufFile]:
    try:
        names = sorted(path for path in target.parent.iterdir() if path.name.lower().endswith(".gguf"))
    except OSError:
        return
    named = [path for path in names if _SIDECAR.search(path.name) and path.is_file() and path != target]
    for path in named[:_MOST_LOOKED_AT]:
        try:
            header = glance_model(path)
        except EngineError:
            continue
        if draft_kind(header) in _PREFERRED:
            yield header


def _likeness(draft: GgufFile, target: Path) -> int:
    """How many of the words in the target's name are in the draft's."""
    words = [set(re.split(r"[-_.]", path.stem.lower())) for path in (draft.path, target)]
    return len(words[0] & words[1])
