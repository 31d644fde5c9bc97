"""Checkpoint to GGUF: finds the module for an architecture, and takes its plan to a finished file."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from converters import names
from converters.checkpoint import Checkpoint, open_checkpoint
from converters.errors import UnsupportedModel
from converters.metadata import u32
from converters.output_file import check_output, finish, unfinished_file
from converters.output_types import OutputType, output_type_named
from converters.plan import FilePlan, lossless_encoding
from converters.progress import ConversionProgress

# Architecture in config.json -> the module that knows it, imported on demand
_TARGETS = {"Qwen3ForCausalLM": "converters.qwen3"}
_DRAFTS = {"Qwen3DSparkModel": "converters.dspark"}

_QUANTIZATION_FORMAT = 2  # of ggml's block types, since 2023


def convert_target(
    source: Path, out: Path, *, output_type: str, overwrite: bool = False
) -> Generator[ConversionProgress, None, None]:
    """Convert the target checkpoint in folder `source` to `out`; closing the iterator cancels."""
    type_ = output_type_named(output_type)
    checkpoint = open_checkpoint(source)
    module = import_module(_module_for(checkpoint, _TARGETS, _DRAFTS))
    yield from _produce(lambda encoding: module.plan_target(checkpoint, encoding), checkpoint, out, type_, overwrite)


def convert_draft(
    source: Path, out: Path, *, target: Path, output_type: str, overwrite: bool = False
) -> Generator[ConversionProgress, None, None]:
    """Convert the draft checkpoint in folder `source` to `out`.

    `target` is the checkpoint folder or GGUF file of the target it belongs to: the tokenizer comes from there.
    """
    from converters.target import open_target

    type_ = output_type_named(output_type)
    checkpoint = open_checkpoint(source)
    module = import_module(_module_for(checkpoint, _DRAFTS, _TARGETS))
    opened = open_target(target)
    yield from _produce(
        lambda encoding: module.plan_draft(checkpoint, opened, encoding), checkpoint, out, type_, overwrite
    )


def _module_for(checkpoint: Checkpoint, known: dict[str, str], others: dict[str, str]) -> str:
    architecture = checkpoint.architecture
    if architecture in known:
        return known[architecture]
    hint = f"Known are {', '.join(sorted(known))}."
    if architecture in others:
        wanted, found = ("target", "draft") if known is _TARGETS else ("draft", "target")
        raise UnsupportedModel(f"{checkpoint.folder} holds a {found} ({architecture}), not a {wanted}.", hint=hint)
    raise UnsupportedModel(f"{architecture} is not an architecture this converter knows.", hint=hint)


def _produce(
    make_plan: Callable[[str], FilePlan], checkpoint: Checkpoint, out: Path, type_: OutputType, overwrite: bool
) -> Iterator[ConversionProgress]:
    encoding = type_.name if type_.is_direct else lossless_encoding(checkpoint.tensors.values())
    plan = _with_type(make_plan(encoding), type_)
    check_output(out, _needed_bytes(plan, type_), overwrite=overwrite)
    steps = _write_direct(plan, out) if type_.is_direct else _write_quantized(plan, out, type_)
    yield from steps


def _with_type(plan: FilePlan, type_: OutputType) -> FilePlan:
    stated = (u32(names.FILE_TYPE, type_.file_type), u32(names.QUANTIZATION_VERSION, _QUANTIZATION_FORMAT))
    return replace(plan, entries=(*plan.entries, *stated))


def _needed_bytes(plan: FilePlan, type_: OutputType) -> int:
    if type_.is_direct:
        return plan.size_bytes
    return plan.size_bytes + int(plan.weight_count * type_.bits_per_weight / 8)


def _write_direct(plan: FilePlan, out: Path) -> Iterator[ConversionProgress]:
    from converters.writer import write_gguf

    with unfinished_file(out) as part:
        yield from write_gguf(plan, part)
        finish(part, out)


def _write_quantized(plan: FilePlan, out: Path, type_: OutputType) -> Iterator[ConversionProgress]:
    from converters.quantize import quantize
    from converters.writer import write_gguf

    with unfinished_file(out) as part:
        with unfinished_file(out) as unquantized:
            yield from write_gguf(plan, unquantized)
            yield from quantize(unquantized, part, type_)
        finish(part, out)
