"""Runs that were kept: their JSON objects in a folder, figures only, listed newest first."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sparkdesk.atomic_file import write_whole
from sparkdesk.bench.run_report import read_record
from sparkdesk.errors import UsageError

_STAMP = "%Y-%m-%d_%H-%M-%S"

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptRun:
    path: Path
    measured_at: datetime
    """By this machine's clock, when the run was kept."""
    found: Found
    """The run's JSON object; see record.py."""

    @property
    def pair(self) -> str:
        return f"{self.found['model']['target']} + {self.found['model']['draft']}"

    @property
    def overall(self) -> Found:
        figures: Found = self.found["overall"]
        return figures


def keep_run(found: Found, folder: Path, *, now: datetime) -> KeptRun:
    """Written whole or not at all; two in one second get names of their own. Raises UsageError."""
    stem, number = now.strftime(_STAMP), 1
    path = folder / f"{stem}.json"
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}.json"
    _write(path, found)
    return KeptRun(path, now.replace(microsecond=0), found)


def kept_runs(folder: Path) -> tuple[KeptRun, ...]:
    """Those that can be read; a file of another version or somebody else's is passed over."""
    runs = []
    for path in folder.glob("*.json"):
        with suppress(UsageError, ValueError):
            when = datetime.strptime(path.stem[: len("2000-01-01_00-00-00")], _STAMP)
            run = KeptRun(path, when, read_record(path))
            if _is_sound(run):
                runs.append(run)
    return tuple(sorted(runs, key=lambda run: (run.measured_at, run.path.name), reverse=True))


def remember_hashes(run: KeptRun, digests: Mapping[str, str]) -> KeptRun:
    """With the hashes of its files, which take long to make. Raises UsageError."""
    files = {role: {**facts, "sha256": digests.get(role, "")} for role, facts in run.found["files"].items()}
    found = {**run.found, "files": files}
    _write(run.path, found)
    return KeptRun(run.path, run.measured_at, found)


def hashes_of(run: KeptRun) -> dict[str, str] | None:
    """Those that were remembered; None where one is missing."""
    known = {role: facts.get("sha256", "") for role, facts in run.found["files"].items()}
    return known if all(known.values()) else None


def forget_run(run: KeptRun) -> None:
    """Raises UsageError."""
    try:
        run.path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{run.path} could not be deleted: {error.strerror or error}.") from error


def where_it_pays(runs: Iterable[KeptRun]) -> dict[str, dict[str, float]]:
    """The gain of each pair by domain, from the newest run that asked it; `runs` are newest first."""
    gains: dict[str, dict[str, float]] = {}
    for run in runs:
        of_pair = gains.setdefault(run.pair, {})
        for domain, figures in run.found["domains"].items():
            if figures["gain"]["count"]:
                of_pair.setdefault(domain, figures["gain"]["median"])
    return gains


def _is_sound(run: KeptRun) -> bool:
    """Whether what lists show of it is there; the file may have been damaged, or edited."""
    try:
        hashes_of(run)
        gains = [gain for of_pair in where_it_pays([run]).values() for gain in of_pair.values()]
        is_told = all(isinstance(run.found["model"][side], str | None) for side in ("target", "draft"))
        return is_told and isinstance(run.overall, dict) and all(isinstance(gain, int | float) for gain in gains)
    except (LookupError, TypeError, AttributeError):
        return False


def _write(path: Path, found: Found) -> None:
    try:
        write_whole(path, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"The run could not be kept in {path}: {error.strerror or error}.") from error
