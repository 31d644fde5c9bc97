"""The doctor's verdicts on machines that are not this one."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.build_flags import BuildMachine, Compiler, cuda_release
from sparkdesk.cli.app import run
from sparkdesk.cli.color import Colors
from sparkdesk.cli.doctor import report
from sparkdesk.config.paths import HOME_VARIABLE, user_paths
from sparkdesk.config.settings import read_settings
from sparkdesk.doctor import FAIL, OK, WARN, Check, examine
from sparkdesk.doctor.facts import DeviceFact, Facts, FolderFact, HubFacts, LlamaFacts, gather, probe_llama
from sparkdesk.doctor.free_memory import room_of
from sparkdesk.doctor.install import Installation, Toolkits, find_installation, for_this_python, graphics_install
from sparkdesk.fit import FreeMemory
from sparkdesk.machine.cores import Cores
from sparkdesk.machine.hardware import GraphicsCard, Memory, Processor
from sparkdesk.ui.appearance import settings_problem
from tests.cli.command_line import sparkdesk

PROCESSOR_DEVICE = DeviceFact("CPU", "Some processor", "cpu", 8_000_000_000, 16_000_000_000)
GPU_DEVICE = DeviceFact("CUDA0", "RTX 4090", "gpu", 20_000_000_000, 24_000_000_000)
LLAMA = LlamaFacts(tested_version="0.3.36", devices=(PROCESSOR_DEVICE,), system_info="CPU : AVX2 = 1 | OPENMP = 1")
GCC_12 = Compiler("gcc", 12, accepts_no_amx=True)
WITH_AMX = BuildMachine("x86_64", frozenset({"amx_tile"}), GCC_12)
WITHOUT_COMPILER = BuildMachine("x86_64", frozenset(), Compiler("", 0, accepts_no_amx=False))
WITHOUT_OPENMP = replace(LLAMA, system_info="CPU : AVX2 = 1")
CARD = GraphicsCard("NVIDIA", "RTX 4090")
HEALTHY = Facts(
    version="0.1.0",
    python=(3, 11, 7),
    package_version="0.3.36",
    llama=LLAMA,
    processor=Processor("Some processor", "x86_64", 8),
    cores=Cores(8, 4, 4),
    memory=Memory(16_000_000_000, 12_000_000_000),
    cards=(),
    build=BuildMachine("x86_64", frozenset(), GCC_12),
    crashed_with_fast_buffers=False,
    folders=(FolderFact(Path("/data"), True, 100_000_000_000),),
    terminal="xterm-256color",
    color_term="truecolor",
    no_color=False,
    toolkits=Toolkits(),
    hub=HubFacts(FolderFact(Path("/hub"), True, 100_000_000_000)),
)
HUB = HEALTHY.hub


def check(facts: Facts, name: str) -> Check:
    return next(found for found in examine(facts) if found.name == name)


def test_a_healthy_machine_has_nothing_to_mend() -> None:
    assert {found.verdict for found in examine(HEALTHY)} == {OK}
    assert not any(found.fix for found in examine(HEALTHY))


@pytest.mark.parametrize(
    ("facts", "name", "verdict", "said", "fix"),
    [
        (replace(HEALTHY, python=(3, 10, 1)), "versions", FAIL, "too old", "3.11"),
        (replace(HEALTHY, threads_setting=8), "threads", WARN, "4 physical cores (8 hardware threads)", "threads = 0"),
        (replace(HEALTHY, llama=WITHOUT_OPENMP), "waiting", WARN, "without OpenMP", "SPARKDESK_COMPILE=1"),
        (replace(HEALTHY, build=WITHOUT_COMPILER, package_version=""), "compiler", WARN, "no C++ compiler", "nstall"),
        (replace(HEALTHY, package_version=""), "llama.cpp", FAIL, "not installed", "pip install"),
        (replace(HEALTHY, llama=LlamaFacts(problem="it died")), "llama.cpp", FAIL, "it died", "build_flags"),
        (replace(HEALTHY, package_version="0.3.40"), "llama.cpp", WARN, "0.3.40 is not the tested", "==0.3.36"),
        (
            replace(HEALTHY, llama=replace(LLAMA, missing_symbols=("f",))),
            "speculation",
            FAIL,
            "lacks f",
            "SPARKDESK_COMPILE=1",
        ),
        (replace(HEALTHY, llama=replace(LLAMA, devices=())), "devices", FAIL, "nothing to compute", "pip install"),
        (replace(HEALTHY, cards=(CARD,)), "graphics", WARN, "processor only", "nvcc was not found"),
        (
            replace(HEALTHY, cards=(GraphicsCard("AMD", "RX"),)),
            "graphics",
            WARN,
            "RX is here, but",
            "glslc",
        ),
        (
            replace(HEALTHY, cards=(CARD,), llama=replace(LLAMA, supports_gpu=True)),
            "graphics",
            WARN,
            "finds none",
            "driver",
        ),
        (
            replace(HEALTHY, build=WITH_AMX, llama=replace(LLAMA, system_info="AMX_INT8 = 1")),
            "AMX",
            WARN,
            "gcc 12",
            "-",
        ),
        (replace(HEALTHY, crashed_with_fast_buffers=True), "AMX", WARN, "safe, but slower", "build_flags"),
        (replace(HEALTHY, memory=Memory(4_000_000_000, 1_000_000_000)), "memory", WARN, "small models", "Close"),
        (replace(HEALTHY, folders=(FolderFact(Path("/x"), False, 10**12),)), "folder", FAIL, "/x", "SPARKDESK_HOME"),
        (replace(HEALTHY, folders=(FolderFact(Path("/x"), True, 10**9),)), "disk", WARN, "1.0 GB", "SPARKDESK_HOME"),
        (replace(HEALTHY, folders=(FolderFact(Path("/x"), False, 10**12),)), "folder", FAIL, "/x", "chown"),
        (replace(HEALTHY, settings_problem="x is wrong"), "settings", FAIL, "x is wrong", "Mend"),
        (replace(HEALTHY, missing_model_folders=("~/m",)), "settings", WARN, "~/m", "Mend"),
        (replace(HEALTHY, leftover_bytes=10**9), "leftovers", WARN, "1.0 GB", "sparkdesk remove --incomplete"),
        (replace(HEALTHY, hub=replace(HUB, unreadable_token=Path("/t"))), "hub", WARN, "/t", "hf auth login"),
        (replace(HEALTHY, hub=replace(HUB, is_offline=True)), "hub", WARN, "HF_HUB_OFFLINE", "unset"),
        (replace(HEALTHY, widely_readable=(Path("/h h"),)), "privacy", WARN, "/h h", "chmod go-rwx '/h h'"),
        (replace(HEALTHY, hub=replace(HUB, is_readable=False)), "hub", WARN, "cannot be read", "HF_HUB_CACHE"),
        (replace(HEALTHY, hub=HubFacts(FolderFact(Path("/h"), False, 10**12))), "hub", WARN, "written to", "chown"),
        (
            replace(HEALTHY, hub=HubFacts(FolderFact(Path("/h"), True, 10**9))),
            "hub cache",
            WARN,
            "1.0 GB",
            "HF_HUB_CACHE",
        ),
        (
            replace(HEALTHY, cards=(CARD, CARD), llama=replace(LLAMA, supports_gpu=True, devices=(GPU_DEVICE,))),
            "graphics",
            WARN,
            "1 of 2 cards",
            "CUDA_VISIBLE_DEVICES",
        ),
        (replace(HEALTHY, terminal="vt100", color_term=""), "colours", WARN, "vt100", "COLORTERM"),
    ],
)
def test_what_is_wrong_has_a_verdict_and_a_fix(facts: Facts, name: str, verdict: str, said: str, fix: str) -> None:
    found = check(facts, name)
    assert (found.verdict, said in found.text, fix in found.fix) == (verdict, True, True), found


SPARK_DEVICE = DeviceFact("CUDA0", "NVIDIA GB10", "integrated gpu", 0, 128 * 10**9)
GPU_BUILD = replace(LLAMA, supports_gpu=True, devices=(GPU_DEVICE,))
SOUND_BUILD = replace(WITH_AMX, compiler=Compiler("gcc", 13, True))
WITH_AMX_KERNELS = replace(LLAMA, system_info="AMX_INT8 = 1")


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (replace(HEALTHY, cards=(CARD,), llama=GPU_BUILD), "graphics", "llama.cpp uses RTX 4090"),
        (replace(HEALTHY, build=WITH_AMX), "AMX", "built without it"),
        (replace(HEALTHY, build=SOUND_BUILD, llama=WITH_AMX_KERNELS), "AMX", "no compiler"),
        (HEALTHY, "threads", "at most 4, fewer where"),
        (replace(HEALTHY, threads_setting=3), "threads", "3 by your settings"),
        (
            replace(HEALTHY, cores=Cores(20, 14, 6)),
            "threads",
            "(20 hardware threads), 6 of them fast",
        ),
        (replace(HEALTHY, cores=Cores(4, 4, 4, 1.5)), "threads", "limited by the container to 1.5: at most 1"),
        (HEALTHY, "waiting", "give their core away"),
        (HEALTHY, "compiler", "gcc 12: llama.cpp can be compiled"),
        (replace(HEALTHY, build=WITHOUT_COMPILER), "compiler", "none is needed"),
        (replace(HEALTHY, no_color=True), "colours", "monochrome"),
        (replace(HEALTHY, memory=Memory(0, 0)), "memory", "does not say"),
        (replace(HEALTHY, memory=Memory(8 * 10**9, 6 * 10**9, is_limited=True)), "memory", "this container"),
        (
            replace(HEALTHY, cards=(CARD,), llama=replace(GPU_BUILD, devices=(SPARK_DEVICE,))),
            "graphics",
            "shares the system's memory",
        ),
    ],
)
def test_what_is_fine_is_said_as_well(facts: Facts, name: str, said: str) -> None:
    found = check(facts, name)
    assert found.verdict == OK and said in found.text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "SIGABRT"),
        ("raise ImportError('no such library')", "ImportError: no such library"),
    ],
)
def test_a_llama_cpp_that_kills_its_process_is_survived(script: str, said: str) -> None:
    assert said in probe_llama((sys.executable, "-c", script)).problem


@pytest.mark.parametrize(
    ("vendor", "architecture", "toolkits", "said"),
    [
        ("NVIDIA", "x86_64", Toolkits(cuda=(12, 8)), ""),
        ("NVIDIA", "x86_64", Toolkits(cuda=(11, 7), has_nvcc=True), ""),
        ("NVIDIA", "x86_64", Toolkits(cuda=(11, 7)), "install the CUDA toolkit first"),
        ("NVIDIA", "x86_64", Toolkits(), "install the CUDA toolkit first"),
        ("NVIDIA", "aarch64", Toolkits(cuda=(13, 0), has_nvcc=True), ""),
        ("NVIDIA", "aarch64", Toolkits(cuda=(13, 0)), "install the CUDA toolkit first"),
        ("AMD", "x86_64", Toolkits(has_glslc=True), ""),
        ("AMD", "x86_64", Toolkits(has_hipcc=True), ""),
        ("AMD", "x86_64", Toolkits(), "install ROCm"),
        ("Apple", "arm64", Toolkits(), ""),
    ],
)
def test_every_card_has_its_command(vendor: str, architecture: str, toolkits: Toolkits, said: str) -> None:
    command = graphics_install(vendor, architecture, toolkits, "1")
    assert (
        command.startswith('eval "$(python -m sparkdesk.build_flags)" && pip install')
        and "llama-cpp-python==1" in command
    )
    assert said in command if said else not command.endswith(")")


@pytest.mark.parametrize(
    ("printed", "release"),
    [
        ("| NVIDIA-SMI 560.35.03   Driver Version: 560.35.03   CUDA Version: 12.6 |", (12, 6)),
        ("Memory-Usage: Not Supported  CUDA Version: 13.0", (13, 0)),
        ("no driver", None),
    ],
)
def test_the_driver_tells_its_cuda_release(printed: str, release: tuple[int, int] | None) -> None:
    assert cuda_release(printed) == release


@pytest.mark.parametrize(
    ("executable", "prefix", "shell", "installation"),
    [
        ("/v/bin/python", "/v", "/v/bin/python", Installation()),
        ("/v/bin/python", "/v", "/usr/bin/python", Installation("/v/bin/python -m pip", "/v/bin/python")),
        ("/a b/bin/python", "/a b", None, Installation("'/a b/bin/python' -m pip", "'/a b/bin/python'")),
        (
            "/h/pipx/venvs/sparkdesk/bin/python",
            "/h/pipx/venvs/sparkdesk",
            "/usr/bin/python",
            Installation("pipx runpip sparkdesk", "/h/pipx/venvs/sparkdesk/bin/python"),
        ),
    ],
)
def test_commands_reach_the_python_that_runs(
    executable: str, prefix: str, shell: str | None, installation: Installation
) -> None:
    """The README's environment is not active in the shell where the fix is typed."""
    assert find_installation(executable, prefix, shell) == installation


