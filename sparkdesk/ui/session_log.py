"""What happened at the desk since it was started, for a bug report: never a prompt, a reply or a key."""

import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkdesk import __version__
from sparkdesk.engine.model_info import ModelInfo

_UNEXPECTED = re.compile(r"^(Unexpected \w+): .*?( \([\w.]+:\d+\))?$", re.DOTALL)
_LIBRARIES = ("textual", "llama-cpp-python")


@dataclass(frozen=True, slots=True)
class Noted:
    """Something happened."""

    clock: str
    text: str


def now(text: str) -> Noted:
    return Noted(time.strftime("%H:%M:%S"), text)


def without_words(cause: str) -> str:
    """The message of an error nobody foresaw may hold anything, a prompt too: what and where it was must do."""
    return _UNEXPECTED.sub(lambda found: f"{found[1]}{found[2] or ''}", cause)


def report(noted: Sequence[Noted], *, model: ModelInfo | None, engine_words: str, home: Path) -> str:
    """Everything to paste, with the user's own folder left out."""
    from importlib.metadata import version  # nobody needs it before the first paint

    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    lines = [f"SparkDesk {__version__}, {machine}, {libraries}", _about(model), "", "What happened"]
    lines += [f"  {each.clock}  {each.text}" for each in noted] or ["  nothing worth noting"]
    lines += ["", "What the engine said last"]
    lines += [f"  {line}" for line in engine_words.strip().splitlines()] or ["  nothing"]
    return "\n".join(lines).replace(f"{home}/", "~/")


def _about(model: ModelInfo | None) -> str:
    if model is None:
        return "No model is loaded."
    draft = f"{model.drafter_title or 'draft'} {model.draft_name}" if model.draft_name else "no draft"
    return f"{model.name} ({model.architecture}), {draft}, on {', '.join(model.devices)}"
