"""A hub of our own on loopback: speaks what huggingface_hub asks, misbehaves where a test says so, and counts bytes.

Large files are redirected to a second port, as the real hub sends them to a content delivery network: another host,
which must never see the access token.
"""

import hashlib
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, quote, unquote, urlsplit

PIECE_BYTES = 16 * 1024
_LARGE_BYTES = 4096  # from here on a file is stored as LFS, and redirected
TOKEN = "hf_goodTokenForTests"


@dataclass
class Fault:
    """What goes wrong with one request; the next one is served properly."""

    status: int = 0
    """Answer this instead."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    hold_after: int | None = None
    """Send so many bytes of the body, then nothing until the client goes away or `Hub.go_on` is set."""
    wrong_at: int | None = None
    """This byte of the file comes out wrong."""
    no_ranges: bool = False
    """Answer a range with the whole file."""
    page: str = ""
    """Answer with this, as a network's login page does."""


@dataclass
class Model:
    """A repository."""

    name: str
    files: dict[str, bytes]
    gated: bool = False
    private: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    """Announced instead of the real ones."""
    tags: tuple[str, ...] = ()
    architecture: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    downloads: int = 0

    @property
    def revision(self) -> str:
        digest = hashlib.sha1(self.name.encode(), usedforsecurity=False)
        for path in sorted(self.files):
            digest.update(path.encode() + self.files[path])
        return digest.hexdigest()

    def is_large(self, path: str) -> bool:
        return len(self.files[path]) >= _LARGE_BYTES or path in self.sizes

    def etag(self, path: str) -> str:
        data = self.files[path]
        if self.is_large(path):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def size(self, path: str) -> int:
        return self.sizes.get(path, len(self.files[path]))


@dataclass
class Served:
    """One request for a file's bytes."""

    path: str
    start: int
    sent: int = 0
    token: str = ""
    is_redirected: bool = False


class _Quiet(ThreadingHTTPServer):
    """A client that has gone is no news, and what is printed here would be taken for the client's words."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Hub:
    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.served: list[Served] = []
        self.asked: list[str] = []
        """Method and path of everything that was asked of the hub itself."""
        self.faults: dict[str, deque[Fault]] = {}
        """By file path, or "api" for questions about repositories and "head" for a file's headers."""
        self.piece_s = 0.0
        """Between two pieces of a body, as on a slow line."""
        self.spoil: Callable[[str, bytes], Iterable[bytes]] | None = None
        """Makes of a whole answer to a path, headers and all, what is really sent, piece by piece."""
        self.proper: dict[str, dict[str, bytes]] = {}
        """What the repositories held before a test changed it."""
        self.held = threading.Event()
        self.go_on = threading.Event()
        self._front = _Quiet(("127.0.0.1", 0), _handler(self, is_delivery=False))
        self._delivery = _Quiet(("127.0.0.1", 0), _handler(self, is_delivery=True))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._front.server_address[1]}"

    @property
    def delivery_address(self) -> str:
        return f"http://127.0.0.1:{self._delivery.server_address[1]}"

    def add(self, name: str, files: Mapping[str, bytes], **others: object) -> Model:
        model = Model(name, dict(files), **others)  # type: ignore[arg-type]
        self.models[name] = model
        return model

    def fail(self, where: str, *faults: Fault) -> None:
        self.faults.setdefault(where, deque()).extend(faults)

    def next_fault(self, where: str) -> Fault:
        waiting = self.faults.get(where)
        return waiting.popleft() if waiting else Fault()

    def ranges(self, path: str) -> list[tuple[int, int]]:
        """From which byte to which, request by request."""
        return [(each.start, each.start + each.sent) for each in self.served if each.path == path]

    def sent_bytes(self, path: str) -> int:
        return sum(each.sent for each in self.served if each.path == path)

    @contextmanager
    def running(self) -> Iterator["Hub"]:
        servers = (self._front, self._delivery)
        threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.go_on.set()
            for server in servers:
                server.shutdown()
                server.server_close()


