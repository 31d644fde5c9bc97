"""The doctor's verdicts on machines that are not this one."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.build_flags import BuildMachine, Compiler
from sparkdesk.cli.app import run
from sparkdesk.cli.doctor import report
from sparkdesk.doctor import FAIL, OK, WARN, Check, examine
from sparkdesk.doctor_facts import DeviceFact, Facts, FolderFact, LlamaFacts, probe_llama
from sparkdesk.hardware import GraphicsCard, Memory, Processor
from tests.cli.command_line import sparkdesk

PROCESSOR_DEVICE = DeviceFact("CPU", "Some processor", "cpu", 8_000_000_000, 16_000_000_000)
GPU_DEVICE = DeviceFact("CUDA0", "RTX 4090", "gpu", 20_000_000_000, 24_000_000_000)
LLAMA = LlamaFacts(tested_version="0.3.36", devices=(PROCESSOR_DEVICE,), system_info="CPU : AVX2 = 1")
GCC_12 = Compiler("gcc", 12, accepts_no_amx=True)
WITH_AMX = BuildMachine("x86_64", frozenset({"amx_tile"}), GCC_12)
CARD = GraphicsCard("NVIDIA", "RTX 4090")
HEALTHY = Facts(
    version="0.1.0",
    python=(3, 11, 7),
    package_version="0.3.36",
    llama=LLAMA,
    processor=Processor("Some processor", "x86_64", 8),
    memory=Memory(16_000_000_000, 12_000_000_000),
    cards=(),
    build=BuildMachine("x86_64", frozenset(), GCC_12),
    crashed_with_fast_buffers=False,
    folders=(FolderFact(Path("/data"), True, 100_000_000_000),),
    terminal="xterm-256color",
    color_term="truecolor",
    no_color=False,
)


def check(facts: Facts, name: str) -> Check:
    return next(found for found in examine(facts) if found.name == name)


def test_a_healthy_machine_has_nothing_to_mend() -> None:
    assert {found.verdict for found in examine(HEALTHY)} == {OK}
    assert not any(found.fix for found in examine(HEALTHY))


@pytest.mark.parametrize(
    ("facts", "name", "verdict", "said", "fix"),
    [
        (replace(HEALTHY, python=(3, 10, 1)), "versions", FAIL, "too old", "3.11"),
        (replace(HEALTHY, package_version=""), "llama.cpp", FAIL, "not installed", "pip install"),
        (replace(HEALTHY, llama=LlamaFacts(problem="it died")), "llama.cpp", FAIL, "it died", "build_flags"),
        (replace(HEALTHY, package_version="0.3.40"), "llama.cpp", WARN, "0.3.40 is not the tested", "==0.3.36"),
        (replace(HEALTHY, llama=replace(LLAMA, missing_symbols=("f",))), "speculation", FAIL, "lacks f", "==0.3.36"),
        (replace(HEALTHY, llama=replace(LLAMA, devices=())), "devices", FAIL, "nothing to compute", "pip install"),
        (replace(HEALTHY, cards=(CARD,)), "graphics", WARN, "processor only", "-DGGML_CUDA=on"),
        (
            replace(HEALTHY, cards=(GraphicsCard("AMD", "RX"),)),
            "graphics",
            WARN,
            "RX is here, but",
            "-DGGML_HIP=on",
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
        (replace(HEALTHY, terminal="vt100", color_term=""), "colours", WARN, "vt100", "COLORTERM"),
    ],
)
def test_what_is_wrong_has_a_verdict_and_a_fix(facts: Facts, name: str, verdict: str, said: str, fix: str) -> None:
    found = check(facts, name)
    assert (found.verdict, said in found.text, fix in found.fix) == (verdict, True, True), found


GPU_BUILD = replace(LLAMA, supports_gpu=True, devices=(GPU_DEVICE,))
SOUND_BUILD = replace(WITH_AMX, compiler=Compiler("gcc", 13, True))
WITH_AMX_KERNELS = replace(LLAMA, system_info="AMX_INT8 = 1")


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (replace(HEALTHY, cards=(CARD,), llama=GPU_BUILD), "graphics", "llama.cpp uses RTX 4090"),
        (replace(HEALTHY, build=WITH_AMX), "AMX", "built without it"),
        (replace(HEALTHY, build=SOUND_BUILD, llama=WITH_AMX_KERNELS), "AMX", "no compiler"),
        (replace(HEALTHY, no_color=True), "colours", "monochrome"),
        (replace(HEALTHY, memory=Memory(0, 0)), "memory", "does not say"),
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
    assert "\033" not in report(checks, is_coloured=False) and "→ mend it" in report(checks, is_coloured=False)
    assert "\033[33m!" in report(checks, is_coloured=True)
