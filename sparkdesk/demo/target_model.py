"""The target: Qwen3 in plain torch, its parameters named as in Hugging Face checkpoints."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkdesk.demo.layers import MLP, RMSNorm, rotary_table, rotate
from sparkdesk.demo.shape import TargetShape


class Attention(nn.Module):
    """Causal attention with normed queries and keys."""

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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        weight = torch.cat((self.q_proj.weight, self.k_proj.weight, self.v_proj.weight))
        heads = functional.linear(x, weight).view(batch, length, -1, self.shape.head_dim).transpose(1, 2)
        kv_start, v_start = self.shape.head_count, self.shape.head_count + self.shape.kv_head_count
        q, k, v = heads.tensor_split((kv_start, v_start), dim=1)
        q = rotate(self.q_norm(q), cos, sin)
        k = rotate(self.k_norm(k), cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))
        return out


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Backbone(nn.Module):
    """Embeddings, layers and the last norm: what Hugging Face calls `model`."""

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layer_count))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)


class TargetModel(nn.Module):
    """Qwen3 for causal language modelling, without a cache: made for training and for checking."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        cos, sin = rotary_table(shape.context_length, shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise()

    def hidden_states(self, tokens: Tensor, keep_layers: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """The normed last hidden states, and the outputs of the kept layers side by side.

        tokens: (batch, length); results: (batch, length, hidden) and (batch, length, kept * hidden).
        """
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.model.embed_tokens(tokens)
        kept = []
        for index, layer in enumerate(self.model.layers):
            x = layer(x, cos, sin)
            if index in keep_layers:
                kept.append(x)
        features = torch.cat(kept, dim=-1) if kept else x[..., :0]
        return self.model.norm(x), features

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of every position: (batch, length, vocab)."""
        logits: Tensor = self.lm_head(self.hidden_states(tokens)[0])
        return logits

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                # Every layer starts as the identity: deep and narrow nets train faster so.
                nn.init.zeros_(parameter)
            elif "embed_tokens" in name:
                nn.init.normal_(parameter, std=0.5)
            elif "lm_head" in name:
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
