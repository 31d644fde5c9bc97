"""Keeps one process that renders chat templates, and ends it where a template does not come to an end."""

import atexit
import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from sparkdesk.machine.child_processes import python_command, safe_environment

MOST_SOURCE_CHARACTERS = 1_000_000
_CPU_S, _CPU_S_PER_CHARACTER = 2.0, 5e-6
_WALL_S = 8.0
"""Beyond the processor time, for a machine that is busy."""
_FREE_CHARACTERS, _CHARACTERS_PER_CHARACTER = 1_000_000, 8
"""What a template may write: so much, and so many for each character of the conversation."""
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "PYTHONPATH", "PYTHONHOME", "TZ", "LANG", "LC_ALL")
_TOO_LONG = "It takes too long."


class TemplateFailed(Exception):
    """With a sentence that says why."""


class TemplateProcess:
    """Started when it is first needed, and again after a template has brought it down. Any thread may ask."""

    def __init__(self, *, cpu_s: float = _CPU_S) -> None:
        """`cpu_s` is what a template may take of the processor for a short conversation."""
        self._cpu_s = cpu_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """Raises TemplateFailed."""
        if len(template) > MOST_SOURCE_CHARACTERS:
            raise TemplateFailed(f"It is longer than {MOST_SOURCE_CHARACTERS:,} characters.")
        written = json.dumps(context)
        cpu_s = self._cpu_s + _CPU_S_PER_CHARACTER * len(written)
        most_characters = _FREE_CHARACTERS + _CHARACTERS_PER_CHARACTER * len(written)
        limits = json.dumps({"template": template, "cpu_s": cpu_s, "most_characters": most_characters})
        with self._lock:
            answer = self._ask(f'{limits[:-1]}, "context": {written}}}'.encode(), wall_s=_WALL_S + cpu_s)
        if "text" not in answer:
            raise TemplateFailed(answer["error"])
        return answer["text"]

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, request: bytes, *, wall_s: float) -> dict[str, str]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(wall_s, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(request + b"\n")
            process.stdin.flush()
            answer: dict[str, str] = json.loads(process.stdout.readline())
            return answer
        except (OSError, ValueError):  # it is gone, perhaps in the middle of an answer
            raise TemplateFailed(self._why_ended(was_killed=not timer.is_alive())) from None
        except BaseException:  # Ctrl+C: an answer that nobody reads would be taken for the next one's
            self._end()
            raise
        finally:
            timer.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        command = python_command("sparkdesk.chat_format.template_worker")
        environment = {name: value for name, value in safe_environment().items() if name in _KEPT_VARIABLES}
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, env=environment)
        except OSError as error:
            raise TemplateFailed(f"The process for it cannot be started ({error}).") from error
        return self._process

    def _why_ended(self, *, was_killed: bool) -> str:
        process = self._process
        assert process is not None, "it was asked"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        code = process.returncode
        self._end()
        if was_killed or code == -getattr(signal, "SIGPROF", 0):
            return _TOO_LONG
        return f"It brought down the process that renders it (exit {code})."

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # both are pipes


@cache
def template_process() -> TemplateProcess:
    """The one of this program."""
    process = TemplateProcess()
    atexit.register(process.close)
    return process
