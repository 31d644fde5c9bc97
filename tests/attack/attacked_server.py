"""`sparkdesk serve` with Spark Tiny under attack: sends hostile requests, and measures what a harmless client waits."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.hostile_requests import COMPLETIONS, Shape, encoded, whole

PATIENCE_S = 20.0
_SMALL = {"prompt": "One", "max_tokens": 1, "user": "harmless"}
_HARMLESS = Shape("harmless", (whole(encoded(_SMALL), path=COMPLETIONS),))
_PAUSE_S = 0.2


@dataclass
class AttackedServer:
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    waits_s: list[float] = field(default_factory=list)
    """Of the harmless client."""
    refused: int = 0
    """Of its requests."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def send(self, shape: Shape) -> tuple[int | None, float]:
        """The status, None without an answer, -1 where none came in time; and the seconds it took."""
        began_s, answer = time.monotonic(), b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
                for piece in shape.pieces:
                    connection.sendall(piece)
                    time.sleep(shape.pause_s)
                if shape.is_closed:
                    connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(65536):
                    answer = answer or data
        except TimeoutError:
            return -1, time.monotonic() - began_s
        except OSError:
            pass  # it closed the connection, which is an answer too
        found = re.match(rb"HTTP/1\.1 (\d+)", answer)
        return int(found[1]) if found else None, time.monotonic() - began_s

    def largest_bytes(self) -> int:
        """Of the server's processes, at its peak."""
        pids, largest = [self.process.pid], 0
        for pid in pids:
            try:
                for children in Path(f"/proc/{pid}/task").glob("*/children"):  # whichever thread started them
                    pids += map(int, children.read_text().split())
                found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            except OSError:
                continue
            largest = max(largest, 1024 * int(found[1]) if found else 0)
        return largest

    def ask_again_and_again(self) -> None:
        while not self.is_over.wait(_PAUSE_S):
            status, wait_s = self.send(_HARMLESS)
            self.waits_s.append(wait_s)
            self.refused += status != 200


@contextmanager
def attacked_server(folder: Path) -> Iterator[AttackedServer]:
    log = folder / "serve.log"
    environment = {**os.environ, "SPARKDESK_HOME": str(folder / "home")}
    command = [sys.executable, "-P", "-m", "sparkdesk", "serve", "--port", "0"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, env=environment, stderr=stderr, cwd=folder)
    try:
        server = AttackedServer(_port(log, process), process, log)
        asking = threading.Thread(target=server.ask_again_and_again, daemon=True)
        asking.start()
        yield server
        server.is_over.set()
        asking.join(PATIENCE_S)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s and process.poll() is None:
        if found := re.search(rb"http://127\.0\.0\.1:(\d+)", log.read_bytes()):
            return int(found[1])
        time.sleep(0.1)
    raise AssertionError(f"the server does not start: {log.read_text('utf-8', 'replace')}")