def _handler(hub: Hub, *, is_delivery: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(_Answers):
        pass

    Handler.hub, Handler.is_delivery = hub, is_delivery
    return Handler


class _Answers(BaseHTTPRequestHandler):
    hub: Hub
    is_delivery: bool
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small body waits 40 ms for the client to acknowledge the head

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer_spoilt()

    def do_GET(self) -> None:
        self._answer_spoilt()

    def _answer_spoilt(self) -> None:
        if self.hub.spoil is None:
            self._answer()
            return
        line, self.wfile = self.wfile, BytesIO()
        try:
            self._answer()
            whole = self.wfile.getvalue()
        finally:
            self.wfile = line
        self.close_connection = True
        with suppress(OSError):  # whoever asked has gone
            for piece in self.hub.spoil(self.path, whole):
                line.write(piece)
                line.flush()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path).strip("/"), parse_qs(url.query)
        try:
            if self.is_delivery:
                name, _, file = path.partition("/-/")
                self._file(self.hub.models[name], file, is_redirected=True)
                return
            self.hub.asked.append(f"{self.command} /{path}")
            if path.startswith("api/models"):
                self._api(path.removeprefix("api/models").strip("/"), query)
            else:
                self._resolve(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # Questions about repositories

    def _api(self, path: str, query: Mapping[str, list[str]]) -> None:
        fault = self.hub.next_fault("api")
        if fault.page:
            self._send(200, fault.page.encode(), {"Content-Type": "text/html"})
        elif fault.status:
            self._refuse(fault.status, "", fault.headers)
        elif not path:
            self._json(self._search(query))
        elif (model := self._visible("/".join(path.split("/")[:2]))) is not None:
            if "/tree/" in path:
                self._json([_tree_entry(model, file) for file in model.files])
            else:
                self._json(_info(model))

    def _search(self, query: Mapping[str, list[str]]) -> list[object]:
        text, wanted = query.get("search", [""])[0].lower(), set(query.get("filter", []))
        found = [
            model
            for model in self.hub.models.values()
            if text in model.name.lower() and wanted <= set(model.tags) and not model.private
        ]
        found.sort(key=lambda model: -model.downloads)
        return [_found(model) for model in found[: int(query.get("limit", ["100"])[0])]]

    def _visible(self, name: str) -> Model | None:
        """Answers itself where there is nothing to be seen."""
        if self._token() not in ("", TOKEN):
            self._refuse(401, "", {"X-Error-Message": "Invalid credentials in Authorization header"})
            return None
        model = next((each for each in self.hub.models.values() if each.name.lower() == name.lower()), None)
        if model is None or (model.private and not self._token()):
            self._refuse(404 if self._token() else 401, "RepoNotFound", {"X-Error-Message": "Repository not found"})
            return None
        return model

    # Files

    def _resolve(self, path: str) -> None:
        name, _, rest = path.partition("/resolve/")
        model = self._visible(name)
        if model is None:
            return
        revision, _, file = rest.partition("/")
        if self.command == "HEAD" and (fault := self.hub.next_fault("head")).status:
            self._refuse(fault.status, "", fault.headers)
        elif model.gated and self._token() != TOKEN:
            message = f"Access to model {name} is restricted. You must have access to it and be authenticated."
            self._refuse(401, "GatedRepo", {"X-Error-Message": message})
        elif revision not in ("main", model.revision):
            self._refuse(404, "RevisionNotFound")
        elif file not in model.files:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": model.revision})
        elif model.is_large(file):
            self._redirect(model, file)
        else:
            self._file(model, file, is_redirected=False)

    def _redirect(self, model: Model, file: str) -> None:
        address = f"{self.hub.delivery_address}/{model.name}/-/{quote(file)}?signature=secret"
        self._send(302, b"", {**_file_headers(model, file), "Location": address})

    def _file(self, model: Model, file: str, *, is_redirected: bool) -> None:
        if self.command == "HEAD":
            self._send(200, b"", {**_file_headers(model, file), "Content-Length": str(model.size(file))})
            return
        fault, data = self.hub.next_fault(file), model.files[file]
        if fault.status:
            self._refuse(fault.status, "", fault.headers)
            return
        start = 0 if fault.no_ranges else self._range_start()
        if start >= len(data) > 0:
            self._refuse(416, "", {"Content-Range": f"bytes */{len(data)}"})
            return
        if fault.wrong_at is not None:
            at = fault.wrong_at
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        served = Served(file, start, 0, self._token(), is_redirected)
        self.hub.served.append(served)
        self._start_body(model, file, start, len(data))
        self._body(data[start:], served, fault)

    def _start_body(self, model: Model, file: str, start: int, size: int) -> None:
        self.send_response(206 if start else 200)
        for name, value in _file_headers(model, file).items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()

    def _body(self, data: bytes, served: Served, fault: Fault) -> None:
        end = len(data) if fault.cut_after is None else fault.cut_after
        for at in range(0, end, PIECE_BYTES):
            if fault.hold_after is not None and at >= fault.hold_after:
                self.hub.held.set()
                self.hub.go_on.wait()
                fault.hold_after = None
            piece = data[at : min(at + PIECE_BYTES, end)]
            self.wfile.write(piece)
            time.sleep(self.hub.piece_s)
            served.sent += len(piece)
        self.close_connection = self.close_connection or end < len(data)

    def _range_start(self) -> int:
        given = self.headers.get("Range", "")
        return int(given.removeprefix("bytes=").partition("-")[0]) if given else 0

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    # Answers

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, b"{}", {**({"X-Error-Code": code} if code else {}), **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _file_headers(model: Model, file: str) -> dict[str, str]:
    headers = {"ETag": f'"{model.etag(file)}"', "X-Repo-Commit": model.revision, "Accept-Ranges": "bytes"}
    if model.is_large(file):
        headers |= {"X-Linked-Etag": f'"{model.etag(file)}"', "X-Linked-Size": str(model.size(file))}
    return headers


def _info(model: Model) -> dict[str, object]:
    return {
        "id": model.name,
        "modelId": model.name,
        "sha": model.revision,
        "private": model.private,
        "gated": "manual" if model.gated else False,
        "tags": list(model.tags),
        "siblings": [_sibling(model, file) for file in model.files],
    }


def _sibling(model: Model, file: str) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": file, "size": model.size(file), "blobId": "0" * 40}
    if model.is_large(file):
        entry["lfs"] = {"sha256": model.etag(file), "size": model.size(file), "pointerSize": 134}
    else:
        entry["blobId"] = model.etag(file)
    return entry


def _tree_entry(model: Model, file: str) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": file, "size": model.size(file), "oid": "0" * 40}
    if model.is_large(file):
        entry["lfs"] = {"oid": model.etag(file), "size": model.size(file), "pointerSize": 134}
    else:
        entry["oid"] = model.etag(file)
    return entry


def _found(model: Model) -> dict[str, object]:
    found: dict[str, object] = {
        "id": model.name,
        "downloads": model.downloads,
        "tags": list(model.tags),
        "gated": "manual" if model.gated else False,
        "config": dict(model.config),
    }
    if model.architecture:
        found["gguf"] = {"architecture": model.architecture, "total": 1}
    return found
