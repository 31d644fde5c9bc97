"""Runs `sparkdesk` against the hub of our own, in a process of its own: huggingface_hub reads HF_* when it is imported.

hf-xet may be installed. SparkDesk reads files over HTTP whatever is there, so nothing has to be switched off.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command_line import COMMAND, ROOT, TIMEOUT_SECONDS
from tests.hub.server import Hub, Model

_FOREIGN = ("HF_", "HUGGING", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Puller:
    """A user with a home of his own, and a hub."""

    hub: Hub
    home: Path

    @property
    def cache(self) -> Path:
        return self.home / "hf" / "hub"

    def environment(self, **others: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        named = {"HF_ENDPOINT": self.hub.address, "HF_HOME": str(self.home / "hf"), "NO_PROXY": "*"}
        return own | named | {"SPARKDESK_HOME": str(self.home / "desk")} | others

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (*COMMAND, *arguments),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            cwd=ROOT,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
        )

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            (*COMMAND, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=self.environment(**environment),
        )

    def blob(self, model: Model, path: str) -> Path:
        return self.cache / "--".join(("models", *model.name.split("/"))) / "blobs" / model.etag(path)

    def partial(self, model: Model, path: str) -> Path:
        blob = self.blob(model, path)
        return blob.with_name(blob.name + ".incomplete")

    def place(self, model: Model, path: str) -> Path:
        return self.blob(model, path).parents[1] / "snapshots" / model.revision / path
