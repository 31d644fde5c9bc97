"""A search of the hub, limited to what SparkDesk can run: GGUF targets it knows, and their drafts."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from sparkdesk.events import Notice, Progress
from sparkdesk.hub.client import Hub
from sparkdesk.hub.repository import FoundModel
from sparkdesk.hub.retry import RetryPolicy, asking

TARGET, DRAFT = "target", "draft"

_TARGET_ARCHITECTURES = ("qwen3", "gemma4")
_DRAFT_WORDS = ("dspark", "dflash")
_MOST_ASKED = 100
_GGUF = "gguf"


@dataclass(frozen=True, slots=True)
class Hit:
    role: str
    """TARGET or DRAFT."""
    model: FoundModel
    is_gguf: bool
    """Ready to run; a draft's checkpoint is converted by `sparkdesk build`."""


def search(hub: Hub, text: str, *, retry: RetryPolicy | None = None) -> Generator[Progress | Notice, None, list[Hit]]:
    """The most downloaded first."""
    retry, words = retry or RetryPolicy(), text.lower().split()
    targets = yield from asking(partial(hub.search, text, tag=_GGUF, most=_MOST_ASKED), retry)
    hits = {model.name: Hit(TARGET, model, True) for model in targets if _is_target(model)}
    for kind in _DRAFT_WORDS:
        drafts = yield from asking(partial(hub.search, kind, tag=None, most=_MOST_ASKED), retry)
        for model in drafts:
            if _is_draft(model) and all(word in model.name.lower() for word in words):
                hits[model.name] = Hit(DRAFT, model, _GGUF in model.tags)
    return sorted(hits.values(), key=lambda hit: -hit.model.downloads)


def _is_target(model: FoundModel) -> bool:
    return not _is_draft(model) and any(name in _TARGET_ARCHITECTURES for name in model.architectures)


def _is_draft(model: FoundModel) -> bool:
    """By its name, as there is no tag for it; one made for another program's format is refused when it is converted."""
    return any(word in model.name.lower() for word in _DRAFT_WORDS)
