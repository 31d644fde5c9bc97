"""Prints the shell lines that get llama.cpp installed as this machine needs it: `eval "$(python3 build_flags.py)"`.

A prebuilt wheel of the pinned llama-cpp-python where its makers' index can be reached and has one, else a compile of
only what SparkDesk uses. Which of them, and why, is one line on stderr. Where neither can be had, that line says what
to install, and the shell line is `false`, which ends the command it is part of.

Runs before anything is installed, so it uses the standard library only. GCC before 13 drops stores to the tile
configuration of AMX (x86-64 since Sapphire Rapids): a native build then crashes at its first quantized product.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PINNED = "0.3.36"
WHEEL_INDEX = "https://abetlen.github.io/llama-cpp-python/whl"
"""Of llama-cpp-python's makers, as their README names it for pip's --extra-index-url; below it a folder a backend."""
CUDA_WHEELS = ((11, 8), (12, 1), (12, 2), (12, 3), (12, 4), (12, 5), (13, 0), (13, 2))
"""CUDA releases that have a folder there; a driver runs those of its own release and older ones."""
_INDEX_SECONDS = 2.0
_MOST_INDEX_BYTES = 2_000_000
_ONLY_LLAMA = Path(__file__).resolve().parent / "only_llama.cmake"
_COMPILE_VARIABLE = "SPARKDESK_COMPILE"

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
    backend: str = "cpu"
    """What computes, by the index's names: "cpu", "cu125", "metal", "rocm72", "vulkan"."""
    backend_flag: str = ""
    """What makes a compile use the card; empty where its toolkit is missing or there is none."""

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


@dataclass(frozen=True, slots=True)
class Installing:
    """How llama.cpp gets onto this machine."""

    variables: Mapping[str, str]
    """Environment for `pip install`."""
    said: str
    """What is done and why, or what is missing."""
    is_possible: bool = True


def how_to_install(
    machine: BuildMachine, environment: Mapping[str, str], has_wheel: Callable[[str], bool]
) -> Installing:
    """`has_wheel` asks the index of a backend, and is asked only where the user has not decided to compile."""
    wants_compile = bool(machine.cmake_args or environment.get(_COMPILE_VARIABLE) or environment.get("PIP_NO_INDEX"))
    if not wants_compile and has_wheel(machine.backend):
        given = environment.get("PIP_EXTRA_INDEX_URL", "")
        url = f"{WHEEL_INDEX}/{machine.backend}"
        said = f"llama.cpp comes prebuilt ({machine.backend}), nothing is compiled; {_COMPILE_VARIABLE}=1 compiles it"
        return Installing({"PIP_EXTRA_INDEX_URL": f"{given} {url}".strip()}, said)
    why = "as you ask" if wants_compile else f"no prebuilt llama-cpp-python {PINNED} ({machine.backend}) can be reached"
    if not machine.compiler.family:
        return Installing({}, f"{why}, and there is no C++ compiler here. {compiler_advice()}", is_possible=False)
    compiler = f"{machine.compiler.family} {machine.compiler.major or ''}".strip()
    use = f" for {machine.backend}" if machine.backend_flag else " for the processor"
    return Installing(
        build_variables(machine), f"llama.cpp is compiled with {compiler}{use}, {why}; this takes minutes"
    )


