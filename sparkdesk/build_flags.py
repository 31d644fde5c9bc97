"""Prints the shell lines that make llama.cpp compile into something that runs here: `eval "$(python3 build_flags.py)"`.

Runs before anything is installed, so it uses the standard library only. GCC before 13 drops stores to the tile
configuration of AMX (x86-64 since Sapphire Rapids): a native build then crashes at its first quantized product.
Prints nothing where there is nothing to mend.
"""

import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AMX_FLAGS = frozenset({"amx_tile", "amx_int8", "amx_bf16"})
NO_AMX = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")
FIRST_SOUND_GCC = 13
_CMAKE_VARIABLES = ("CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS")
_PROBE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Compiler:
    """The C++ compiler that a build would use."""

    family: str
    """ "gcc", "clang", "unknown", or "" when there is none."""
    major: int
    accepts_no_amx: bool
    """Whether it knows the switches that leave AMX out."""


@dataclass(frozen=True, slots=True)
class BuildMachine:
    architecture: str
    processor_flags: frozenset[str]
    compiler: Compiler
    cmake_args: str = ""
    """CMAKE_ARGS as the user has set it."""

    @property
    def has_amx(self) -> bool:
        return self.architecture in ("x86_64", "AMD64") and bool(AMX_FLAGS & self.processor_flags)

    @property
    def miscompiles_amx(self) -> bool:
        """A compiler nobody has judged is taken for a bad one: the cost is some speed, not a crash."""
        is_sound = self.compiler.family == "clang" or (
            self.compiler.family == "gcc" and self.compiler.major >= FIRST_SOUND_GCC
        )
        return self.has_amx and bool(self.compiler.family) and not is_sound


def build_variables(machine: BuildMachine) -> dict[str, str]:
    """Environment for `pip install`, empty where llama.cpp compiles well as it is."""
    if not (machine.miscompiles_amx and machine.compiler.accepts_no_amx):
        return {}
    # pip reuses a wheel it built before without looking at CMAKE_ARGS.
    return {"CMAKE_ARGS": _with_flags(machine.cmake_args), "PIP_NO_CACHE_DIR": "1"}


def shell_lines(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _with_flags(cmake_args: str) -> str:
    """The user's arguments with ours added, inside the compiler flags where these are set already."""
    arguments = shlex.split(cmake_args)
    for variable in _CMAKE_VARIABLES:
        prefix = f"-D{variable}="
        given = next((argument for argument in arguments if argument.startswith(prefix)), prefix)
        flags = given.removeprefix(prefix).split()
        merged = prefix + " ".join([*flags, *(flag for flag in NO_AMX if flag not in flags)])
        arguments = [argument for argument in arguments if argument != given] + [merged]
    return " ".join(_quoted(argument) for argument in arguments)


def _quoted(argument: str) -> str:
    """-DNAME='a b': the form people write, rather than '-DNAME=a b'."""
    name, equals, value = argument.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and value else shlex.quote(argument)


def this_machine(environment: Mapping[str, str] = os.environ) -> BuildMachine:
    flags = processor_flags(Path("/proc/cpuinfo"))
    # Asking the compiler takes a moment, and only AMX makes it matter.
    is_affected = bool(AMX_FLAGS & flags)
    compiler = find_compiler(environment) if is_affected else Compiler("", 0, accepts_no_amx=False)
    return BuildMachine(platform.machine(), flags, compiler, environment.get("CMAKE_ARGS", ""))


def processor_flags(cpuinfo: Path) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())


def find_compiler(environment: Mapping[str, str]) -> Compiler:
    """The compiler cmake would choose: $CXX, else the first of the usual names."""
    named = shlex.split(environment.get("CXX", ""))
    command = named or next(([found] for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), [])
    if not command:
        return Compiler("", 0, accepts_no_amx=False)
    macros = _run([*command, "-dM", "-E", "-x", "c++", os.devnull])
    accepts = _run([*command, *NO_AMX, "-fsyntax-only", "-x", "c++", os.devnull]) is not None
    return judge(macros or "", accepts_no_amx=accepts)


def judge(macros: str, *, accepts_no_amx: bool) -> Compiler:
    """Name a compiler from the macros it predefines."""
    defined = dict(line.split(" ", 2)[1:3] for line in macros.splitlines() if line.count(" ") >= 2)
    # clang claims to be GCC 4.2 as well, so it is asked first.
    for family, macro in (("clang", "__clang_major__"), ("gcc", "__GNUC__")):
        if defined.get(macro, "").isdigit():
            return Compiler(family, int(defined[macro]), accepts_no_amx)
    return Compiler("unknown", 0, accepts_no_amx)


def _run(command: list[str]) -> str | None:
    """What it printed, or None when it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    print(shell_lines(build_variables(this_machine())), end="")
