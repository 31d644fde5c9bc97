"""What killed writers leave is gone at the next start; what is ours, nobody else may read."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkdesk.__main__ import main
from sparkdesk.atomic_file import write_whole
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.config.home import put_in_order, widely_readable
from sparkdesk.config.paths import HOME_VARIABLE, Paths, user_paths

if sys.platform == "win32":
    pytest.skip("modes and locks are those of Unix", allow_module_level=True)

_WRITER = """
import sys
from pathlib import Path
import sparkdesk.atomic_file as atomic_file
atomic_file.os.fsync = lambda descriptor: (print("writing", flush=True), sys.stdin.read())
atomic_file.write_whole(Path(sys.argv[1]), "half")
"""
_CONVERTER = """
import sys
from pathlib import Path
from sparkdesk.convert import _unfinished_folder
with _unfinished_folder(Path(sys.argv[1])) as part:
    (part / "target.gguf").write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return user_paths()


def writing(program: str, path: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    return process


def killed(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def others(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("name", ["settings_file", "machine_file", "last_used_file", "headers_file"])
def test_a_killed_writers_temporary_goes_at_the_next_start_and_a_living_ones_stays(paths: Paths, name: str) -> None:
    path: Path = getattr(paths, name)
    write_whole(path, "whole")
    dead, living = writing(_WRITER, path), writing(_WRITER, path)
    assert len(others(path.parent)) == 2
    killed(dead)
    assert main(["history", "list"]) == 0
    left = others(path.parent)
    assert len(left) == 1 and path.read_text() == "whole"
    assert living.communicate(b"")[0] == b"" and living.returncode == 0
    assert path.read_text() == "half" and not others(path.parent)


def test_a_first_start_that_was_killed_leaves_nothing(paths: Paths) -> None:
    dead = writing(_CONVERTER, paths.models / "spark-tiny-000000000000")
    living = writing(_CONVERTER, paths.models / "spark-tiny-111111111111")
    assert len(others(paths.models)) == 2
    killed(dead)
    put_in_order(paths)
    (left,) = others(paths.models)
    assert "1111" in left
    living.communicate(b"")
    assert not others(paths.models)


def test_what_is_not_ours_stays(paths: Paths) -> None:
    """Names that only look like it, and another program's files."""
    paths.config.mkdir(parents=True)
    for name in (".settings.toml.swp", ".hidden", "settings.toml~", ".settings.toml.12345678.bak"):
        (paths.config / name).write_text("mine")
    put_in_order(paths)
    assert len(list(paths.config.iterdir())) == 4


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_its_owners_only(paths: Paths) -> None:
    before = os.umask(0)
    try:
        SqliteHistory(paths.history_file).close()
        for path in (paths.settings_file, paths.machine_file, paths.headers_file, paths.learned / "a.json"):
            write_whole(path, "{}")
    finally:
        os.umask(before)
    assert not widely_readable(paths)
    assert _mode(paths.history_file) == 0o600 and _mode(paths.data) == 0o700 and _mode(paths.learned) == 0o700


def test_wider_modes_are_mended(paths: Paths) -> None:
    """A history of 0644 stayed so."""
    SqliteHistory(paths.history_file).close()
    write_whole(paths.settings_file, "")
    (paths.logs).mkdir(parents=True)
    (paths.logs / "errors.log").write_text("")
    for path in (paths.history_file, paths.settings_file, paths.logs / "errors.log"):
        path.chmod(0o644)
    for path in (paths.data, paths.config, paths.logs, paths.state):
        path.chmod(0o755)
    assert len(widely_readable(paths)) == 7
    assert main(["history", "list"]) == 0
    assert not widely_readable(paths)


def test_a_link_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    other = tmp_path / "somebody-elses"
    other.mkdir(mode=0o755)
    paths.state.parent.mkdir(parents=True, exist_ok=True)
    paths.state.symlink_to(other)
    put_in_order(paths)
    assert _mode(other) == 0o755


def test_it_takes_no_time(paths: Paths) -> None:
    paths.learned.mkdir(parents=True)
    for number in range(500):
        (paths.learned / f"{number}.json").touch()
    began = time.process_time()
    put_in_order(paths)
    assert time.process_time() - began < 1
