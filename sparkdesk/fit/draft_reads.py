"""How many bytes of weights a drafter reads to propose one block; pure arithmetic over headers.

A token's pass reads every weight it multiplies with once; rows that are only looked up are next to nothing. Reading is
what a pass costs wherever one row is computed at a time.
"""

from collections.abc import Iterable

from sparkdesk.fit.model_size import MTP
from sparkdesk.gguf.header import GgufFile, TensorPlace
from sparkdesk.gguf.pairing import DraftKind

_EMBEDDINGS, _HEAD = "token_embd.weight", "output.weight"
_LOOKED_UP = (_EMBEDDINGS, _HEAD, "markov_w1.weight", "d2t")
_ONCE = ("fc.weight", "enc.output_norm.weight")
_CHAINED = "markov_w2.weight"


def bytes_per_block(target: GgufFile, draft: GgufFile | None, kind: str, block_size: int) -> int:
    """Of a proposal of `block_size` tokens; `kind` is a DraftKind's value or "mtp", for which there is no `draft`."""
    if kind == MTP or draft is None:
        return block_size * (_mtp_layers(target) + _head_bytes(target))
    body = _bytes(
        draft, (place for name, place in draft.tensors.items() if name not in (*_LOOKED_UP, *_ONCE, _CHAINED))
    )
    own = draft.tensors.get(_HEAD)
    is_borrowed = own is None and (kind == DraftKind.EAGLE3.value or _EMBEDDINGS not in draft.tensors)
    head = _head_bytes(target if is_borrowed else draft)
    once = _bytes(draft, (draft.tensors[name] for name in _ONCE if name in draft.tensors))
    if kind in (DraftKind.DSPARK.value, DraftKind.DFLASH.value):
        chained = _bytes(draft, (draft.tensors[name] for name in (_CHAINED,) if name in draft.tensors))
        return once + body + head + block_size * chained
    return once + block_size * (body + head)


def _mtp_layers(target: GgufFile) -> int:
    count = target.whole_number(f"{target.architecture}.block_count")
    first = count - target.whole_number(f"{target.architecture}.nextn_predict_layers")
    prefixes = tuple(f"blk.{layer}." for layer in range(first, count))
    return _bytes(target, (place for name, place in target.tensors.items() if name.startswith(prefixes)))


def _head_bytes(file: GgufFile) -> int:
    """Its output head, or the table of the input that serves as one."""
    return next((file.tensors[name].size_bytes for name in (_HEAD, _EMBEDDINGS) if name in file.tensors), 0)


def _bytes(file: GgufFile, places: Iterable[TensorPlace]) -> int:
    """Of a mixture of experts, those a token goes through."""
    experts = file.whole_number(f"{file.architecture}.expert_count")
    used = file.whole_number(f"{file.architecture}.expert_used_count")
    share = used / experts if experts and used else 1.0
    return round(sum(place.size_bytes * (share if "_exps" in place.name else 1.0) for place in places))
