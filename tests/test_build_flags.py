"""Which machines get compile flags, and what these look like after a shell has read them."""

import contextlib
import os
import platform
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sparkdesk import build_flags
from sparkdesk.build_flags import (
    BuildMachine,
    Compiler,
    build_variables,
    has_fitting_wheel,
    how_to_install,
    index_has_wheel,
    judge,
    shell_lines,
)

AMX = frozenset({"avx2", "amx_tile", "amx_int8", "amx_bf16"})
OLD_GCC = Compiler("gcc", 12, accepts_no_amx=True)
AFFECTED = BuildMachine("x86_64", AMX, OLD_GCC)
ONLY_LLAMA = (
    "-DLLAVA_BUILD=OFF",
    f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={Path(build_flags.__file__).parent / 'only_llama.cmake'}",
)
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
    variables = build_variables(machine)
    assert ("-mno-amx" in variables["CMAKE_ARGS"]) is ("PIP_NO_CACHE_DIR" in variables) is is_affected


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
    found = shlex.split(build_variables(replace(AFFECTED, cmake_args=given))["CMAKE_ARGS"])
    assert [each for each in found if each not in ONLY_LLAMA] == expected
    assert all(found.count(each) == 1 for each in ONLY_LLAMA)


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


def test_the_user_may_want_all_of_it() -> None:
    plain = replace(AFFECTED, processor_flags=frozenset(), cmake_args="-DLLAVA_BUILD=ON")
    assert "-DLLAVA_BUILD=OFF" not in build_variables(plain)["CMAKE_ARGS"]


def test_what_cmake_reads_is_there() -> None:
    assert "set(LLAMA_BUILD_COMMON OFF)" in Path(ONLY_LLAMA[1].partition("=")[2]).read_text("utf-8")


def test_the_pinned_release_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    assert f"llama-cpp-python=={build_flags.PINNED}" in project["project"]["dependencies"]


PLAIN = BuildMachine("x86_64", frozenset(), OLD_GCC)


@pytest.mark.parametrize("backend", ["cpu", "cu125", "metal", "rocm72", "vulkan"])
def test_a_prebuilt_wheel_needs_no_compiler(backend: str) -> None:
    asked: list[str] = []
    machine = replace(PLAIN, backend=backend, compiler=Compiler("", 0, False))
    found = how_to_install(machine, {}, lambda name: asked.append(name) or True)  # type: ignore[func-returns-value]
    assert asked == [backend] and found.is_possible
    assert found.variables == {"PIP_EXTRA_INDEX_URL": f"{build_flags.WHEEL_INDEX}/{backend}"}
    assert "prebuilt" in found.said


def test_an_index_of_the_users_own_stays() -> None:
    found = how_to_install(PLAIN, {"PIP_EXTRA_INDEX_URL": "https://mine.example/simple"}, lambda name: True)
    assert found.variables["PIP_EXTRA_INDEX_URL"].split() == [
        "https://mine.example/simple",
        f"{build_flags.WHEEL_INDEX}/cpu",
    ]


@pytest.mark.parametrize(
    ("machine", "environment"),
    [
        (replace(PLAIN, cmake_args="-DGGML_BLAS=on"), {}),
        (PLAIN, {"SPARKDESK_COMPILE": "1"}),
        (PLAIN, {"PIP_NO_INDEX": "1"}),
    ],
)
def test_where_the_user_has_decided_to_compile_no_index_is_asked(
    machine: BuildMachine, environment: dict[str, str]
) -> None:
    found = how_to_install(machine, environment, lambda name: pytest.fail("it was asked"))
    assert "PIP_EXTRA_INDEX_URL" not in found.variables and "as you ask" in found.said


@pytest.mark.parametrize(
    ("backend", "flag", "said"),
    [("cpu", "", "for the processor"), ("cu125", "-DGGML_CUDA=on", "for cu125"), ("cu125", "", "for the processor")],
)
def test_without_a_wheel_only_what_is_needed_is_compiled(backend: str, flag: str, said: str) -> None:
    found = how_to_install(replace(PLAIN, backend=backend, backend_flag=flag), {}, lambda name: False)
    assert all(each in shlex.split(found.variables["CMAKE_ARGS"]) for each in ONLY_LLAMA)
    assert flag in found.variables["CMAKE_ARGS"] and said in found.said and "gcc 12" in found.said


