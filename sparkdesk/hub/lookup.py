"""A repository by its name: from the hub, or from the disk where the hub cannot be asked."""

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial

from sparkdesk.catalog.reading import did_you_mean
from sparkdesk.errors import DownloadError, HubUnreachable, NotOnHub
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.client import Hub
from sparkdesk.hub.explain import offline
from sparkdesk.hub.repository import Repository
from sparkdesk.hub.retry import RetryPolicy, asking

_MOST_SEARCHED = 50


@dataclass(frozen=True, slots=True)
class Lookup:
    """Asks one hub, and remembers nothing."""

    hub: Hub
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def repository(self, name: str) -> Generator[Progress | Notice, None, Repository]:
        if self.hub.is_offline:
            return self._on_disk(name, offline(name))
        try:
            return (yield from asking(partial(self.hub.repository, name), self.retry))
        except HubUnreachable as unreachable:
            repository = self._on_disk(name, unreachable)
            yield Notice(f"{unreachable.message} Taking what is on the disk of {name}.")
            return repository
        except NotOnHub as missing:
            similar = self._similar(name)
            if not similar:
                raise
            raise NotOnHub(missing.message, similar) from None

    def _on_disk(self, name: str, otherwise: DownloadError) -> Repository:
        found = HubCache(self.hub.cache_folder).newest(name)
        if found is None:
            raise otherwise
        return found

    def _similar(self, name: str) -> str:
        """Names that sound like it: of the same author, else anybody's."""
        author, _, model = name.rpartition("/")
        try:
            for text in (f"{author}/", model):
                found = [each.name for each in self.hub.search(text, tag=None, most=_MOST_SEARCHED)]
                if hint := did_you_mean(name, found):
                    return hint
        except DownloadError:
            pass  # the question itself has been answered; this was only a courtesy
        return ""
