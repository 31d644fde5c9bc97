"""The gate to the hub: asks, and translates answers, tokens and errors. Retries nothing itself.

huggingface_hub gives the token, the cache's folder and the lock other programs take; it reads its HF_* variables when
it is imported, which is here, when a Hub is made. Answers are read by transport.py and answers.py, which bound them;
files over plain HTTP with ranges: the library's own download starts from nothing after every cut, and checks no hash.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from converters.regular_file import NotRegular, check_regular
from sparkdesk import __version__
from sparkdesk.errors import DownloadError, HubUnreachable, UsageError
from sparkdesk.hub import explain
from sparkdesk.hub.repository import FoundModel, HubFile, Repository
from sparkdesk.hub_layout import is_repository

_OK, _PARTIAL_CONTENT, _RANGE_REFUSED = 200, 206, 416
_ELSEWHERE = (301, 302, 303, 307, 308)
_LONGEST_ANSWER_BYTES = 32 << 20
"""A repository of ten thousand files is described in a few megabytes."""
_ANSWER_DEADLINE_S = 60.0
"""For the whole of an answer that does get on."""
_LONGEST_TOKENS_BYTES = 1 << 20
_EXPANDED = ("config", "gguf", "tags", "downloads", "gated")
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\]")
_RATE_LIMIT = re.compile(r'"\w{1,40}"\s{0,9};\s{0,9}r\s{0,9}=\s{0,9}0\s{0,9};\s{0,9}t\s{0,9}=\s{0,9}([0-9]{1,9})')
_SECONDS, _LENGTH = re.compile(r"[0-9]{1,9}"), re.compile(r"[0-9]{1,19}")
_RANGE_START = re.compile(r"bytes ([0-9]{1,19})-")


class RangeRefused(HubUnreachable):
    """The hub has nothing from that byte on: what is here is begun again."""


@dataclass(frozen=True, slots=True)
class Body:
    """A file's bytes as they arrive."""

    start: int
    """Where they begin; 0 when the server knows no ranges."""
    chunks: Iterator[bytes]


