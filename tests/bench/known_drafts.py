"""Small-model and EAGLE-3 drafts for a synthetic target, that are right after a chosen share of its tokens."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGUFReader
from numpy.typing import NDArray

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.bench.synthetic.shape import SyntheticShape
from sparkdesk.bench.synthetic.weights import Chain, make_chain
from tests.engine.tiny_drafts import permuted
from tests.engine.tiny_gguf import F32, Random, finish, matrix, write_vocabulary

SMALL_HIDDEN = 64
_QUIET = 1e-4


@dataclass(frozen=True, slots=True)
class KnownDraft:
    path: Path
    is_right: NDArray[np.bool_]
    """(vocabulary,) by the token before the drafted one."""

    def accepted_length(self, chain: Chain, anchor: int, rounds: int, block: int) -> float:
        """Of exactly these rounds, greedily."""
        place = int(np.flatnonzero(chain.cycle == anchor)[0])
        begin = place
        for _ in range(rounds):
            accepted = 0
            while accepted < block and self.is_right[chain.cycle[(place + accepted) % len(chain.cycle)]]:
                accepted += 1
            place += accepted + 1
        return (place - begin) / rounds


def chain_of(shape: SyntheticShape) -> Chain:
    return make_chain(shape, np.random.default_rng(shape.seed))


def dspark_draft(pair: SyntheticPair, shape: SyntheticShape) -> KnownDraft:
    """The pair's own."""
    return KnownDraft(pair.draft, chain_of(shape).is_drafted_right)


def write_small_draft(path: Path, shape: SyntheticShape, share: float, *, seed: int = 3) -> KnownDraft:
    chain, random = chain_of(shape), np.random.default_rng(seed)
    is_right = random.random(shape.vocabulary) < share
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("known small model")
    _add_shape(writer, hidden=SMALL_HIDDEN, feed_forward=64, heads=2, head_dim=32)
    writer.add_rope_dimension_count(32)
    write_vocabulary(writer, shape.vocabulary, pre="qwen2")
    embeddings = matrix(random, shape.vocabulary, SMALL_HIDDEN, std=1.0)
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output.weight", _head(chain, embeddings, is_right, random))
    writer.add_tensor("output_norm.weight", np.ones(SMALL_HIDDEN, F32))
    for name, rows, columns in (
        ("attn_q", 64, SMALL_HIDDEN),
        ("attn_k", 64, SMALL_HIDDEN),
        ("attn_v", 64, SMALL_HIDDEN),
        ("attn_output", SMALL_HIDDEN, 64),
        ("ffn_gate", 64, SMALL_HIDDEN),
        ("ffn_up", 64, SMALL_HIDDEN),
        ("ffn_down", SMALL_HIDDEN, 64),
    ):
        std = _QUIET if name in ("attn_output", "ffn_down") else None
        writer.add_tensor(f"blk.0.{name}.weight", matrix(random, rows, columns, std=std))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(SMALL_HIDDEN, F32))
    return KnownDraft(finish(writer, path), is_right)


def write_eagle3_draft(path: Path, target: Path, shape: SyntheticShape, share: float, *, seed: int = 4) -> KnownDraft:
    """Its attention looks at its own position and copies the embedding; what it hears of the target is muted."""
    chain, random = chain_of(shape), np.random.default_rng(seed)
    is_right = random.random(shape.vocabulary) < share
    hidden, width = shape.hidden, shape.heads * shape.head_dim
    assert width >= hidden
    embeddings = next(t for t in GGUFReader(target).tensors if t.name == "token_embd.weight").data.astype(F32)
    look, copy = np.zeros((width, 2 * hidden), F32), np.zeros((hidden, width), F32)
    look[np.arange(hidden), np.arange(hidden)] = 1
    copy[np.arange(hidden), np.arange(hidden)] = 4.0
    writer = gguf.GGUFWriter(str(path), "eagle3")
    writer.add_name("known eagle3")
    _add_shape(writer, hidden=hidden, feed_forward=64, heads=shape.heads, head_dim=shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_vocab_size(shape.vocabulary)
    write_vocabulary(writer, shape.vocabulary, pre="qwen2")
    writer.add_array("eagle3.target_layers", [2, shape.layers // 2, shape.layers - 3])
    writer.add_uint32("eagle3.target_hidden_size", hidden)
    writer.add_bool("eagle3.norm_before_residual", True)
    writer.add_bool("eagle3.norm_before_fc", False)
    for name, values in {
        "fc.weight": matrix(random, hidden, 3 * hidden),
        "blk.0.attn_norm.weight": np.ones(hidden, F32),
        "blk.0.attn_norm_2.weight": np.full(hidden, 0.3, F32),
        "blk.0.attn_q.weight": permuted(2 * look, shape.heads),
        "blk.0.attn_k.weight": permuted(2 * look, shape.heads),
        "blk.0.attn_v.weight": look,
        "blk.0.attn_output.weight": copy,
        "blk.0.ffn_norm.weight": np.ones(hidden, F32),
        "blk.0.ffn_gate.weight": matrix(random, 64, hidden),
        "blk.0.ffn_up.weight": matrix(random, 64, hidden),
        "blk.0.ffn_down.weight": matrix(random, hidden, 64, std=_QUIET),
        "output_norm.weight": np.ones(hidden, F32),
        "output.weight": _head(chain, embeddings, is_right, random),
    }.items():
        writer.add_tensor(name, values)
    return KnownDraft(finish(writer, path), is_right)


def _head(
    chain: Chain, embeddings: NDArray[np.float32], is_right: NDArray[np.bool_], random: Random
) -> NDArray[np.float32]:
    """The row of a token answers to the embedding of the one before it, unless the draft shall be wrong there."""
    head = matrix(random, *embeddings.shape, std=0.02)
    before = chain.predecessor[chain.cycle]
    head[chain.cycle] = embeddings[before] * 0.5
    head[chain.cycle[~is_right[before]]] = 0
    head[:260] = 0
    return head


def _add_shape(writer: gguf.GGUFWriter, *, hidden: int, feed_forward: int, heads: int, head_dim: int) -> None:
    writer.add_block_count(1)
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
