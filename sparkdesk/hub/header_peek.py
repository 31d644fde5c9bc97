"""What a file on the hub is, before it is downloaded: a GGUF header from its first megabytes, or a config.json.

What comes lies in the cache beside the downloads, and becomes the beginning of one, so that no byte of it is fetched
again; a week later it is gone.
"""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from converters.regular_file import open_regular, read_regular_text
from sparkdesk.errors import BrokenDownload, HubBusy, HubUnreachable, ModelLoadError
from sparkdesk.events import Notice, Progress, Report
from sparkdesk.gguf.header import GgufFile, read_gguf, read_head
from sparkdesk.hub.cache import HubCache, append_to, drop_strange, size_of
from sparkdesk.hub.client import Hub, RangeRefused
from sparkdesk.hub.fetch import disk_errors, fetch
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.hub.retry import RetryPolicy, waiting

CONFIG = "config.json"
_FIRST_LOOK_BYTES = 1 << 20
_MOST_BYTES = 64 << 20
"""No vocabulary makes a header longer than this."""
_LOCK_MOMENT_S = 0.2


def read_header(
    hub: Hub, repository: Repository, file: HubFile, *, retry: RetryPolicy
) -> Generator[Report, None, GgufFile | None]:
    """None where it cannot be had: another program downloads the file just now, or it is broken. Raises DownloadError.

    Of a split model's first part, the tensors in that part.
    """
    cache, failures = HubCache(hub.cache_folder), 0
    cache.drop_old_peeks(time.time())
    for path in (cache.place(repository, file), cache.blob(repository.name, file)):
        if path.exists():
            return _of_whole_file(path)
    while True:
        try:
            with disk_errors(cache.root):
                return (yield from _begin(hub, cache, repository, file))
        except (HubBusy, HubUnreachable) as failure:
            if isinstance(failure, RangeRefused):
                for begun in (cache.partial(repository.name, file), cache.peek(repository.name, file)):
                    begun.unlink(missing_ok=True)
            failures += 1
            yield from waiting(failure, failures, retry)


def read_config(
    hub: Hub, repository: Repository, *, retry: RetryPolicy
) -> Generator[Report, None, Mapping[str, Any] | None]:
    """None where the repository has none, or one that makes no sense. Raises DownloadError."""
    file = next((file for file in repository.files if file.path == CONFIG), None)
    if file is None:
        return None
    cache = HubCache(hub.cache_folder)
    with closing(fetch(hub, cache, repository, file, retry=retry)) as steps:
        for step in steps:
            if isinstance(step, Progress | Notice):
                yield step
    return config_in(cache.snapshot(repository))


def config_in(folder: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(read_regular_text(folder / CONFIG))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _begin(
    hub: Hub, cache: HubCache, repository: Repository, file: HubFile
) -> Generator[Report, None, GgufFile | None]:
    """Download until the header is whole."""
    partial, most = cache.partial(repository.name, file), min(_MOST_BYTES, file.size_bytes)
    if not partial.exists():
        partial = cache.peek(repository.name, file)
    drop_strange(partial)
    head = bytearray(_first_bytes(partial))
    header = _header(head, file)
    if header is not None or len(head) >= most:
        return header
    with hub.lock(cache.lock(repository.name, file), timeout_s=_LOCK_MOMENT_S) as is_ours:
        if not is_ours:
            return None
        cache.prepare(repository.name, partial.parent)
        start, due = size_of(partial), max(_FIRST_LOOK_BYTES, 2 * len(head))
        with hub.read(repository, file, start=start) as body, append_to(partial) as stream:
            if body.start != start:
                stream.truncate(0)
                head.clear()
            for piece in body.chunks:
                stream.write(piece[: file.size_bytes - len(head)])
                head += piece[: file.size_bytes - len(head)]
                yield Progress(f"Looking at {file.name}", len(head), 0, "bytes")
                if len(head) >= min(due, most):
                    header, due = _header(head, file), 2 * len(head)
                if header is not None or len(head) >= most:
                    return header
    raise HubUnreachable(f"The hub sent only the beginning of {file.name}.", "Try again later.")


def _first_bytes(partial: Path) -> bytes:
    try:
        with open_regular(partial) as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""


def _header(head: bytearray, file: HubFile) -> GgufFile | None:
    try:
        return read_head(bytes(head), Path(file.name), file.size_bytes) if head else None
    except ModelLoadError as error:
        raise BrokenDownload(f"{file.path} on the hub is not a GGUF file.", "Name another file.") from error


def _of_whole_file(path: Path) -> GgufFile | None:
    try:
        return read_gguf(path)
    except ModelLoadError:
        return None  # whoever loads it says what is wrong with it