class Hub:
    """One hub, as the environment names it where nothing else is said."""

    def __init__(self, endpoint: str = "", cache_folder: Path | None = None) -> None:
        try:
            import huggingface_hub
            from huggingface_hub import constants, utils
        except ValueError as error:  # a variable of its own that is no number
            raise UsageError(f"A variable HF_* has a value that cannot be used ({error}).", "Unset it.") from None

        from sparkdesk.hub.transport import Transport

        self._library = huggingface_hub
        self._utils: Any = utils
        self._utils.logging.set_verbosity_error()  # what it would warn of, we say ourselves
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        _check_address(self.endpoint)
        for path in (constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH):
            _check_small_file(Path(path))
        self._transport = Transport(max(1.0, float(constants.HF_HUB_DOWNLOAD_TIMEOUT)))
        self.is_offline = constants.HF_HUB_OFFLINE
        self._is_anonymous = constants.HF_HUB_DISABLE_IMPLICIT_TOKEN
        self.cache_folder = cache_folder or Path(constants.HF_HUB_CACHE)

    @property
    def has_token(self) -> bool:
        return self._token() is not None

    def page(self, repository: str) -> str:
        return f"{self.endpoint}/{repository}"

    def repository(self, name: str) -> Repository:
        """Raises DownloadError, also for a name the hub would never have."""
        from sparkdesk.hub.answers import read_repository

        if not is_repository(name):
            raise DownloadError(f"{name!r} is not a name the hub could have.", "Names look like this: Qwen/Qwen3-8B.")
        with self._translated(name):
            return read_repository(self._answer(name, f"api/models/{name}", [("blobs", "true")]), name)

    def search(self, text: str, *, tag: str | None, most: int) -> tuple[FoundModel, ...]:
        from sparkdesk.hub.answers import read_search

        query = [("search", text)] if text else []
        query += [("filter", tag)] if tag else []
        query += [("limit", str(most)), ("sort", "downloads"), *(("expand", name) for name in _EXPANDED)]
        with self._translated("A search's result"):
            return read_search(self._answer(text, "api/models", query), most)

    def check_access(self, repository: Repository, file: HubFile) -> None:
        """A gated repository tells everybody what it holds; only asking for a file shows whether it is given out."""
        address = self._address(repository, file)
        with (
            self._translated(repository.name),
            self._transport.ask("HEAD", address, headers=self._headers(), leaves_host=False) as answer,
        ):
            if answer.status not in _ELSEWHERE:
                self._check(answer.status, answer.headers, repository.name, file.path)

    @contextmanager
    def read(self, repository: Repository, file: HubFile, *, start: int) -> Iterator[Body]:
        """The bytes of `file` from `start` on. What fails while they are read is translated, too.

        Raises RangeRefused where the hub does not go on from there.
        """
        headers = self._headers() | ({"Range": f"bytes={start}-"} if start else {})
        with (
            self._translated(repository.name),
            self._transport.ask("GET", self._address(repository, file), headers=headers) as answer,
        ):
            if answer.status == _RANGE_REFUSED and start:
                raise RangeRefused(f"The hub cannot resume {file.name}; the download starts over.", "Try again later.")
            self._check(answer.status, answer.headers, repository.name, file.path)
            begins = _start(answer.headers) if answer.status == _PARTIAL_CONTENT else 0
            if begins not in (0, start):
                raise RangeRefused(
                    f"The hub sent the wrong part of {file.name}; the download starts over.", "Try again later."
                )
            announced = answer.headers.get("Content-Length", "")
            if not answer.is_packed and _LENGTH.fullmatch(announced) and begins + int(announced) != file.size_bytes:
                raise HubUnreachable(
                    f"{file.name} has {begins + int(announced):,} bytes instead of the announced {file.size_bytes:,}.",
                    "A network's login page or a proxy may answer instead of the hub; try again later.",
                )
            yield Body(begins, answer.body)

    @contextmanager
    def lock(self, path: Path, *, timeout_s: float) -> Iterator[bool]:
        """The lock other programs take for the same file; yields False when one of them holds it for that long."""
        from filelock import Timeout

        path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._utils.WeakFileLock(path, timeout=timeout_s)
        try:
            lock.__enter__()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.__exit__(None, None, None)

    def _answer(self, what: str, path: str, query: list[tuple[str, str]]) -> bytes:
        from sparkdesk.hub.transport import NoSense, Stalled

        began_s, answer = time.monotonic(), bytearray()
        url = f"{self.endpoint}/{path}"
        with self._transport.ask("GET", url, headers=self._headers(), query=query) as got:
            self._check(got.status, got.headers, what)
            for piece in got.body:
                answer += piece
                if len(answer) > _LONGEST_ANSWER_BYTES:
                    raise NoSense("it is too long")
                if time.monotonic() - began_s > _ANSWER_DEADLINE_S:
                    raise Stalled
        return bytes(answer)

    def _headers(self) -> dict[str, str]:
        """The library's own headers say more: it asks the hub for a list of programs, and names the one it runs in."""
        token = self._token()
        return {"User-Agent": f"sparkdesk/{__version__}"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def _token(self) -> str | None:
        return None if self._is_anonymous else self._library.get_token()

    def _address(self, repository: Repository, file: HubFile) -> str:
        return f"{self.endpoint}/{repository.name}/resolve/{repository.revision}/{quote(file.path)}"

    def _check(self, status: int, headers: Any, repository: str, file: str = "") -> None:
        """Raises DownloadError for anything but the answer that was asked for; its body is not looked at."""
        if status in (_OK, _PARTIAL_CONTENT):
            return
        raise explain.explain(
            _refusal(status, headers),
            repository=repository,
            page=self.page(repository),
            has_token=self.has_token,
            file=file,
        )

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        import httpx2

        from sparkdesk.hub.transport import NoSense, Stalled

        if self.is_offline:
            raise explain.offline(what)
        try:
            yield
        except Stalled:
            raise explain.unreachable(self.endpoint, reason="the answer has stalled") from None
        except NoSense as error:
            raise DownloadError(
                f"{self.endpoint} does not answer like a hub: {error}.",
                "Check HF_ENDPOINT and the network's login page.",
            ) from None
        except httpx2.TransportError as error:
            raise explain.unreachable(self.endpoint, reason=_reason(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DownloadError(f"The answer of {self.endpoint} is invalid: {_reason(error)}.") from None
        except UnicodeError:
            raise DownloadError(
                f"{self.endpoint} cannot be asked: the address or the access token has characters it may not have.",
                "Check HF_ENDPOINT and HF_TOKEN.",
            ) from None


def _check_address(endpoint: str) -> None:
    try:
        address = urlsplit(endpoint)
        is_usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(f"HF_ENDPOINT is {endpoint!r}, which is not the address of a hub.", "Unset it, or correct it.")


def _check_small_file(path: Path) -> None:
    """The library reads its tokens from wherever the name leads, to the end, which a pipe or a device has not."""
    with suppress(FileNotFoundError, NotADirectoryError):
        try:
            check_regular(path)
            size_bytes = path.stat().st_size
        except (NotRegular, IsADirectoryError) as error:
            raise UsageError(f"{path} cannot hold the hub's token: {error.strerror}.", "Move it away.") from None
        if size_bytes > _LONGEST_TOKENS_BYTES:
            raise UsageError(f"{path} is too large to be the hub's token.", "Move it away, and log in: hf auth login.")


def _refusal(status: int, headers: Any) -> explain.Refusal:
    limit = _RATE_LIMIT.search(headers.get("RateLimit", "")[:1000])
    wait_s = float(limit[1]) if limit else _seconds(headers.get("Retry-After", "").strip())
    is_bad_token = headers.get("X-Error-Message", "").startswith("Invalid credentials")
    return explain.Refusal(status, headers.get("X-Error-Code", ""), wait_s, is_bad_token)


def _seconds(given: str) -> float | None:
    """Of Retry-After: a number of seconds, or a date; None where it is neither."""
    if _SECONDS.fullmatch(given):
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _start(headers: Any) -> int:
    """-1 where it is not said."""
    found = _RANGE_START.match(headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _reason(error: Exception) -> str:
    """One line, without the address: a download's is signed and long."""
    text = _ERROR_NUMBER.sub("", str(error).partition("\n")[0]).strip().rstrip(".")
    return text if text and "://" not in text else type(error).__name__
