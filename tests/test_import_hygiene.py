"""Heavy libraries are loaded by whoever needs them, and by nobody before."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "llama_cpp", "textual", "rich", "huggingface_hub", "numpy", "gguf", "jinja2", "starlette", "uvicorn")
_SHOW_LOADED = """
import sys
from sparkdesk.__main__ import main
main(sys.argv[1:])
loaded = [name for name in {heavy} if name in sys.modules]
print("loaded:", *loaded, file=sys.stderr)
"""


def loaded_by(*arguments: str) -> list[str]:
    script = _SHOW_LOADED.format(heavy=HEAVY)
    done = subprocess.run(
        (sys.executable, "-c", script, *arguments), capture_output=True, text=True, timeout=60, check=True, input=""
    )
    return done.stderr.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("paths",),
        ("list",),
        ("remove", "--unfinished"),
        ("chat", "--help"),
        ("demo", "--help"),
        ("serve", "--help"),
        ("bench", "--help"),
        ("build", "--help"),
        ("pull", "--help"),
        ("search", "--help"),
    ],
)
def test_looking_around_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == []
