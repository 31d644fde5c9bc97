"""The gate to huggingface_hub: asks, and translates answers, tokens and errors. Retries nothing itself.

The library reads its HF_* variables when it is imported, which is here, when a Hub is made. Files are read over plain
HTTP with ranges: the library's own download starts from nothing after every cut, and checks no hash.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.errors import BrokenDownload, DownloadError
from sparkdesk.hub import explain
from sparkdesk.hub.repository import FoundModel, HubFile, Repository

if TYPE_CHECKING:
    import httpx2

_ANSWER_TIMEOUT_S = 10.0
_EXPANDED: Any = ["config", "gguf", "tags", "downloads", "gated"]
_PARTIAL_CONTENT = 206
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\]")


@dataclass(frozen=True, slots=True)
class Body:
    """A file's bytes as they arrive."""

    start: int
    """Where they begin; 0 when the server knows no ranges."""
    chunks: Iterator[bytes]


class Hub:
    """One hub, as the environment names it where nothing else is said."""

    def __init__(self, endpoint: str = "", cache_folder: Path | None = None) -> None:
        import httpx2
        import huggingface_hub
        from huggingface_hub import constants, utils

        self._http, self._library = httpx2, huggingface_hub
        self._utils: Any = utils
        self._utils.logging.set_verbosity_error()  # what it would warn of, we say ourselves
        self.endpoint = endpoint or constants.ENDPOINT
        self._api = huggingface_hub.HfApi(endpoint=self.endpoint, library_name="sparkdesk")
        self._read_timeout_s = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        self.is_offline = constants.HF_HUB_OFFLINE
        self.cache_folder = cache_folder or Path(constants.HF_HUB_CACHE)

    @property
    def has_token(self) -> bool:
        return self._library.get_token() is not None

    def page(self, repository: str) -> str:
        return f"{self.endpoint}/{repository}"

    def repository(self, name: str) -> Repository:
        """Raises DownloadError, also for a name the hub would never have."""
        with self._translated(name), self._making_sense():
            info = self._api.model_info(name, files_metadata=True, timeout=_ANSWER_TIMEOUT_S)
            files = tuple(_hub_file(sibling) for sibling in info.siblings or ())
        if not info.sha:
            raise BrokenDownload(f"The hub names no revision of {name}.")
        return Repository(info.id, info.sha, files, is_gated=bool(info.gated))

    def check_access(self, repository: Repository, file: HubFile) -> None:
        """A gated repository tells everybody what it holds; only asking for a file shows whether it is given out."""
        with self._translated(repository.name, file.path):
            url = self._address(repository, file)
            self._library.get_hf_file_metadata(url, timeout=_ANSWER_TIMEOUT_S)

    @contextmanager
    def read(self, repository: Repository, file: HubFile, *, start: int) -> Iterator[Body]:
        """The bytes of `file` from `start` on. What fails while they are read is translated, too."""
        url = self._address(repository, file)
        headers = self._utils.build_hf_headers(library_name="sparkdesk") | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with (
            self._translated(repository.name, file.path),
            # A redirect to another host leaves the token behind: the client sees to that.
            self._utils.get_session().stream("GET", url, headers=headers, timeout=self._read_timeout_s) as response,
        ):
            self._utils.hf_raise_for_status(response)
            yield Body(start if response.status_code == _PARTIAL_CONTENT else 0, response.iter_bytes())

    def search(self, text: str, *, tag: str | None, most: int) -> tuple[FoundModel, ...]:
        with self._translated(text), self._making_sense():
            found = self._api.list_models(
                search=text or None, filter=tag, limit=most, sort="downloads", expand=_EXPANDED
            )
            return tuple(_found_model(info) for info in found)

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

    def _address(self, repository: Repository, file: HubFile) -> str:
        url: str = self._library.hf_hub_url(
            repository.name, file.path, revision=repository.revision, endpoint=self.endpoint
        )
        return url

    @contextmanager
    def _translated(self, repository: str, file: str = "") -> Iterator[None]:
        errors = self._library.errors
        try:
            yield
        except errors.OfflineModeIsEnabled:
            raise explain.offline(f"{repository}/{file}".rstrip("/")) from None
        except errors.HFValidationError:
            raise DownloadError(
                f"{repository!r} is not a name the hub could have.", "Names look like this: Qwen/Qwen3-8B."
            ) from None
        except errors.HfHubHTTPError as error:
            raise explain.explain(
                self._refusal(error.response),
                repository=repository,
                page=self.page(repository),
                has_token=self.has_token,
                file=file,
            ) from None
        except self._http.TransportError as error:
            raise explain.unreachable(self.endpoint, reason=_reason(error)) from None
        except (self._http.HTTPError, self._http.InvalidURL) as error:
            raise DownloadError(f"The answer of {self.endpoint} makes no sense: {_reason(error)}.") from None

    @contextmanager
    def _making_sense(self) -> Iterator[None]:
        """A proxy's login page, or a server that is no hub."""
        try:
            yield
        except (JSONDecodeError, KeyError, TypeError, AttributeError):
            raise DownloadError(
                f"{self.endpoint} does not answer like a hub.", "Check HF_ENDPOINT and the network's login page."
            ) from None

    def _refusal(self, response: "httpx2.Response") -> explain.Refusal:
        said = response.headers
        limit = self._utils.parse_ratelimit_headers(said)
        wait = float(limit.reset_in_seconds) if limit is not None and limit.remaining == 0 else _seconds(said)
        is_bad_token = said.get("X-Error-Message", "").startswith("Invalid credentials")
        return explain.Refusal(response.status_code, said.get("X-Error-Code", ""), wait, is_bad_token)


def _hub_file(sibling: Any) -> HubFile:
    lfs = sibling.lfs
    digest = lfs.sha256 if lfs is not None else sibling.blob_id
    size = lfs.size if lfs is not None else sibling.size
    return HubFile(sibling.rfilename, size or 0, digest or "")


def _found_model(info: Any) -> FoundModel:
    gguf, config = info.gguf or {}, info.config or {}
    architectures = (gguf["architecture"],) if "architecture" in gguf else tuple(config.get("architectures") or ())
    return FoundModel(info.id, architectures, tuple(info.tags or ()), info.downloads or 0, bool(info.gated))


def _seconds(headers: Any) -> float | None:
    given = headers.get("Retry-After", "").strip()
    return float(given) if given.isdigit() else None


def _reason(error: Exception) -> str:
    """One line, without the address: a download's is signed and long."""
    text = _ERROR_NUMBER.sub("", str(error).partition("\n")[0]).strip().rstrip(".")
    return text if text and "://" not in text else type(error).__name__
