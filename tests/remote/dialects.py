"""A small server that answers as it is told to, byte for byte: other servers' dialects, and servers in trouble."""

import json
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LLAMA_CPP = {"data": [{"id": "qwen.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 8192, "n_params": 8_000_000_000}}]}
VLLM = {"data": [{"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960}]}
OTHER = {"data": [{"id": "gpt-x", "owned_by": "someone"}]}


@dataclass
class Script:
    models: Any = field(default_factory=lambda: LLAMA_CPP)
    chunks: Sequence[bytes] = ()
    """Of the reply, each sent on its own."""
    status: int = 200
    answer: bytes = b""
    """Instead of chunks, with another status."""
    headers: dict[str, str] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)
    """One a request; the last again and again."""
    cut: bool = False
    """Close the connection without an end."""
    encoding: str = ""
    """gzip or deflate: the reply's bytes as a proxy packs them, each chunk flushed."""
    refuse_longer_than: int = 0
    """Messages; 0 is none."""
    hold: threading.Event = field(default_factory=threading.Event)
    """The last chunk waits for it."""
    holds: bool = False
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


def event(**said: Any) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def text(words: str, **more: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": words}, "finish_reason": None}], **more)


DONE = b"data: [DONE]\n\n"
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


@contextmanager
def server(script: Script) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            script.keys.append(self.headers.get("Authorization"))
            if self.path == "/metrics" and script.metrics:
                said = script.metrics.pop(0) if len(script.metrics) > 1 else script.metrics[0]
                self._send(200, said.encode(), "text/plain")
            elif self.path == "/v1/models":
                self._send(
                    script.status if not script.chunks else 200, script.answer or json.dumps(script.models).encode()
                )
            else:
                self._send(404, b"")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.bodies.append(body)
            if script.refuse_longer_than and len(body["messages"]) > script.refuse_longer_than:
                self._send(400, json.dumps({"error": {"message": "This model's maximum context length is 9"}}).encode())
                return
            if script.status != 200:
                self._send(script.status, script.answer)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            if script.encoding:
                self.send_header("Content-Encoding", script.encoding)
            self.end_headers()
            packer = zlib.compressobj(wbits=31 if script.encoding == "gzip" else 15)
            for number, chunk in enumerate(script.chunks):
                if script.holds and number == len(script.chunks) - 1:
                    script.hold.wait(20)
                if script.encoding:
                    chunk = packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            if script.cut:
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            for name, value in script.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        script.hold.set()
        listening.shutdown()
        listening.server_close()
