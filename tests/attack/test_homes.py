"""Homes that cannot be used: closed, read-only, full, a file, of names that are not UTF-8 or far too long.

Every command ends with a sentence and the exit code of its kind; the doctor always works.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.chat.history.fuzz_history import CONVERSATIONS, make

if sys.platform != "linux":
    pytest.skip("homes are broken here as Linux does it", allow_module_level=True)

_CAPABILITIES = "-dac_override,-dac_read_search"
pytestmark = pytest.mark.slow
WITHOUT_PRIVILEGES = (
    ("setpriv", f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}") if os.geteuid() == 0 else ()
)
"""Root may read everything; without these it is held to what a file's mode says."""
COMMANDS = (("list",), ("history", "list"), ("chat", "nope", "--prompt", "x"), ("remove", "--unfinished", "--yes"))
FOLDERS = ("config", "data", "state", "cache")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    if WITHOUT_PRIVILEGES and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and there is no setpriv")
    home = tmp_path / "home"
    for name in FOLDERS:
        (home / name).mkdir(parents=True)
    yield home
    for path in (home, *(home / name for name in FOLDERS)):
        if path.exists():
            path.chmod(0o700)


def sparkdesk(home: "Path | bytes", *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environb, b"SPARKDESK_HOME": os.fsencode(home)}
    command = [*WITHOUT_PRIVILEGES, sys.executable, "-m", "sparkdesk", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def sentence(done: "subprocess.CompletedProcess[bytes]", codes: Sequence[int]) -> bytes:
    assert b"Traceback" not in done.stderr and b"should not have happened" not in done.stderr, done.stderr.decode()
    assert done.returncode in codes, (done.returncode, done.stderr.decode("utf-8", "replace"))
    return done.stderr


def closed(home: Path) -> None:
    home.chmod(0)


def data_closed(home: Path) -> None:
    (home / "data").chmod(0)


def settings_closed(home: Path) -> None:
    (home / "config").chmod(0)


def state_closed(home: Path) -> None:
    for name in ("state", "cache"):
        (home / name).chmod(0)


def read_only(home: Path) -> None:
    for name in FOLDERS:
        (home / name).chmod(0o500)
    home.chmod(0o500)


@pytest.mark.parametrize("spoil", [closed, data_closed, settings_closed, state_closed, read_only])
def test_a_home_that_may_not_be_used_is_a_sentence(home: Path, spoil: Callable[[Path], None]) -> None:
    spoil(home)
    for command in COMMANDS:
        sentence(sparkdesk(home, *command), (0, 2, 3))
    sentence(sparkdesk(home, "doctor"), (0, 1))


def test_exit_codes_tell_settings_from_data(home: Path) -> None:
    settings_closed(home)
    assert b"settings.toml cannot be read: Permission denied" in sentence(sparkdesk(home, "list"), (2,))
    (home / "config").chmod(0o700)
    data_closed(home)
    for command in COMMANDS[:2]:
        assert b"Permission denied" in sentence(sparkdesk(home, *command), (3,))


@pytest.mark.parametrize(
    "names",
    [
        ("config/settings.toml",),
        ("config/catalog.toml", "cache/headers.json", "state/last_used.json", "state/machine.json"),
        ("data/models/m.gguf", "data/models/p/pair.json", "data/conversations.db"),
    ],
    ids=lambda names: str(names[0]),
)
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(home: Path, names: tuple[str, ...]) -> None:
    """`list` and `build` waited for ever."""
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(home / name)
    for command in (*COMMANDS[:3], ("doctor",)):
        sentence(sparkdesk(home, *command), (0, 1, 2, 3))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Of 600 kB, with a history on it and no room left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (disk / "data").mkdir()
        make(disk / "data" / "conversations.db")
        with pytest.raises(OSError, match="No space"), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_history_on_a_full_disk_is_read(full_disk: Path) -> None:
    done = sparkdesk(full_disk, "history", "list")
    sentence(done, (0,))
    assert done.stdout.count(b"Question") >= CONVERSATIONS
    shown = sparkdesk(full_disk, "history", "show", "1")
    sentence(shown, (0,))
    assert b"Question 0" in shown.stdout
    for command in (("list",), ("doctor",)):
        sentence(sparkdesk(full_disk, *command), (0, 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_answer_that_cannot_be_written_is_a_sentence(home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        environment = {**os.environ, "SPARKDESK_HOME": str(home)}
        command = [sys.executable, "-m", "sparkdesk", "paths"]
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 3 and b"No space left" in done.stderr and b"Traceback" not in done.stderr
