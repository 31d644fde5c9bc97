"""Checks of this machine, each with a verdict and a way to mend it. Judges facts; gathers none."""

from collections.abc import Iterator
from dataclasses import dataclass

from sparkdesk.build_flags import BuildMachine
from sparkdesk.doctor_facts import DeviceFact, Facts, FolderFact, LlamaFacts
from sparkdesk.runner.machine_memory import PACKAGE

OK, WARN, FAIL = "ok", "warn", "fail"
LEAST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 10_000_000_000
"""A 4B target in Q4_K_M, its draft, and the room to convert them."""
LEAST_MEMORY_BYTES = 4_000_000_000
_GPU_BUILDS = {"NVIDIA": "-DGGML_CUDA=on", "AMD": "-DGGML_HIP=on", "Apple": "-DGGML_METAL=on"}
_DRIVER = "Check the driver (nvidia-smi, rocminfo) and that its version fits the build."


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    verdict: str
    """ok, warn or fail"""
    text: str
    fix: str = ""
    """A command or an action; empty when there is nothing to do."""


def examine(facts: Facts) -> tuple[Check, ...]:
    """All checks, most fundamental first."""
    return tuple(_checks(facts))


def _checks(facts: Facts) -> Iterator[Check]:
    yield _python(facts)
    yield _llama(facts)
    if not facts.llama.problem:
        yield _symbols(facts.llama)
        yield _devices(facts.llama)
        yield _graphics(facts)
    yield _amx(facts)
    yield _memory(facts)
    yield from map(_folder, facts.folders)
    yield _disk(facts.folders[0])
    yield _colours(facts)


def _python(facts: Facts) -> Check:
    found = ".".join(map(str, facts.python))
    text = f"SparkDesk {facts.version} on Python {found}"
    if facts.python[:2] < LEAST_PYTHON:
        return Check("versions", FAIL, f"{text}, which is too old", "Install Python 3.11 or newer.")
    return Check("versions", OK, text)


def _llama(facts: Facts) -> Check:
    if not facts.package_version:
        return Check("llama.cpp", FAIL, f"{PACKAGE} is not installed", "pip install .")
    if facts.llama.problem:
        return Check("llama.cpp", FAIL, f"{PACKAGE} does not load: {facts.llama.problem}", _reinstall(facts.llama))
    tested = facts.llama.tested_version
    if facts.package_version != tested:
        text = f"{PACKAGE} {facts.package_version} is not the tested version, {tested}"
        return Check("llama.cpp", WARN, text, f"pip install {PACKAGE}=={tested}")
    return Check("llama.cpp", OK, f"{PACKAGE} {facts.package_version}, the tested version")


def _symbols(llama: LlamaFacts) -> Check:
    if llama.missing_symbols:
        text = f"this build lacks {', '.join(llama.missing_symbols)}: chat works, speculation does not"
        return Check("speculation", FAIL, text, f"pip install {PACKAGE}=={llama.tested_version}")
    return Check("speculation", OK, "llama.cpp has all the functions a draft needs")


def _devices(llama: LlamaFacts) -> Check:
    if not llama.devices:
        return Check("devices", FAIL, "llama.cpp finds nothing to compute on", _reinstall(llama))
    return Check("devices", OK, "; ".join(map(_device_in_words, llama.devices)))


def _device_in_words(device: DeviceFact) -> str:
    room = f", {_gigabytes(device.free_bytes)} of {_gigabytes(device.total_bytes)} free" if device.total_bytes else ""
    return f"{device.name} ({device.description}{room})"


def _graphics(facts: Facts) -> Check:
    cards = ", ".join(card.name for card in facts.cards)
    has_gpu_device = any("gpu" in device.kind for device in facts.llama.devices)
    if not facts.cards:
        return Check("graphics", OK, "no graphics card found; models run on the processor")
    if not facts.llama.supports_gpu:
        flag = _GPU_BUILDS[facts.cards[0].vendor]
        fix = f'CMAKE_ARGS="{flag}" {_pip_install(facts.llama)}'
        return Check("graphics", WARN, f"{cards} is here, but llama.cpp was built for the processor only", fix)
    if not has_gpu_device:
        return Check(
            "graphics", WARN, f"llama.cpp was built for GPUs, but finds none; the machine has {cards}", _DRIVER
        )
    return Check("graphics", OK, f"llama.cpp uses {cards}")


def _amx(facts: Facts) -> Check:
    build, name = facts.build, "AMX"
    if facts.crashed_with_fast_buffers:
        text = "models crashed here with repacked weights, so they run without: safe, but slower"
        return Check(name, WARN, text, _reinstall(facts.llama))
    if not build.has_amx:
        return Check(name, OK, "this processor has none, so no compiler can get it wrong")
    if _is_built_without_amx(facts.llama):
        return Check(name, OK, "this processor has it, and llama.cpp was built without it")
    if not build.miscompiles_amx:
        return Check(name, OK, "this processor has it, and no compiler known to get it wrong was found")
    text = f"this processor has it, and {_compiler_in_words(build)} may have miscompiled it: models could crash"
    return Check(name, WARN, text, _reinstall(facts.llama))


def _is_built_without_amx(llama: LlamaFacts) -> bool:
    """llama.cpp names the instruction sets it was compiled with."""
    return bool(llama.system_info) and "AMX" not in llama.system_info


def _compiler_in_words(build: BuildMachine) -> str:
    compiler = build.compiler
    return f"{compiler.family} {compiler.major}" if compiler.major else "the compiler here"


def _memory(facts: Facts) -> Check:
    memory = facts.memory
    if not memory.total_bytes:
        return Check("memory", OK, "the system does not say how much there is")
    text = f"{_gigabytes(memory.total_bytes)}"
    if memory.available_bytes:
        text += f", {_gigabytes(memory.available_bytes)} of it available"
        if memory.available_bytes < LEAST_MEMORY_BYTES:
            return Check("memory", WARN, f"{text}: enough for small models only", "Close other programs.")
    return Check("memory", OK, text)


def _folder(folder: FolderFact) -> Check:
    if folder.is_writable:
        return Check("folder", OK, f"{folder.path} can be written to")
    fix = "Set SPARKDESK_HOME to a folder that can be."
    return Check("folder", FAIL, f"{folder.path} cannot be written to", fix)


def _disk(data: FolderFact) -> Check:
    text = f"{_gigabytes(data.free_bytes)} free for models"
    if data.free_bytes < LEAST_FREE_BYTES:
        return Check("disk", WARN, text, "Free some space, or set SPARKDESK_HOME to a larger disk.")
    return Check("disk", OK, text)


def _colours(facts: Facts) -> Check:
    if facts.no_color:
        return Check("colours", OK, "NO_COLOR is set: the screen is monochrome")
    if not facts.terminal:
        return Check("colours", OK, "not in a terminal")
    if facts.color_term in ("truecolor", "24bit"):
        return Check("colours", OK, f"{facts.terminal} shows all colours")
    if "256color" in facts.terminal:
        return Check("colours", OK, f"{facts.terminal} shows 256 colours")
    text = f"{facts.terminal} may show few colours"
    return Check("colours", WARN, text, "export COLORTERM=truecolor, if your terminal can.")


def _reinstall(llama: LlamaFacts) -> str:
    return f'eval "$(python -m sparkdesk.build_flags)" && {_pip_install(llama)}'


def _pip_install(llama: LlamaFacts) -> str:
    package = f"{PACKAGE}=={llama.tested_version}" if llama.tested_version else PACKAGE
    return f"pip install --force-reinstall --no-deps --no-cache-dir {package}"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f} GB"
