"""Checkpoint to GGUF: finds the module for an architecture, and takes its plan to a finished file."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from converters import names
from converters.checkpoint import Checkpoint, open_checkpoint
from converters.errors import UnsupportedModel
from converters.names import text, u32
from converters.output_file import check_output, finish, unfinished_file
from converters.output_types import OutputType, output_type_named
from converters.plan import FilePlan, PlannedTensor, lossless_encoding
from converters.progress import ConversionProgress

_COARSE = ("Q5_0", "Q4_0")
_FINE = "Q8_0"
# The output head weighs most in what a model says; a draft's Markov tensors are small and decide every token.
_DELICATE = (names.OUTPUT_HEAD, names.MARKOV_W1, names.MARKOV_W2)


def with_fine_tensors(plan: FilePlan) -> FilePlan:
    planned = {tensor.name for tensor in plan.tensors}
    is_tied = names.OUTPUT_HEAD not in planned  # the embeddings are the head then
    delicate = (*_DELICATE, names.TOKEN_EMBEDDINGS) if is_tied else _DELICATE
    return replace(plan, tensors=tuple(_refined(tensor, delicate) for tensor in plan.tensors))


def _refined(tensor: PlannedTensor, delicate: tuple[str, ...]) -> PlannedTensor:
    is_too_coarse = tensor.encoding in _COARSE and tensor.name in delicate
    return replace(tensor, encoding=_FINE) if is_too_coarse else tensor


# Architecture in config.json -> the module that knows it, imported on demand
_TARGETS = {
    "Qwen3ForCausalLM": "converters.qwen3",
    "Gemma4ForCausalLM": "converters.gemma4",
    "Gemma4ForConditionalGeneration": "converters.gemma4",
    "Gemma4UnifiedForCausalLM": "converters.gemma4",
    "Gemma4UnifiedForConditionalGeneration": "converters.gemma4",
}
_DRAFTS = {
    "Qwen3DSparkModel": "converters.dspark",  # DeepSpec, its DFlash too
    "Gemma4DSparkModel": "converters.gemma4_dspark",
    "DSparkDraftModel": "converters.dspark",  # vLLM speculators, as saved and as configured
    "DSparkSpeculator": "converters.dspark",
    "DFlashDraftModel": "converters.dspark",  # z-lab and vLLM speculators
    "DFlashSpeculator": "converters.dspark",
    "LlamaForCausalLMEagle3": "converters.eagle3",  # SafeAILab and AngelSlim
    "Eagle3LlamaForCausalLM": "converters.eagle3",
    "Eagle3Speculator": "converters.eagle3",  # vLLM speculators, as configured and as saved
    "Eagle3DraftModel": "converters.eagle3",
    "Qwen3Eagle3Model": "converters.eagle3",  # DeepSpec
    "Gemma4Eagle3Model": "converters.eagle3",  # to be refused by name
}

_CONVERTED_BY = "SparkDesk"
_QUANTIZATION_FORMAT = 2  # of ggml's block types, since 2023


class _PlanMaker(Protocol):
    def __call__(self, *, encoding: str) -> FilePlan: ...


def convert_target(
    source: Path, out: Path, *, output_type: str, overwrite: bool = False, converted_by: str = _CONVERTED_BY
) -> Generator[ConversionProgress, None, None]:
    """Convert the target checkpoint in folder `source` to `out`; closing the iterator cancels.

    `converted_by` is who the file says made it: a program and its version.
    """
    type_ = output_type_named(output_type)
    checkpoint = open_checkpoint(source)
    module = import_module(_module_for(checkpoint, _TARGETS, _DRAFTS))
    weights = checkpoint.tensors.values()
    make_plan = partial(_signed, partial(module.plan_target, checkpoint), converted_by)
    yield from _produce(make_plan, out, type_=type_, lossless=lossless_encoding(weights), overwrite=overwrite)


def convert_draft(
    source: Path,
    out: Path,
    *,
    target: Path,
    output_type: str,
    overwrite: bool = False,
    converted_by: str = _CONVERTED_BY,
) -> Generator[ConversionProgress, None, None]:
    """Convert the draft checkpoint in folder `source` to `out`.

    `target` is the checkpoint folder or GGUF file of the target it belongs to: the tokenizer comes from there.
    """
    from converters.target import open_target

    type_ = output_type_named(output_type)
    checkpoint = open_checkpoint(source)
    module = import_module(_module_for(checkpoint, _DRAFTS, _TARGETS))
    weights = checkpoint.tensors.values()
    make_plan = partial(_signed, partial(module.plan_draft, checkpoint, open_target(target)), converted_by)
    yield from _produce(make_plan, out, type_=type_, lossless=lossless_encoding(weights), overwrite=overwrite)


def _signed(make_plan: _PlanMaker, converted_by: str, *, encoding: str) -> FilePlan:
    plan = make_plan(encoding=encoding)
    return replace(plan, entries=(*plan.entries, text(names.CONVERTED_BY, converted_by)))


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
    make_plan: _PlanMaker, out: Path, *, type_: OutputType, lossless: str, overwrite: bool
) -> Iterator[ConversionProgress]:
    plan = _with_type(make_plan(encoding=type_.name if type_.is_direct else lossless), type_)
    check_output(out, _needed_bytes(plan, type_), overwrite=overwrite)
    steps = _write_direct(plan, out) if type_.is_direct else _write_quantized(plan, out, type_)
    with closing(steps):
        for number, step in enumerate(steps):
            yield step if number else replace(step, notice=plan.notice)


def _with_type(plan: FilePlan, type_: OutputType) -> FilePlan:
    stated = (u32(names.FILE_TYPE, type_.file_type), u32(names.QUANTIZATION_VERSION, _QUANTIZATION_FORMAT))
    return replace(with_fine_tensors(plan), entries=(*plan.entries, *stated))


def _needed_bytes(plan: FilePlan, type_: OutputType) -> int:
    if type_.is_direct:
        return plan.size_bytes
    return plan.size_bytes + int(plan.weight_count * type_.bits_per_weight / 8)


def _write_direct(plan: FilePlan, out: Path) -> Generator[ConversionProgress, None, None]:
    from converters.writer import write_gguf

    with unfinished_file(out) as part:
        yield from write_gguf(plan, part)
        finish(part, out)


def _write_quantized(plan: FilePlan, out: Path, type_: OutputType) -> Generator[ConversionProgress, None, None]:
    from converters.quantize import quantize
    from converters.writer import write_gguf

    with unfinished_file(out) as part:
        with unfinished_file(out) as unquantized:
            yield from write_gguf(plan, unquantized)
            yield from quantize(unquantized, part, type_)
        finish(part, out)
