"""The parts that target and draft share: RMS norm, rotary positions, gated MLP."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkdesk.demo.shape import TargetShape


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learnt scale, computed in float32."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight).to(x.dtype)


class MLP(nn.Module):
    """Qwen's SwiGLU feed-forward part."""

    def __init__(self, shape: TargetShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # One wide product is faster than two narrow ones.
        both = functional.linear(x, torch.cat((self.gate_proj.weight, self.up_proj.weight)))
        gate, up = both.chunk(2, dim=-1)
        down: Tensor = self.down_proj(functional.silu(gate) * up)
        return down


def rotary_table(length: int, shape: TargetShape) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position: (length, head_dim) each."""
    frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys (batch, heads, length, head_dim) by their positions."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (x * cos + turned * sin).to(x.dtype)
