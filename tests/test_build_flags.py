"""Which machines get compile flags, and what these look like after a shell has read them."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk import build_flags
from sparkdesk.build_flags import BuildMachine, Compiler, build_variables, judge, shell_lines

AMX = frozenset({"avx2", "amx_tile", "amx_int8", "amx_bf16"})
OLD_GCC = Compiler("gcc", 12, accepts_no_amx=True)
AFFECTED = BuildMachine("x86_64", AMX, OLD_GCC)
SWITCHES = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"


@pytest.mark.parametrize(
    ("machine", "is_affected"),
    [
        (AFFECTED, True),
        (replace(AFFECTED, processor_flags=frozenset({"avx2"})), False),
        (replace(AFFECTED, architecture="aarch64"), False),
        (replace(AFFECTED, compiler=Compiler("gcc", 11, True)), True),
        (replace(AFFECTED, compiler=Compiler("gcc", 13, True)), False),
        (replace(AFFECTED, compiler=Compiler("clang", 14, True)), False),
        (replace(AFFECTED, compiler=Compiler("unknown", 0, True)), True),
        (replace(AFFECTED, compiler=Compiler("gcc", 8, False)), False),
        (replace(AFFECTED, compiler=Compiler("", 0, False)), False),
    ],
)
def test_flags_are_for_amx_and_compilers_that_may_get_it_wrong(machine: BuildMachine, is_affected: bool) -> None:
    assert bool(build_variables(machine)) is is_affected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", [f"-DCMAKE_C_FLAGS={SWITCHES}", f"-DCMAKE_CXX_FLAGS={SWITCHES}"]),
        ("-DGGML_CUDA=on", ["-DGGML_CUDA=on", f"-DCMAKE_C_FLAGS={SWITCHES}", f"-DCMAKE_CXX_FLAGS={SWITCHES}"]),
        ("-DCMAKE_C_FLAGS='-O2 -g'", [f"-DCMAKE_C_FLAGS=-O2 -g {SWITCHES}", f"-DCMAKE_CXX_FLAGS={SWITCHES}"]),
        (
            f"-DCMAKE_C_FLAGS='{SWITCHES}' -DCMAKE_CXX_FLAGS='{SWITCHES}'",
            [f"-DCMAKE_C_FLAGS={SWITCHES}", f"-DCMAKE_CXX_FLAGS={SWITCHES}"],
        ),
    ],
)
def test_the_user_s_own_arguments_are_kept(given: str, expected: list[str]) -> None:
    variables = build_variables(replace(AFFECTED, cmake_args=given))
    assert shlex.split(variables["CMAKE_ARGS"]) == expected


def test_a_shell_reads_back_what_was_meant() -> None:
    variables = build_variables(replace(AFFECTED, cmake_args="-DNAME='it''s' -DX=\"a b\""))
    script = shell_lines(variables) + 'printf %s "$CMAKE_ARGS"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == variables["CMAKE_ARGS"]
    assert variables["PIP_NO_CACHE_DIR"] == "1"


@pytest.mark.parametrize(
    ("macros", "family", "major"),
    [
        ("#define __GNUC__ 12\n#define __x86_64__ 1\n", "gcc", 12),
        ("#define __GNUC__ 4\n#define __clang_major__ 17\n#define __clang__ 1\n", "clang", 17),
        ("", "unknown", 0),
        ("nonsense\n#define X\n", "unknown", 0),
    ],
)
def test_compilers_are_told_apart_by_their_macros(macros: str, family: str, major: int) -> None:
    assert judge(macros, accepts_no_amx=True) == Compiler(family, major, True)


def test_a_named_compiler_is_the_one_asked(tmp_path: Path) -> None:
    compiler = tmp_path / "cxx"
    compiler.write_text('#!/bin/sh\ncase "$*" in *-dM*) echo "#define __GNUC__ 12";; esac\n')
    compiler.chmod(0o755)
    assert build_flags.find_compiler({"CXX": str(compiler)}) == Compiler("gcc", 12, accepts_no_amx=True)
    assert build_flags.find_compiler({"CXX": "/nowhere/c++"}) == Compiler("unknown", 0, accepts_no_amx=False)


def test_it_runs_before_anything_is_installed(tmp_path: Path) -> None:
    """The README's commands run it with the system's Python, outside the virtual environment."""
    script = Path(build_flags.__file__)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ,
    )
    assert done.stderr == ""
    assert all(line.startswith("export ") for line in done.stdout.splitlines())