def build_variables(machine: BuildMachine) -> dict[str, str]:
    """Environment for a compile of only what is needed, with the flags this processor and its card need."""
    arguments = machine.cmake_args
    if machine.backend_flag and "-DGGML_" not in arguments:
        arguments = f"{arguments} {machine.backend_flag}".strip()
    for argument in ("-DLLAVA_BUILD=OFF", f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={_ONLY_LLAMA}"):
        if argument.partition("=")[0] not in arguments:
            arguments = f"{arguments} {_quoted(argument)}".strip()
    if not (machine.miscompiles_amx and machine.compiler.accepts_no_amx):
        return {"CMAKE_ARGS": arguments}
    # pip reuses a wheel it built before without looking at CMAKE_ARGS.
    return {"CMAKE_ARGS": _with_flags(arguments), "PIP_NO_CACHE_DIR": "1"}


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
    backend, backend_flag = find_backend()
    given = environment.get("CMAKE_ARGS", "")
    return BuildMachine(platform.machine(), flags, find_compiler(environment), given, backend, backend_flag)


def find_backend(system: Path = Path("/"), driver_says: Callable[[], str] | None = None) -> tuple[str, str]:
    """What this machine computes with: the index's name of it, and the flag that compiles it where that is possible."""
    if platform.system() == "Darwin":
        return ("metal", "-DGGML_METAL=on") if platform.machine() == "arm64" else ("cpu", "")
    if any((system / "dev").glob("nvidia[0-9]*")) or (system / "proc/driver/nvidia/gpus").is_dir():
        release = cuda_release((driver_says or _nvidia_smi)()) or (0, 0)
        fitting = [wheel for wheel in CUDA_WHEELS if wheel <= release]
        flag = "-DGGML_CUDA=on" if _has_tool("nvcc", system / "usr/local/cuda/bin") else ""
        return (f"cu{fitting[-1][0]}{fitting[-1][1]}" if fitting else "cuda"), flag
    vendors = [_read(path) for path in (system / "sys/class/drm").glob("card[0-9]*/device/vendor")]
    if "0x1002" not in vendors:
        return "cpu", ""
    if _read(system / "opt/rocm/.info/version").startswith("7."):
        return "rocm72", "-DGGML_HIP=on" if _has_tool("hipcc", system / "opt/rocm/bin") else ""
    return "vulkan", "-DGGML_VULKAN=on" if _has_tool("glslc", system / "usr/bin") else ""


def cuda_release(nvidia_smi: str) -> tuple[int, int] | None:
    """Out of what nvidia-smi prints; on a DGX Spark most else in it is "Not Supported"."""
    found = re.search(r"CUDA(?: UMD)? Version\s*:\s*(\d+)\.(\d+)", nvidia_smi)
    return (int(found[1]), int(found[2])) if found else None


def index_has_wheel(backend: str, *, index: str = WHEEL_INDEX, seconds: float = _INDEX_SECONDS) -> bool:
    """Whether the backend's folder, read within `seconds`, names a wheel of the pinned release that runs here."""
    pages: list[str] = []

    def read() -> None:
        try:
            with urllib.request.urlopen(f"{index}/{backend}/llama-cpp-python/", timeout=seconds) as answer:
                pages.append(answer.read(_MOST_INDEX_BYTES).decode("utf-8", "replace"))
        except (OSError, ValueError):
            return

    reading = threading.Thread(target=read, daemon=True)  # a server that trickles must not hold up the installation
    reading.start()
    reading.join(seconds)
    return bool(pages) and has_fitting_wheel(pages[0], system=platform.system(), architecture=platform.machine())


def has_fitting_wheel(page: str, *, system: str, architecture: str, version: str = PINNED) -> bool:
    """Whether a page of links names a wheel of this release for this system, processor and C library."""
    pattern = rf"llama_cpp_python-{re.escape(version)}(?:\+\w+)?-(?P<python>[\w.]+)-\w+-(?P<platforms>[\w.]+)\.whl"
    python = ("py3", "py2.py3", f"cp{sys.version_info[0]}{sys.version_info[1]}")
    found = (match for match in re.finditer(pattern, page) if match["python"] in python)
    return any(_runs(each, system, architecture.lower()) for match in found for each in match["platforms"].split("."))


def _runs(tag: str, system: str, architecture: str) -> bool:
    name = {"Linux": r"(many)?linux", "Darwin": "macosx", "Windows": "win"}.get(system, "no such system")
    found = re.fullmatch(rf"{name}\w*?_?(?P<libc>\d+_\d+)?_{architecture}", tag)
    if found is None:
        return False
    have = platform.libc_ver()[1].split(".")
    if system != "Linux" or not found["libc"] or not all(part.isdigit() for part in have[:2]):
        return True
    return [int(part) for part in found["libc"].split("_")] <= [int(part) for part in have[:2]]


def compiler_advice(system: Path = Path("/")) -> str:
    """The command that installs a compiler here, by the distribution's own name of itself."""
    if platform.system() == "Darwin":
        return "Install one: xcode-select --install"
    words = re.findall(r"^ID(?:_LIKE)?=\"?([^\"\n]+)", _read(system / "etc/os-release"), re.MULTILINE)
    known = {
        "debian": "apt install g++",
        "ubuntu": "apt install g++",
        "fedora": "dnf install gcc-c++",
        "rhel": "dnf install gcc-c++",
        "arch": "pacman -S gcc",
        "suse": "zypper install gcc-c++",
        "opensuse": "zypper install gcc-c++",
        "alpine": "apk add g++ libc-dev linux-headers",
    }
    command = next((known[each] for word in words for each in word.split() if each in known), "")
    return f"Install one: sudo {command}" if command else "Install GCC or clang with C++, and try again."


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


def _nvidia_smi() -> str:
    return _run(["nvidia-smi"]) or ""


def _has_tool(name: str, usual: Path) -> bool:
    return bool(shutil.which(name)) or (usual / name).exists()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def main() -> int:
    found = how_to_install(this_machine(), os.environ, index_has_wheel)
    print(f"SparkDesk: {found.said}", file=sys.stderr)
    print(shell_lines(found.variables) if found.is_possible else "false\n", end="")
    return 0 if found.is_possible else 1


if __name__ == "__main__":
    sys.exit(main())
