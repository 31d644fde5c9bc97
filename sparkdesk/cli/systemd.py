"""`sparkdesk serve` as a service of systemd: its unit, and the word that it is ready."""

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparkdesk.config.paths import HOME_VARIABLE

_NOTIFY_SOCKET = "NOTIFY_SOCKET"
_SPECIAL = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t"}
_READ_S = 10
"""Beside the grace: for the engine to end."""


def unit(name: str, arguments: Sequence[str], *, grace_s: float) -> str:
    """For `~/.config/systemd/user` or `/etc/systemd/system`. `arguments` are those of `sparkdesk`."""
    home = os.environ.get(HOME_VARIABLE)
    command = " ".join(map(_quoted, (sys.executable, "-m", "sparkdesk", *arguments)))
    return "\n".join(
        (
            "[Unit]",
            f"Description=SparkDesk serves {_plain(name)}",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=notify",
            "NotifyAccess=main",
            f"WorkingDirectory={_plain(str(Path.cwd()))}",
            *((f"Environment={_quoted(f'{HOME_VARIABLE}={home}')}",) if home else ()),
            f"ExecStart={command}",
            "Restart=on-failure",
            "TimeoutStartSec=infinity",
            f"TimeoutStopSec={round(grace_s) + _READ_S}",
            "",
            "[Install]",
            "WantedBy=default.target",
        )
    )


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told: READY=1, STOPPING=1. Silent where it does not listen."""
    address = os.environ.get(_NOTIFY_SOCKET, "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as responder:
        responder.connect("\0" + address[1:] if address.startswith("@") else address)
        responder.send(state.encode())


def _quoted(word: str) -> str:
    """As systemd reads a word of a command."""
    return '"' + "".join(_SPECIAL.get(character, character) for character in word) + '"'


def _plain(text: str) -> str:
    """As systemd reads the rest of a line."""
    return " ".join(text.split("\n")).replace("%", "%%")
