"""Muon for the hidden matrices, AdamW for everything else, under one learning-rate schedule."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Muon:
    """Momentum made orthogonal by Newton-Schulz steps; matrices of one shape go through them together.

    torch.optim.Muon does the same one matrix at a time, which on small matrices costs several times as much.
    """

    MOMENTUM = 0.95

    def __init__(self, parameters: Iterable[nn.Parameter], *, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        groups: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            groups[parameter.shape].append(parameter)
        self.groups = list(groups.values())
        self.momenta = [torch.stack([torch.zeros_like(p) for p in group]) for group in self.groups]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every matrix by one orthogonal step."""
        for group, momentum in zip(self.groups, self.momenta, strict=True):
            gradients = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in group])
            momentum.lerp_(gradients, 1 - self.MOMENTUM)
            direction = orthogonal(gradients.lerp(momentum, self.MOMENTUM))
            rows, columns = group[0].shape
            scale = learning_rate * max(1.0, rows / columns) ** 0.5
            for parameter, step in zip(group, direction.float(), strict=True):
                parameter.mul_(1 - learning_rate * self.weight_decay).add_(step, alpha=-scale)


class Optimizer:
    """Both optimizers of one model, with gradients clipped to a length of one."""

    def __init__(self, model: nn.Module, *, matrix_rate: float, other_rate: float) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if ".layers." in f".{name}" and p.ndim == 2]
        chosen = {id(p) for p in matrices}
        others = [p for _, p in trained if id(p) not in chosen]
        self.parameters = [p for _, p in trained]
        self.matrix_rate = matrix_rate
        self.other_rate = other_rate
        self.muon = Muon(matrices, weight_decay=0.01)
        self.adam = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, rate_share: float) -> None:
        """Apply the gradients at this share of the full learning rates, then forget them."""
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = self.other_rate * rate_share
        self.adam.step()
        self.muon.step(self.matrix_rate * rate_share)
        for parameter in self.parameters:
            parameter.grad = None


def rate_share(progress: float) -> float:
    """Share of the full learning rate at this progress (0 to 1): warm-up, plateau, a long way to zero."""
    warm_up = min(1.0, progress / 0.01 + 0.02)
    return max(0.0, min(warm_up, (1.0 - progress) / 0.6))


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest matrices with all singular values about one: (count, rows, columns), five steps in bfloat16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if is_tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if is_tall else x
    return result
