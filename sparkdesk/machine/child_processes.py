"""How a child process of ours is started: nothing is imported from the working folder, and no secret is handed on.

`converters/quantize.py`, which knows nothing of sparkdesk, does the same for its own child.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = str(Path(__file__).parents[2])
_SECRET = re.compile(r"(^|_)(TOKEN|API_?KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)", re.IGNORECASE)


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Runs one of our modules in a process of its own.

    -P, because a json.py in the folder where the user happens to be must not be taken for the real one.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def safe_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environment` without secrets, and with this very package in front of the search path.

    The engine needs neither the hub's token nor the server's key, and a crash of it may write its environment into a
    core dump.
    """
    kept = {name: value for name, value in environment.items() if not _SECRET.search(name)}
    search_path = os.pathsep.join([_ROOT, *_absolute(environment.get("PYTHONPATH", ""))])
    return {**kept, "PYTHONPATH": search_path, "PYTHONSAFEPATH": "1"}


def _absolute(search_path: str) -> list[str]:
    """An empty entry, as in "PYTHONPATH=$PYTHONPATH:/mine", and a relative one both mean the working folder."""
    return [entry for entry in search_path.split(os.pathsep) if os.path.isabs(entry)]
