"""Which tensors of a file in a coarse type keep a finer one, as llama.cpp's quantizer does for its own types."""

from dataclasses import replace

from converters import names
from converters.plan import FilePlan, PlannedTensor

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
