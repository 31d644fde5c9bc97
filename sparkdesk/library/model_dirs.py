"""The folders where models are looked for: ours, the hub's cache, LM Studio's, and those the user names."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkdesk import hub_layout
from sparkdesk.local_path import expanded, home_folder, real_path

OURS, HUB, LM_STUDIO, FOLDER = "ours", "hub", "lm studio", "folder"


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path
    kind: str
    """ "ours", "hub", "lm studio" or "folder"."""

    @property
    def is_ours(self) -> bool:
        return self.kind == OURS


def find_places(
    models: Path,
    named: Iterable[str] = (),
    *,
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> tuple[Place, ...]:
    """Those that exist, each once; `models` is ours, `named` are the user's."""
    home = home or home_folder()
    wanted = [
        Place(models, OURS),
        Place(hub_cache(environment, home), HUB),
        *(Place(home / folder, LM_STUDIO) for folder in (".lmstudio/models", ".cache/lm-studio/models")),
        *(Place(expanded(folder).absolute(), FOLDER) for folder in named),
    ]
    found: dict[Path, Place] = {}
    for place in wanted:
        if os.path.isdir(place.folder):  # False also where it may not be looked at
            found.setdefault(real_path(place.folder), place)
    return tuple(found.values())


def hub_cache(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Path:
    """Where huggingface_hub keeps repositories, found as it finds it, without loading it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return expanded(environment[name])
    if environment.get("HF_HOME"):
        return expanded(environment["HF_HOME"]) / "hub"
    cache = environment.get("XDG_CACHE_HOME")
    folder = expanded(cache) if cache else (home or home_folder()) / ".cache"
    return folder / "huggingface" / "hub"


def repository_of(path: Path, place: Place) -> str:
    """ "Qwen/Qwen3-8B-GGUF" for a file in the hub's cache; empty elsewhere."""
    if place.kind != HUB:
        return ""
    top = path.relative_to(place.folder).parts[0]
    return hub_layout.repository_of(top)