def test_without_a_wheel_and_a_compiler_it_says_what_to_install() -> None:
    found = how_to_install(replace(PLAIN, compiler=Compiler("", 0, False)), {}, lambda name: False)
    assert not found.is_possible and not found.variables
    assert "no C++ compiler" in found.said and "nstall" in found.said


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ('ID=debian\nVERSION="12"', "sudo apt install g++"),
        ('NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"', "sudo apt install g++"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "sudo dnf install gcc-c++"),
        ("ID=arch", "sudo pacman -S gcc"),
        ("ID=something", "GCC or clang"),
        ("", "GCC or clang"),
    ],
)
def test_the_advice_is_the_distributions_own_command(tmp_path: Path, release: str, command: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(release)
    assert command in build_flags.compiler_advice(tmp_path)


@pytest.mark.parametrize(
    ("name", "system", "architecture", "fits"),
    [
        ("llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl", "Linux", "x86_64", True),
        ("llama_cpp_python-0.3.36-py3-none-manylinux_2_17_x86_64.whl", "Linux", "x86_64", True),
        ("llama_cpp_python-0.3.36-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "Linux", "x86_64", True),
        ("llama_cpp_python-0.3.36-py3-none-manylinux_2_99_x86_64.whl", "Linux", "x86_64", False),
        ("llama_cpp_python-0.3.36-py3-none-musllinux_1_2_x86_64.whl", "Linux", "x86_64", False),
        ("llama_cpp_python-0.3.36+cu125-py3-none-linux_x86_64.whl", "Linux", "x86_64", True),
        ("llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl", "Linux", "aarch64", False),
        ("llama_cpp_python-0.3.36-py3-none-macosx_11_0_arm64.whl", "Darwin", "arm64", True),
        ("llama_cpp_python-0.3.36-py3-none-win_amd64.whl", "Windows", "AMD64", True),
        ("llama_cpp_python-0.3.35-py3-none-linux_x86_64.whl", "Linux", "x86_64", False),
        ("llama_cpp_python-0.3.360-py3-none-linux_x86_64.whl", "Linux", "x86_64", False),
        ("llama_cpp_python-0.3.36-cp39-cp39-linux_x86_64.whl", "Linux", "x86_64", False),
        ("llama_cpp_python-0.3.36.tar.gz", "Linux", "x86_64", False),
    ],
)
def test_a_wheel_fits_by_its_name(name: str, system: str, architecture: str, fits: bool) -> None:
    page = f'<a href="https://files.example/v0/{name}#sha256=00">{name}</a><br>'
    assert has_fitting_wheel(page, system=system, architecture=architecture) is fits


class _Index(BaseHTTPRequestHandler):
    """An index with one wheel for this machine; below /slow/ it trickles."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith("/llama-cpp-python/") else 404)
        self.end_headers()
        if "/slow/" in self.path:
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.1)
        if self.path.startswith("/cpu/"):
            systems = {"Linux": "linux", "Darwin": "macosx_11_0", "Windows": "win"}
            tag = f"{systems[platform.system()]}_{platform.machine().lower()}"
            self.wfile.write(f'<a href="llama_cpp_python-{build_flags.PINNED}-py3-none-{tag}.whl">x</a>'.encode())

    def log_message(self, *about: object) -> None:
        """Nothing on the tests' stderr."""


@pytest.fixture
def index() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_index_is_read(index: str) -> None:
    assert index_has_wheel("cpu", index=index)
    assert not index_has_wheel("cu118", index=index)
    assert not index_has_wheel("cpu", index="http://127.0.0.1:9")


def test_an_index_that_trickles_is_not_waited_for(index: str) -> None:
    began = time.monotonic()
    assert not index_has_wheel("slow", index=index, seconds=0.5)
    assert time.monotonic() - began < 2


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("files", "driver", "backend"),
    [
        ({}, "", "cpu"),
        ({"dev/nvidia0": ""}, "CUDA Version: 12.8", "cu125"),
        ({"dev/nvidia0": ""}, "CUDA Version: 13.1", "cu130"),
        ({"proc/driver/nvidia/gpus/0/information": ""}, "CUDA Version: 11.8", "cu118"),
        ({"dev/nvidia0": ""}, "no driver", "cuda"),
        ({"dev/nvidiactl": ""}, "", "cpu"),
        ({"sys/class/drm/card0/device/vendor": "0x1002"}, "", "vulkan"),
        ({"sys/class/drm/card0/device/vendor": "0x1002", "opt/rocm/.info/version": "7.2.0"}, "", "rocm72"),
        ({"sys/class/drm/card0/device/vendor": "0x8086"}, "", "cpu"),
    ],
)
@pytest.mark.skipif(platform.system() != "Linux", reason="cards are found by Linux's own files")
def test_the_card_decides_which_index(tmp_path: Path, files: dict[str, str], driver: str, backend: str) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    assert build_flags.find_backend(tmp_path, lambda: driver)[0] == backend


def test_a_toolkit_that_is_there_is_compiled_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("dev/nvidia0", "usr/local/cuda/bin/nvcc"):
        write(tmp_path / name, "")
    assert build_flags.find_backend(tmp_path, lambda: "CUDA Version: 13.0") == ("cu130", "-DGGML_CUDA=on")


def test_it_runs_before_anything_is_installed(tmp_path: Path) -> None:
    """The README's commands run it with the system's Python, outside the virtual environment."""
    script = Path(build_flags.__file__)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "SPARKDESK_COMPILE": "1"},
    )
    assert done.stderr.startswith("SparkDesk: ") and done.stderr.count("\n") == 1
    assert all(line.startswith("export ") for line in done.stdout.splitlines()) or done.stdout == "false\n"


def test_where_nothing_can_be_had_the_command_ends(tmp_path: Path) -> None:
    """Without a compiler pip would fail after minutes of output."""
    line = f'eval "$({sys.executable} -I -S {build_flags.__file__})" && echo installing'
    environment = {"PATH": str(tmp_path), "SPARKDESK_COMPILE": "1"}
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode != 0 and "installing" not in done.stdout
    assert "no C++ compiler" in done.stderr
