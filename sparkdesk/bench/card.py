"""A report card to share: a run's figures, the files by their hashes, the machine. No prompt, no path, no person."""

import json
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from sparkdesk.bench.card_markdown import markdown
from sparkdesk.errors import UsageError
from sparkdesk.events import Progress

KIND = "sparkdesk bench card"
_CHUNK_BYTES = 1 << 22
_PRIVATE = ("prompts",)
"""What a run says of single prompts stays at home."""

Found = dict[str, Any]


def check_out(out: Path) -> None:
    """Refuse before the work what would fail after it. Raises UsageError."""
    for path in (out, beside(out)):
        if path.exists():
            raise UsageError(f"{path} exists already.", "Choose another name.")
    if out.suffix == ".json":
        raise UsageError(f"{out} would be both the card and its figures.", "Choose a name that ends in .md.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"The folder {out.parent} cannot be written to.")


def check_files(found: Found, files: Mapping[str, Path]) -> None:
    """A kept run must be of these very files. Raises UsageError."""
    for role, path in files.items():
        kept = found.get("files", {}).get(role, {})
        if (kept.get("name"), kept.get("size_bytes")) != (path.name, path.stat().st_size):
            raise UsageError(
                f"The run was made with the {role} {kept.get('name', 'of another pair')}, and this is {path.name}"
                + (" of another size." if kept.get("name") == path.name else "."),
                "Name its files with --target and --draft.",
            )


def hashes(files: Mapping[str, Path]) -> Generator[Progress, None, dict[str, str]]:
    """The SHA-256 of each file, by its role. Raises UsageError."""
    total = sum(path.stat().st_size for path in files.values())
    done, began_s, found = 0, time.monotonic(), {}
    for role, path in files.items():
        digest = sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    done += len(chunk)
                    elapsed_s = time.monotonic() - began_s
                    rate = done / elapsed_s if elapsed_s > 0 else 0.0
                    yield Progress("Hashing the files", done, total, "bytes", rate)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
        found[role] = digest.hexdigest()
    return found


def card_of(found: Found, digests: Mapping[str, str]) -> Found:
    """From a run's JSON object and the hashes of its files."""
    card = {name: value for name, value in found.items() if name not in _PRIVATE} | {"kind": KIND}
    card["files"] = {role: {**facts, "sha256": digests.get(role, "")} for role, facts in found["files"].items()}
    return card


def write_card(card: Found, out: Path, *, words: Callable[[Found], str] = markdown) -> tuple[Path, Path]:
    """The Markdown at `out` and its figures as JSON beside it; both or none. Raises UsageError."""
    texts = {out: words(card), beside(out): json.dumps(card, ensure_ascii=False, indent=1) + "\n"}
    parts = {path: path.with_name(f".{path.name}.{uuid4().hex[:8]}.part") for path in texts}
    try:
        with ExitStack() as stack:
            for path, part in parts.items():
                stack.callback(_remove, part)
                _write(part, texts[path])
            for path, part in parts.items():
                os.replace(part, path)
    except OSError as error:
        raise UsageError(f"{out} could not be written: {error.strerror or error}.") from error
    return out, beside(out)


def beside(out: Path) -> Path:
    """Where the figures of a card go."""
    return out.with_suffix(".json")


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _remove(part: Path) -> None:
    with suppress(FileNotFoundError):
        part.unlink()
