"""Code that lies in the folder where the user happens to be is never run, whatever it is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.client import EngineClient
from tests.cli.command_line import ROOT, chat
from tests.converters.checkpoints import make_target

POISONED = (
    *("json", "numpy", "queue", "signal", "ctypes", "struct", "re", "gguf", "llama_cpp", "msgspec", "textual"),
    *("sparkdesk/__init__", "sparkdesk/runner/__init__", "sparkdesk/runner/child", "sparkdesk/doctor/__init__"),
    *("converters/__init__", "converters/quantize", "sitecustomize", "usercustomize", "site", "threading"),
)
_MAIN = "import sys; sys.path.insert(0, {root!r}); from sparkdesk.__main__ import main; sys.exit(main())"
"""As the `sparkdesk` script starts, which does not look into the working folder either."""


@pytest.fixture
def poisoned_folder(tmp_path: Path) -> Path:
    """Every module in it leaves a mark when it is imported, and ends the program."""
    folder = tmp_path / "poisoned"
    for name in POISONED:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + '\\n')\nraise SystemExit(0)\n")
    return folder


def run_in(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-P", "-c", _MAIN.format(root=str(ROOT)))
    return subprocess.run((*command, *arguments), cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def ran(folder: Path) -> str:
    mark = folder.parent / "ran"
    return mark.read_text() if mark.exists() else ""


@pytest.mark.native
def test_the_engine_imports_nothing_from_there(poisoned_folder: Path, quantized_pair: SyntheticPair) -> None:
    done = run_in(poisoned_folder, *chat(quantized_pair, "--prompt-tokens", "1,2", "--max-tokens", "2"))
    assert (done.returncode, ran(poisoned_folder)) == (0, ""), done.stderr


@pytest.mark.native
@pytest.mark.parametrize("search_path", [":/nowhere", ".", "./:"])
def test_nor_does_it_where_the_search_path_means_the_working_folder(
    poisoned_folder: Path, quantized_pair: SyntheticPair, search_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "PYTHONPATH=$PYTHONPATH:/mine" begins with an empty entry."""
    monkeypatch.chdir(poisoned_folder)
    monkeypatch.setenv("PYTHONPATH", search_path)
    with EngineClient() as client:
        list(client.load(LoadSettings(str(quantized_pair.target), context_tokens=256, threads=1)))
        assert client.is_alive
    assert ran(poisoned_folder) == ""


@pytest.mark.native
def test_the_quantizer_imports_nothing_from_there(poisoned_folder: Path, tmp_path: Path) -> None:
    """A converters/quantize.py there was run, and an empty file was published with exit code 0."""
    made = make_target(tmp_path / "target", tied=False, dtype="BF16")
    out = tmp_path / "out.gguf"
    done = run_in(poisoned_folder, "convert", "target", str(made.folder), str(out), "--type", "Q4_K_M")
    assert (done.returncode, ran(poisoned_folder)) == (0, ""), done.stderr
    assert out.read_bytes()[:4] == b"GGUF"


def test_the_doctors_probe_imports_nothing_from_there(poisoned_folder: Path) -> None:
    done = run_in(poisoned_folder, "doctor")
    assert ran(poisoned_folder) == "", done.stderr
    assert "Traceback" not in done.stdout + done.stderr