def test_a_command_is_put_as_the_shell_needs_it() -> None:
    found = for_this_python('eval "$(python -m sparkdesk.build_flags)" && pip install x', Installation("P", "Y"))
    assert found == 'eval "$(Y -m sparkdesk.build_flags)" && P install x'


MEMORY = Memory(128 * 10**9, 100 * 10**9)


@pytest.mark.parametrize(
    ("devices", "cards", "room"),
    [
        ((PROCESSOR_DEVICE,), (), FreeMemory(100 * 10**9)),
        ((GPU_DEVICE, PROCESSOR_DEVICE), (CARD,), FreeMemory(100 * 10**9, 20 * 10**9)),
        ((SPARK_DEVICE,), (CARD,), FreeMemory(100 * 10**9, 100 * 10**9, is_shared=True)),
        ((replace(SPARK_DEVICE, kind="gpu"),), (CARD,), FreeMemory(100 * 10**9, 100 * 10**9, is_shared=True)),
        ((GPU_DEVICE,), (GraphicsCard("Apple", "Apple GPU"),), FreeMemory(100 * 10**9, 100 * 10**9, is_shared=True)),
    ],
)
def test_free_memory_is_told_for_shared_and_for_separate_cards(
    devices: tuple[DeviceFact, ...], cards: tuple[GraphicsCard, ...], room: FreeMemory
) -> None:
    """A DGX Spark's driver may say that nothing is free; the system knows better."""
    assert room_of(MEMORY, devices, cards) == room


