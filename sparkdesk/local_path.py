"""Paths a user, a variable or a link gives, without pathlib's RuntimeErrors: for a ~NAME that is nobody's, a home that
cannot be determined, a link that leads to itself."""

import os
from pathlib import Path


def expanded(given: "str | Path") -> Path:
    """With ~ and ~NAME replaced; as it is where there is no such home."""
    return Path(os.path.expanduser(given))


def home_folder() -> Path:
    """The root where the system knows no home: a user of a container may have none."""
    home = os.path.expanduser("~")
    return Path(home) if os.path.isabs(home) else Path("/")


def real_path(path: "str | Path") -> Path:
    """Absolute, with every link followed that leads somewhere."""
    return Path(os.path.realpath(path))
