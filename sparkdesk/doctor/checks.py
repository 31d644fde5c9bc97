"""Checks of this machine, each with a verdict and a way to mend it. Judges facts; gathers none."""

from collections.abc import Iterator
from dataclasses import replace

from sparkdesk.build_flags import BuildMachine, compiler_advice
from sparkdesk.doctor.check import FAIL, OK, WARN, Check, gigabytes
from sparkdesk.doctor.experts import experts
from sparkdesk.doctor.facts import DeviceFact, Facts, LlamaFacts
from sparkdesk.doctor.free_memory import room_of
from sparkdesk.doctor.graphics import graphics
from sparkdesk.doctor.install import compiled_install, for_this_python, safe_install
from sparkdesk.doctor.storage import storage
from sparkdesk.machine.cores import Cores
from sparkdesk.runner.crash_memory import PACKAGE

LEAST_PYTHON = (3, 11)
LEAST_MEMORY_BYTES = 4_000_000_000


def examine(facts: Facts) -> tuple[Check, ...]:
    """All checks, most fundamental first; their commands are those for the Python that runs."""
    return tuple(replace(check, fix=for_this_python(check.fix, facts.installation)) for check in _checks(facts))


def _checks(facts: Facts) -> Iterator[Check]:
    yield _python(facts)
    yield _llama(facts)
    if not facts.llama.problem:
        yield _symbols(facts.llama)
        yield _devices(facts.llama)
        yield graphics(facts)
        yield from experts(facts.mixtures, room_of(facts.memory, facts.llama.devices, facts.cards))
    yield _threads(facts)
    if not facts.llama.problem:
        yield _waiting(facts)
    yield _compiler(facts)
    yield _amx(facts)
    yield _memory(facts)
    yield from storage(facts)
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
        return Check(
            "llama.cpp",
            FAIL,
            f"{PACKAGE} does not load: {facts.llama.problem}",
            safe_install(facts.llama.tested_version),
        )
    tested = facts.llama.tested_version
    if facts.package_version != tested:
        text = f"{PACKAGE} {facts.package_version} is not the tested version, {tested}"
        return Check("llama.cpp", WARN, text, f"pip install {PACKAGE}=={tested}")
    return Check("llama.cpp", OK, f"{PACKAGE} {facts.package_version}, the tested version")


def _symbols(llama: LlamaFacts) -> Check:
    if llama.missing_symbols:
        text = f"this build lacks {', '.join(llama.missing_symbols)}: chat works, speculation does not"
        return Check("speculation", FAIL, text, compiled_install(llama.tested_version))
    return Check("speculation", OK, "llama.cpp has all the functions a draft needs")


def _devices(llama: LlamaFacts) -> Check:
    if not llama.devices:
        return Check("devices", FAIL, "llama.cpp finds nothing to compute on", safe_install(llama.tested_version))
    return Check("devices", OK, "; ".join(map(_device_in_words, llama.devices)))


def _device_in_words(device: DeviceFact) -> str:
    room = f", {gigabytes(device.free_bytes)} of {gigabytes(device.total_bytes)} free" if device.total_bytes else ""
    return f"{device.name} ({device.description}{room})"


def _amx(facts: Facts) -> Check:
    build, name = facts.build, "AMX"
    if facts.crashed_with_fast_buffers:
        text = "models crashed here with repacked weights, so they run without: safe, but slower"
        return Check(name, WARN, text, safe_install(facts.llama.tested_version))
    if not build.has_amx:
        return Check(name, OK, "not present")
    if _is_built_without_amx(facts.llama):
        return Check(name, OK, "this processor has it, and llama.cpp was built without it")
    if not build.miscompiles_amx:
        return Check(name, OK, "present, and no compiler known to miscompile it was found")
    text = f"this processor has it, and {_compiler_in_words(build)} may have miscompiled it: models could crash"
    return Check(name, WARN, text, safe_install(facts.llama.tested_version))


def _is_built_without_amx(llama: LlamaFacts) -> bool:
    """llama.cpp names the instruction sets it was compiled with."""
    return bool(llama.system_info) and "AMX" not in llama.system_info


def _compiler_in_words(build: BuildMachine) -> str:
    compiler = build.compiler
    return f"{compiler.family} {compiler.major}" if compiler.major else "the compiler here"


def _threads(facts: Facts) -> Check:
    cores, chosen = facts.cores, facts.threads_setting
    if chosen <= cores.usable:
        using = f"{chosen} by your settings" if chosen else f"at most {cores.usable}, fewer where that is faster"
        return Check("threads", OK, f"{_cores_in_words(cores)}: {using}")
    text = f"{_cores_in_words(cores)}, and your settings say {chosen} threads: more than can compute at once"
    return Check("threads", WARN, text, "Set threads = 0 in the settings (F2), which takes the fastest number.")


def _waiting(facts: Facts) -> Check:
    """Whether the spin at barriers can be bounded: without OpenMP, ggml's own threads spin until the last one comes."""
    name, info = "waiting", facts.llama.system_info
    if "OPENMP" in info or "Metal" in info or not info:
        return Check(name, OK, "threads that wait for others give their core away: other programs cost little speed")
    text = "llama.cpp was built without OpenMP: beside other busy programs it becomes slow"
    return Check(name, WARN, text, compiled_install(facts.llama.tested_version))


def _compiler(facts: Facts) -> Check:
    compiler = facts.build.compiler
    if compiler.family:
        text = f"{_compiler_in_words(facts.build)}: llama.cpp can be compiled here where it is not prebuilt"
        return Check("compiler", OK, text)
    text = "none here, and none is needed while llama.cpp works"
    if facts.package_version and not facts.llama.problem:
        return Check("compiler", OK, text)
    return Check("compiler", WARN, "no C++ compiler here, for where llama.cpp is not prebuilt", compiler_advice())


def _cores_in_words(cores: Cores) -> str:
    words = f"{cores.physical} physical core{'s' if cores.physical != 1 else ''}"
    if cores.logical > cores.physical:
        words += f" ({cores.logical} hardware threads)"
    if cores.fast < cores.physical:
        words += f", {cores.fast} of them fast"
    return words if cores.quota is None else f"{words}, limited by the container to {cores.quota:.3g}"


def _memory(facts: Facts) -> Check:
    memory = facts.memory
    if not memory.total_bytes:
        return Check("memory", OK, "the system does not say how much there is")
    text = f"{gigabytes(memory.total_bytes)}{', which is all this container may use' if memory.is_limited else ''}"
    if memory.available_bytes:
        text += f", {gigabytes(memory.available_bytes)} of it available"
        if memory.available_bytes < LEAST_MEMORY_BYTES:
            return Check("memory", WARN, f"{text}: enough for small models only", "Close other programs.")
    return Check("memory", OK, text)


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
