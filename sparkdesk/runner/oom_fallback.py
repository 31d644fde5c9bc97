"""Smaller load settings to try when memory ran out: experts off the GPU, fewer layers on it, a shorter context."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sparkdesk.engine.settings import MTP, LoadSettings
from sparkdesk.errors import EngineError, OutOfMemory
from sparkdesk.fit import Layout, ModelSize, mtp_size, need_of, size_from_header
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.parts import glance_model
from sparkdesk.machine import hardware
from sparkdesk.runner.crash import ProcessExit, main_error_line

_LAYER_SHARES = (0.75, 0.5, 0.25, 0.0)
_CONTEXT_SHARES = (2, 4, 8)
_MIN_CONTEXT = 512
_MAX_RELATIVE_SIZE = 0.95
"""Of what did not fit; what is hardly smaller will not fit either."""
_MEMORY_WORDS = ("out of memory", "failed to allocate", "cudaMalloc", "bad_alloc", "MemoryError")


@dataclass(frozen=True, slots=True)
class SmallerLoad:
    settings: LoadSettings
    way: str
    """In words that follow "with"."""

    @property
    def notice(self) -> str:
        return f"Memory ran out; trying again with {self.way}"

    @property
    def note(self) -> str:
        return f"Loaded with {self.way}, because memory ran out for what was asked."


def is_out_of_memory(answer: object) -> bool:
    """llama.cpp says so, dies of it with those words, or the system kills it."""
    if isinstance(answer, OutOfMemory):
        return True
    if not isinstance(answer, ProcessExit) or answer.was_requested or answer.stalled_s or answer.garbage:
        return False
    words = main_error_line(answer.stderr_tail)
    return answer.signal_name == "SIGKILL" or any(each in words for each in _MEMORY_WORDS)


def smaller_settings(settings: LoadSettings) -> Iterator[SmallerLoad]:
    """From the least that is given up to the most."""
    target = _size(settings.target_path)
    draft = _size(settings.target_path, mtp_size) if settings.drafter == MTP else _size(settings.draft_path)
    layers = len(target.layers) if target is not None else 0
    context = settings.context_tokens or (target.trained_context if target is not None else 0)
    experts = target.expert_layers if target is not None else 0
    fewer = (*_fewer_experts(settings, experts), *_fewer_layers(settings, layers))
    for load in (*fewer, *_shorter(settings, context)):
        if target is None or _is_smaller(load.settings, settings, target, draft, context):
            yield load


def _fewer_experts(settings: LoadSettings, expert_layers: int) -> Iterator[SmallerLoad]:
    """Off the card: a token needs a few of a layer's experts, and everything else of it."""
    asked = max(0, settings.cpu_experts)
    if settings.gpu_layers == 0 or asked >= expert_layers or not hardware.find_graphics_cards():
        return
    for count in sorted({(asked + expert_layers + 1) // 2, expert_layers}):
        yield SmallerLoad(replace(settings, cpu_experts=count), f"the experts of {count} layers on the processor")


def _fewer_layers(settings: LoadSettings, layer_count: int) -> Iterator[SmallerLoad]:
    """Only where there is a card at all, and from what was asked for."""
    if settings.gpu_layers == 0 or not layer_count or not hardware.find_graphics_cards():
        return
    asked = layer_count + 1 if settings.gpu_layers < 0 else min(settings.gpu_layers, layer_count + 1)
    for share in _LAYER_SHARES:
        count = int(asked * share)
        way = f"{count} of {layer_count + 1} layers on the graphics card"
        yield SmallerLoad(replace(settings, gpu_layers=count), way)


def _shorter(settings: LoadSettings, context_tokens: int) -> Iterator[SmallerLoad]:
    for share in _CONTEXT_SHARES:
        tokens = context_tokens // share
        if tokens >= _MIN_CONTEXT:
            yield SmallerLoad(replace(settings, context_tokens=tokens), f"a context of {tokens:,} tokens")


def _is_smaller(
    load: LoadSettings, asked: LoadSettings, target: ModelSize, draft: ModelSize | None, context_tokens: int
) -> bool:
    if (load.gpu_layers, load.cpu_experts) != (asked.gpu_layers, asked.cpu_experts):
        return True
    least = need_of(target, draft, Layout(context_tokens=load.context_tokens)).total_bytes
    return least <= _MAX_RELATIVE_SIZE * need_of(target, draft, Layout(context_tokens=context_tokens)).total_bytes


def _size(path: str | None, size_of: Callable[[GgufFile], ModelSize | None] = size_from_header) -> ModelSize | None:
    if path is None:
        return None
    try:
        return size_of(glance_model(Path(path)))
    except EngineError:
        return None
