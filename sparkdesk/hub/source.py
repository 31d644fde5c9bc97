"""What a user names as a model: a path on this disk, or a repository of the hub with perhaps a file or quantization."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sparkdesk.errors import UsageError
from sparkdesk.local_path import expanded

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUBS = ("huggingface.co", "hf.co")


@dataclass(frozen=True, slots=True)
class LocalSource:
    path: Path


@dataclass(frozen=True, slots=True)
class HubSource:
    repository: str
    quantization: str = ""
    file: str = ""
    """Within the repository; empty where it is to be chosen."""


def read_source(given: str) -> LocalSource | HubSource:
    """Qwen/Qwen3-8B, Qwen/Qwen3-8B-GGUF:Q4_K_M, Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf, a web address, or a path."""
    path = expanded(given)
    if given and path.exists():
        return LocalSource(path.absolute())
    if given.startswith((".", "/", "~")) or "\\" in given:
        raise UsageError(f"There is no file or folder {given}.", "Check the path.")
    name, _, quantization = _without_address(given).partition(":")
    parts = name.strip("/").split("/")
    repository, file = "/".join(parts[:2]), "/".join(parts[2:])
    if not _NAME.fullmatch(repository) or (file and not file.endswith(".gguf")):
        raise UsageError(
            f"{given!r} is neither an existing path nor a repository name.", "Names look like this: Qwen/Qwen3-8B-GGUF."
        )
    return HubSource(repository, quantization, file)


def _without_address(given: str) -> str:
    """A file's page in the browser is .../blob/main/FILE, its download .../resolve/main/FILE."""
    if "://" not in given and not given.startswith(_HUBS):
        return given
    address = urlsplit(given if "://" in given else f"https://{given}")
    parts = unquote(address.path).strip("/").split("/")
    if len(parts) > 3 and parts[2] in ("blob", "resolve", "tree"):
        parts = [*parts[:2], *parts[4:]]
    return "/".join(parts)
