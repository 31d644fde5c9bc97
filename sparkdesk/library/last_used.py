"""When a model was last loaded: one small file in the state folder."""

import contextlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole
from sparkdesk.local_path import real_path

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
