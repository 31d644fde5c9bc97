"""Runs `sparkdesk` as a user does: a process of its own, with stdout and stderr apart."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sparkdesk.bench.synthetic.pair import SyntheticPair

TIMEOUT_SECONDS = 240.0
ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "sparkdesk")


def sparkdesk(
    *arguments: str, stdin: str | bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        (*COMMAND, *arguments),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    said, talk = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, said, talk)


def chat(pair: SyntheticPair, *arguments: str) -> tuple[str, ...]:
    """A chat command on that pair; one thread, so that spinning threads do not starve each other on a busy machine."""
    return ("chat", "--target", str(pair.target), "--draft", str(pair.draft), "--threads", "1", *arguments)


def numbers(tokens: tuple[int, ...]) -> str:
    return ",".join(map(str, tokens))
