"""A library of one's own: all places below one folder."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkdesk.config.paths import Paths
from sparkdesk.library import Library
from sparkdesk.library.model_dirs import FOLDER, HUB, OURS, Place
from sparkdesk.library.reading import read_places


@dataclass(frozen=True, slots=True)
class Home:
    paths: Paths
    hub: Path
    folder: Path

    def read(self) -> Library:
        places = (Place(self.paths.models, OURS), Place(self.hub, HUB), Place(self.folder, FOLDER))
        return read_places(places, self.paths)

    def snapshot(self, repo: str, revision: str = "abc") -> Path:
        return self.hub / f"models--{repo.replace('/', '--')}" / "snapshots" / revision

    def downloaded(self, repo: str, source: Path, *, revision: str = "abc") -> Path:
        """Move a file into the cache as the hub's library does: a blob, and a link to it."""
        blob = self.snapshot(repo).parents[1] / "blobs" / f"hash-{source.name}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        if not blob.exists():
            source.rename(blob)
        link = self.snapshot(repo, revision) / source.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
        return link


@pytest.fixture
def home(tmp_path: Path) -> Home:
    paths = Paths(*(tmp_path / name for name in ("config", "data", "state", "cache")))
    made = Home(paths, tmp_path / "hub", tmp_path / "folder")
    for folder in (paths.models, made.hub, made.folder):
        folder.mkdir(parents=True)
    return made
