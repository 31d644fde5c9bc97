"""The DSpark objective: cross entropy, distance to the target's distribution, and calibrated confidence."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sparkdesk.demo.draft_model import Proposal

CROSS_ENTROPY_WEIGHT = 0.1
DISTANCE_WEIGHT = 0.9
CONFIDENCE_WEIGHT = 1.0
DECAY_POSITIONS = 4.0
"""Later positions of a block count less, by a factor of e every so many positions: they are verified more rarely."""


@dataclass(frozen=True, slots=True)
class DraftLoss:
    """The loss and what it is made of."""

    total: Tensor
    cross_entropy: float
    distance: float
    """Mean L1 distance between the two distributions, 0 to 2."""
    confidence: float
    acceptance: float
    """Mean chance that a position's token is accepted."""


def draft_loss(proposal: Proposal, target_logits: Tensor, labels: Tensor, is_judged: Tensor) -> DraftLoss:
    """Judge blocks; target_logits like the proposal's, labels and is_judged (rows, anchors, block)."""
    block_size = labels.shape[-1]
    decay = torch.exp(-torch.arange(block_size, device=labels.device) / DECAY_POSITIONS)
    weights = (is_judged * decay)[is_judged]  # (judged,)
    share = weights / weights.sum()
    draft_logits = proposal.logits[is_judged].float()  # (judged, vocab)
    cross_entropy = (functional.cross_entropy(draft_logits, labels[is_judged], reduction="none") * share).sum()
    difference = draft_logits.softmax(-1) - target_logits[is_judged].float().softmax(-1)
    distances = difference.abs().sum(-1)
    distance = (distances * share).sum()
    accepted = (1 - 0.5 * distances.detach()).clamp(0, 1)
    confidence = (
        functional.binary_cross_entropy_with_logits(
            proposal.confidence_logits[is_judged].float(), accepted, reduction="none"
        )
        * share
    ).sum()
    total = CROSS_ENTROPY_WEIGHT * cross_entropy + DISTANCE_WEIGHT * distance + CONFIDENCE_WEIGHT * confidence
    return DraftLoss(total, cross_entropy.item(), distance.item(), confidence.item(), accepted.mean().item())
