"""Where this process's control groups keep their files: those of version 1 and 2, from its own group upwards."""

from collections.abc import Iterator
from pathlib import Path


def group_folders(system: Path, mount: str, controller: str) -> Iterator[Path]:
    """The folder of this process's own group and those above it, up to `mount`; they need not exist.

    `controller` is "" for version 2. Inside a container the group's path is often that of the host, and only the top
    is to be seen.
    """
    top = system / mount
    own = top / _own_group(system, controller).lstrip("/")
    for folder in (own, *own.parents):
        yield folder
        if folder == top:
            return


def read_text(path: Path) -> str:
    """Without the newline; "" where there is no such file or it cannot be read."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _own_group(system: Path, controller: str) -> str:
    """ "/user.slice/x" out of lines such as "4:memory:/user.slice/x", or "0::/user.slice/x" for version 2."""
    for line in read_text(system / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        is_wanted = controller in controllers.split(",") if controller else number == "0"
        if is_wanted and ".." not in group:
            return group
    return "/"
