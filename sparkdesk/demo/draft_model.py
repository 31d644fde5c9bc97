"""The draft: a DSpark block drafter in plain torch, its parameters named as DeepSpec names them.

Shapes below: rows of a batch, anchors per row, block positions, length of a row, hidden width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkdesk.demo.layers import MLP, RMSNorm, rotary_table, rotate
from sparkdesk.demo.shape import DraftShape, TargetShape
from sparkdesk.demo.target_model import TargetModel


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the draft says about every position of every block."""

    logits: Tensor
    """(rows, anchors, block, vocab), Markov bias included."""
    confidence_logits: Tensor
    """(rows, anchors, block)"""


class DraftAttention(nn.Module):
    """Queries from the block; keys and values from the target's features and from the block itself."""

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.shape = shape
        query_width = shape.head_count * shape.head_dim
        kv_width = shape.kv_head_count * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, query_width, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, kv_width, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, kv_width, bias=False)
        self.o_proj = nn.Linear(query_width, shape.hidden_size, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.rms_norm_eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.rms_norm_eps)

    def forward(self, block: Tensor, context: Tensor, turns: tuple[Tensor, Tensor], visible: Tensor) -> Tensor:
        """block: (rows, anchors * block, hidden); context: (rows, length, hidden); visible: keys a query sees."""
        rows, count, _ = block.shape
        cos, sin = turns  # (rows, 1, length + anchors * block, head_dim)
        keys_from = torch.cat((context, block), dim=1)
        q = self._heads(self.q_proj(block))
        k = self._heads(self.k_proj(keys_from))
        v = self._heads(self.v_proj(keys_from))
        q = rotate(self.q_norm(q), cos[..., -count:, :], sin[..., -count:, :])
        k = rotate(self.k_norm(k), cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(rows, count, -1))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], -1, self.shape.head_dim).transpose(1, 2)


class DraftLayer(nn.Module):
    """One layer of the draft."""

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.self_attn = DraftAttention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def forward(self, block: Tensor, context: Tensor, turns: tuple[Tensor, Tensor], visible: Tensor) -> Tensor:
        block = block + self.self_attn(self.input_layernorm(block), context, turns, visible)
        out: Tensor = block + self.mlp(self.post_attention_layernorm(block))
        return out


class MarkovHead(nn.Module):
    """A low-rank table of what follows what: bias = W2 . W1[previous token]."""

    def __init__(self, vocab_size: int, rank: int) -> None:
        super().__init__()
        self.markov_w1 = nn.Embedding(vocab_size, rank)
        self.markov_w2 = nn.Linear(rank, vocab_size, bias=False)


class ConfidenceHead(nn.Module):
    """Predicts the chance that a position will be accepted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 1)


class DraftModel(nn.Module):
    """The draft of one target; embeddings and output head are frozen copies of the target's."""

    cos: Tensor
    sin: Tensor

    def __init__(self, target_shape: TargetShape, shape: DraftShape, *, mask_token: int) -> None:
        super().__init__()
        self.shape = shape
        self.mask_token = mask_token
        width = target_shape.hidden_size
        self.embed_tokens = nn.Embedding(target_shape.vocab_size, width)
        self.layers = nn.ModuleList(DraftLayer(target_shape) for _ in range(shape.layer_count))
        self.norm = RMSNorm(width, target_shape.rms_norm_eps)
        self.fc = nn.Linear(len(shape.target_layer_ids) * width, width, bias=False)
        self.hidden_norm = RMSNorm(width, target_shape.rms_norm_eps)
        self.lm_head = nn.Linear(width, target_shape.vocab_size, bias=False)
        self.markov_head = MarkovHead(target_shape.vocab_size, shape.markov_rank)
        self.confidence_head = ConfidenceHead(width + shape.markov_rank)
        cos, sin = rotary_table(target_shape.context_length, target_shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise()

    def borrow(self, target: TargetModel) -> None:
        """Copy the target's embeddings, head and last norm; embeddings and head stay frozen."""
        with torch.no_grad():
            self.embed_tokens.weight.copy_(target.model.embed_tokens.weight)
            self.lm_head.weight.copy_(target.lm_head.weight)
            self.norm.weight.copy_(target.model.norm.weight)
        self.embed_tokens.requires_grad_(False)
        self.lm_head.requires_grad_(False)

    def forward(self, tokens: Tensor, features: Tensor, anchors: Tensor) -> Proposal:
        """Draft a block after every anchor, told the true token before each position (as in training).

        tokens: (rows, length); features: (rows, length, layers * hidden); anchors: (rows, anchors), positions.
        """
        rows, anchor_count = anchors.shape
        hidden = self.block_hidden(tokens, features, anchors)  # (rows, anchors, block, hidden)
        offsets = torch.arange(self.shape.block_size, device=tokens.device)
        positions = (anchors[..., None] + offsets).clamp(max=tokens.shape[1] - 1)
        previous = tokens.gather(1, positions.view(rows, -1)).view(rows, anchor_count, -1)
        latent = self.markov_head.markov_w1(previous)
        logits = self.lm_head(hidden) + self.markov_head.markov_w2(latent)
        return Proposal(logits, self.confidence(hidden, latent))

    def confidence(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """Confidence logits from the block's hidden states and the Markov rows of the tokens before."""
        logits: Tensor = self.confidence_head.proj(torch.cat((hidden, latent.to(hidden.dtype)), dim=-1)).squeeze(-1)
        return logits

    def block_hidden(self, tokens: Tensor, features: Tensor, anchors: Tensor) -> Tensor:
        """Normed hidden states of all blocks: (rows, anchors, block, hidden)."""
        rows, length = tokens.shape
        block_size = self.shape.block_size
        noise = torch.full((*anchors.shape, block_size), self.mask_token, device=tokens.device)
        noise[..., 0] = tokens.gather(1, anchors)
        block = self.embed_tokens(noise.view(rows, -1))
        context = self.hidden_norm(self.fc(features))
        offsets = torch.arange(block_size, device=tokens.device)
        block_positions = (anchors[..., None] + offsets).view(rows, -1)
        positions = torch.cat((torch.arange(length, device=tokens.device).expand(rows, -1), block_positions), dim=1)
        turns = (self.cos[positions][:, None], self.sin[positions][:, None])
        visible = block_visibility(anchors, length, block_size)
        for layer in self.layers:
            block = layer(block, context, turns, visible)
        hidden: Tensor = self.norm(block)
        return hidden.view(rows, anchors.shape[1], block_size, -1)

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            if name.endswith(("o_proj.weight", "down_proj.weight", "markov_w2.weight", "confidence_head.proj.weight")):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        nn.init.zeros_(self.confidence_head.proj.bias)


def block_visibility(anchors: Tensor, length: int, block_size: int) -> Tensor:
    """What a block sees: the context before its anchor, and itself.

    (rows, 1, anchors * block, length + anchors * block)
    """
    anchor_of_query = anchors.repeat_interleave(block_size, dim=1)  # (rows, queries)
    before_anchor = torch.arange(length, device=anchors.device) < anchor_of_query[..., None]
    block_of_query = torch.arange(anchor_of_query.shape[1], device=anchors.device) // block_size
    same_block = (block_of_query[:, None] == block_of_query).expand(anchors.shape[0], -1, -1)
    return torch.cat((before_anchor, same_block), dim=-1)[:, None]
