"""Remembers, across sessions, what the engine learnt about a pair on this machine; figures only, never text.

One small file for each pair of model files, device, threads to be had and build of llama.cpp: another card, another
quantization or another release begins anew.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.crash_memory import build_fingerprint

FORMAT = 1
_SECONDS_BETWEEN = 5.0
_MOST_COUNTED, _MOST_MEASURED = 10**12, 1e6


class TunerState:
    """The files of a folder; without one nothing is remembered."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._written_s = -_SECONDS_BETWEEN

    def recall(self, settings: LoadSettings, model: ModelInfo) -> Mapping[str, Any] | None:
        """What was learnt in these very circumstances; a file that is missing or broken is none at all."""
        if self._folder is None:
            return None
        about = fingerprint(settings, model)
        try:
            told = json.loads(read_regular_text(self._path(about)))
        except (OSError, ValueError, RecursionError):
            return None
        learned = told.get("learnt") if isinstance(told, dict) and told.get("about") == about else None
        return learned if isinstance(learned, dict) and _is_sane(learned) else None

    def remember(self, settings: LoadSettings, model: ModelInfo, state: Mapping[str, object]) -> None:
        """Write it down, unless that was done a moment ago."""
        if self._folder is None or monotonic() - self._written_s < _SECONDS_BETWEEN:
            return
        about = fingerprint(settings, model)
        with contextlib.suppress(OSError):  # a full or read-only disk costs a longer probe next time, not the reply
            write_whole(self._path(about), json.dumps({"about": about, "learnt": state}) + "\n")
        self._written_s = monotonic()

    def _path(self, about: Mapping[str, object]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{digest[:20]}.json"


def _is_sane(value: object) -> bool:
    """No figure of a scheduler comes near these bounds; exponentials and squares are taken of them."""
    if isinstance(value, dict):
        return all(map(_is_sane, value.values()))
    if isinstance(value, list):
        return all(map(_is_sane, value))
    if isinstance(value, int):
        return abs(value) <= _MOST_COUNTED
    return not isinstance(value, float) or abs(value) <= _MOST_MEASURED  # nothing is at most a NaN


def fingerprint(settings: LoadSettings, model: ModelInfo) -> dict[str, object]:
    """All that costs and acceptance depend on, as far as it can be told before anything runs."""
    return {
        "format": FORMAT,
        "target": _file(settings.target_path),
        "draft": _file(settings.draft_path) if model.draft_name is not None else None,
        "devices": list(model.devices),
        "gpu_layers": model.gpu_layers,
        "threads": settings.threads or ["automatic", settings.most_threads, model.batch_threads],
        "repacked_weights": not model.uses_safe_buffers,
        "build": build_fingerprint(),
    }


def _file(path: str | None) -> list[object]:
    """Name, size and time of change: enough to tell one quantization from another without reading it."""
    if path is None:
        return []
    try:
        found = Path(path).stat()
    except OSError:
        return [Path(path).name]
    return [Path(path).name, found.st_size, found.st_mtime_ns]
