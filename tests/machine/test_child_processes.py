"""What a child process of ours inherits: no secret, and no way into the working folder."""

import ast
import os
from pathlib import Path

import pytest

from converters import quantize
from sparkdesk.machine.child_processes import python_command, safe_environment

ROOT = Path(__file__).parents[2]
SECRETS = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
    "SPARKDESK_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_APIKEY",
    "AWS_SECRET_ACCESS_KEY",
    "MY_PASSWORD",
)
HARMLESS = {"HF_HOME": "/h", "TOKENIZERS_PARALLELISM": "false", "GOMP_SPINCOUNT": "9", "KEYBOARD": "de", "PATH": "/bin"}


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash writes the environment into a core dump, and llama.cpp's plug-ins may read it."""
    monkeypatch.setenv(name, "s3cret")
    for environment in (safe_environment(), quantize._environment()):
        assert name not in environment and "s3cret" not in environment.values()


def test_what_is_no_secret_is_handed_on() -> None:
    environment = safe_environment(HARMLESS)
    assert HARMLESS.items() <= environment.items()


@pytest.mark.parametrize("given", ["", ":", ":/mine", "/mine:", ".:/mine", "here:/mine:./there", "/mine"])
def test_no_entry_of_the_search_path_means_the_working_folder(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "PYTHONPATH=$PYTHONPATH:/mine" begins with an empty entry, which Python takes for the working folder."""
    monkeypatch.setenv("PYTHONPATH", given)
    for environment in (safe_environment(), quantize._environment()):
        entries = environment["PYTHONPATH"].split(os.pathsep)
        assert entries[1:] == (["/mine"] if "/mine" in given else [])
        assert all(map(os.path.isabs, entries))
        assert environment["PYTHONSAFEPATH"] == "1"


def test_no_process_is_started_with_all_that_we_inherit() -> None:
    """Every start in the package says which environment it gives on."""
    bare = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in ("sparkdesk", "converters")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "build_flags.py"  # runs before anything is installed, and starts nothing but compilers
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("subprocess.run", "subprocess.Popen", "subprocess.check_output")
        and "env" not in {each.arg for each in call.keywords}
    ]
    assert bare == []


def test_modules_are_run_with_a_safe_path() -> None:
    assert python_command("sparkdesk.doctor.probe", "x")[1:] == ("-P", "-m", "sparkdesk.doctor.probe", "x")
