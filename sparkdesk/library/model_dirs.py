"""The folders where models are looked for: ours, the hub's cache, LM Studio's, and those the user names."""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.regular_file import read_regular_text
from sparkdesk import hub_layout
from sparkdesk.atomic_file import write_whole
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


_LATEST_S = 4e9  # in 2096


def read_last_used(path: Path) -> dict[str, float]:
    """Seconds since 1970 by resolved path; a file that is missing or broken means never."""
    try:
        content = json.loads(read_regular_text(path))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: float(used_s) for name, used_s in content.items() if _is_time(used_s)}


def _is_time(used_s: object) -> bool:
    """One that a date can be made of."""
    return isinstance(used_s, int | float) and 0 <= used_s < _LATEST_S


def mark_used(path: Path, models: Iterable[Path], *, now_s: float | None = None) -> None:
    """Remember that these were loaded now, and forget what is no longer there. A full disk is no reason to fail."""
    now_s = time.time() if now_s is None else now_s
    known = {name: used_s for name, used_s in read_last_used(path).items() if os.path.exists(name)}
    known |= {str(real_path(model)): now_s for model in models}
    with contextlib.suppress(OSError):
        write_whole(path, json.dumps(known, indent=1) + "\n")
