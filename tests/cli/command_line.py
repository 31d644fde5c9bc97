"""Runs `sparkdesk` as a user does: a process of its own, with stdout and stderr apart."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sparkdesk.bench.synthetic import SyntheticPair

TIMEOUT_SECONDS = 240.0
ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "sparkdesk")


def sparkdesk(
    *arguments: str, stdin: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*COMMAND, *arguments),
        # Without a text nothing is piped in, and it is no terminal either.
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )


def chat(pair: SyntheticPair, *arguments: str) -> tuple[str, ...]:
    """A chat command on that pair; one thread, so that spinning threads do not starve each other on a busy machine."""
    return ("chat", "--target", str(pair.target), "--draft", str(pair.draft), "--threads", "1", *arguments)


def numbers(tokens: tuple[int, ...]) -> str:
    return ",".join(map(str, tokens))