def test_wrong_settings_and_tokens_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("sparkdesk.doctor.facts.probe_llama", lambda: LLAMA)
    paths = user_paths()
    paths.config.mkdir()
    paths.settings_file.write_text("colour = 1")
    facts = gather(paths)
    assert "'colour' is not a setting" in facts.settings_problem
    assert facts.hub.is_offline and facts.hub.is_readable and facts.hub.unreadable_token is None
    paths.settings_file.write_text(f'model_folders = ["{tmp_path}", "{tmp_path}/none"]')
    assert gather(paths).missing_model_folders == (f"{tmp_path}/none",)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('theme = "spark-drak"', "no theme 'spark-drak'"),
        ('[keys]\nchat.relaod = "f11"', "chat.relaod"),
        ('[keys]\nchat.reload = "no such key"', "no such key"),
        ('theme = "nord"\n[keys]\nchat.reload = "f11"', ""),
    ],
)
def test_settings_that_only_the_screen_knows_are_checked_too(tmp_path: Path, written: str, said: str) -> None:
    """The doctor passed a theme that there is not, and the screen would not open."""
    path = tmp_path / "settings.toml"
    path.write_text(written)
    found = settings_problem(read_settings(path))
    assert said in found and bool(found) == bool(said)


@pytest.mark.native
def test_this_machine_can_be_examined(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["doctor", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert {"name", "verdict", "text", "fix"} == set(shown["checks"][0])
    assert (code == 0) is shown["ok"] is not any(found["verdict"] == FAIL for found in shown["checks"])


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    done = sparkdesk("doctor", environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode in (0, 1) and "? versions" in done.stdout


def test_the_report_has_colour_only_where_asked() -> None:
    checks = (Check("a", WARN, "text", "mend it"), Check("b", OK, "fine"))
    assert "\033" not in report(checks, Colors()) and "→ mend it" in report(checks, Colors())
    assert "\033[33m!" in report(checks, Colors(True))


@pytest.mark.parametrize(("main_gpu", "free_bytes"), [(-1, 30), (0, 10), (1, 20), (2, 30)])
def test_one_card_of_several_has_its_own_room(main_gpu: int, free_bytes: int) -> None:
    devices = [DeviceFact(f"CUDA{i}", "RTX", "gpu", 10 * (i + 1), 1000 * (i + 1)) for i in range(2)]
    devices.insert(0, DeviceFact("CPU", "CPU", "cpu", 5, 5))
    cards = [GraphicsCard("NVIDIA", "RTX")] * 2
    assert room_of(MEMORY, devices, cards, main_gpu=main_gpu).gpu_bytes == free_bytes
