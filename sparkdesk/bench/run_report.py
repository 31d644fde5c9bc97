"""A whole run as one JSON object: figures, settings, machine and build. Holds no prompt, no answer and no path."""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from converters.regular_file import read_regular
from sparkdesk import __version__
from sparkdesk.bench.curves import curves_of
from sparkdesk.bench.figures import Figures, by_domain, figures_of
from sparkdesk.bench.results import Comparison, Reply
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import LOOKUP
from sparkdesk.errors import UsageError
from sparkdesk.machine import hardware

KIND = "sparkdesk bench run"
FORMAT = 1
"""Goes up when a name below changes its meaning."""
_DECIMALS = 4
_LOOKUP_ALONE = "prompt lookup alone"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What was asked for, in words that can be shown to anybody."""

    command: str
    """The command line, files by their names alone."""
    suite: str
    temperature: float
    max_tokens: int
    draft_length: int | None
    """None leaves it to the engine."""
    repetitions: int


def record(
    comparisons: Sequence[Comparison],
    *,
    settings: RunSettings,
    model: ModelInfo,
    files: Mapping[str, Path],
    is_complete: bool,
) -> dict[str, Any]:
    """`files` by their role: "target", "draft"."""
    return {
        "kind": KIND,
        "format": FORMAT,
        "is_complete": is_complete,
        **asdict(settings),
        "machine": machine_facts(),
        "build": build_facts(model),
        "model": {
            "target": model.name,
            "draft": model.draft_name or _LOOKUP_ALONE,
            "drafter": model.drafter_kind or LOOKUP,
            "block_size": model.block_size,
        },
        "files": {role: {"name": path.name, "size_bytes": path.stat().st_size} for role, path in files.items()},
        "overall": figures_as_json(figures_of(comparisons)),
        "domains": {domain: figures_as_json(found) for domain, found in by_domain(comparisons).items()},
        "curves": rounded(asdict(curves_of(_all_rounds(comparisons)))),
        "prompts": [_comparison_as_json(each) for each in comparisons],
    }


def read_record(path: Path) -> dict[str, Any]:
    """A run kept with `--json`. Raises UsageError."""
    return read_kept(path, kind=KIND, format_=FORMAT, needed=_NEEDED, hint=_RECORD_HINT)


def read_kept(path: Path, *, kind: str, format_: int, needed: Iterable[str], hint: str) -> dict[str, Any]:
    """What a benchmark of this kind printed as JSON. Raises UsageError."""
    try:
        found = json.loads(read_regular(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON.", hint) from error
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise UsageError(f"{path} is not a kept run.", hint)
    if found.get("format") != format_:
        raise UsageError(f"{path} was kept by another version of SparkDesk.", "Run the benchmark again.")
    missing = [name for name in needed if name not in found]
    if missing:
        raise UsageError(f"{path} is damaged: it has no {missing[0]}.", "Run the benchmark again.")
    return found


_NEEDED = (
    *("is_complete", *(entry.name for entry in fields(RunSettings))),
    *("machine", "build", "model", "files", "overall", "domains", "curves", "prompts"),
)
_RECORD_HINT = "Keep one with: sparkdesk bench run --json > RUN.json."


def machine_facts() -> dict[str, Any]:
    processor, memory = hardware.read_processor(), hardware.read_memory()
    return {
        "system": platform.system(),
        "processor": processor.name,
        "architecture": processor.architecture,
        "logical_cores": processor.logical_cores,
        "memory_bytes": memory.total_bytes,
        "graphics": [card.name for card in hardware.find_graphics_cards()],
    }


def build_facts(model: ModelInfo) -> dict[str, Any]:
    return {
        "sparkdesk": __version__,
        "llama_cpp_python": _installed("llama-cpp-python"),
        "python": platform.python_version(),
        "devices": list(model.devices),
        "gpu_layers": model.gpu_layers,
        "cpu_experts": model.cpu_experts,
        "cache_type": model.cache_type,
        "threads": model.threads,
        "context_tokens": model.context_tokens,
        "uses_safe_buffers": model.uses_safe_buffers,
    }


def figures_as_json(figures: Figures) -> dict[str, Any]:
    found: dict[str, Any] = rounded(asdict(figures) | {"acceptance_by_position": figures.acceptance_by_position})
    return found


def rounded(value: Any) -> Any:
    """The same with numbers a person can read."""
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, dict):
        return {str(name): rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def _all_rounds(comparisons: Sequence[Comparison]) -> Iterator[tuple[Round, ...]]:
    """Of both arms: plain decoding is one end of the curves."""
    for each in comparisons:
        yield from (each.plain.rounds, each.speculative.rounds)


def _comparison_as_json(each: Comparison) -> dict[str, Any]:
    return {
        "id": each.prompt_id,
        "domain": each.domain,
        "repetition": each.repetition,
        "gain": rounded(each.gain),
        "plain": _reply_as_json(each.plain),
        "speculative": _reply_as_json(each.speculative),
        "verdict": rounded(asdict(each.judgement)) if each.judgement is not None else None,
    }


def _reply_as_json(reply: Reply) -> dict[str, Any]:
    return {
        "stop_reason": reply.stop_reason,
        "first_token_ms": rounded(reply.first_token_ms),
        "stats": reply.stats.as_json(),
    }


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
