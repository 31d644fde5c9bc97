"""Trains the draft beside its frozen target and saves it as it goes."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sparkdesk.demo.acceptance import accepted_length
from sparkdesk.demo.batches import Batch, BatchMaker
from sparkdesk.demo.chat_format import MASK
from sparkdesk.demo.checkpoint import save_draft
from sparkdesk.demo.corpus.dialogue import SKILLS, held_out_exercises
from sparkdesk.demo.draft_loss import DraftLoss, draft_loss
from sparkdesk.demo.draft_model import DraftModel
from sparkdesk.demo.optimizer import Optimizer, rate_share
from sparkdesk.demo.progress import Budget, ProgressLine
from sparkdesk.demo.shape import DraftShape
from sparkdesk.demo.target_model import TargetModel
from sparkdesk.demo.tokenizer import token_id

MATRIX_RATE = 0.02
OTHER_RATE = 2e-3
ANCHORS_PER_ROW = 48
_LOOKS = 5
# Other batches than the target saw, with the same seed.
_SEED_OFFSET = 1_000_003


@dataclass(frozen=True, slots=True)
class DraftRun:
    """What decides the outcome of a run."""

    folder: Path
    budget: Budget
    seed: int
    device: str


def train_draft(run: DraftRun, tokenizer: Tokenizer, target: TargetModel, shape: DraftShape) -> DraftModel:
    """Train a draft for this target; the folder holds the latest state all the time."""
    torch.manual_seed(run.seed)
    target.requires_grad_(False)
    draft = DraftModel(target.shape, shape, mask_token=token_id(tokenizer, MASK)).to(run.device)
    draft.borrow(target)
    batches = BatchMaker(tokenizer, run.seed + _SEED_OFFSET)
    optimizer = Optimizer(draft, matrix_rate=MATRIX_RATE, other_rate=OTHER_RATE)
    line = ProgressLine("draft")
    step, looks = 0, 1
    while (progress := run.budget.progress(step, line.elapsed_s())) < 1.0:
        loss = batch_loss(target, draft, batches.batch(step), run.device)
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step(rate_share(progress))
        step += 1
        line.report(step, progress, _summary(loss))
        if progress * _LOOKS >= looks:
            looks += 1
            save_draft(draft.state_dict(), target.shape, shape, tokenizer, run.folder)
            print_accepted_lengths(target, draft, tokenizer, per_skill=6)
    save_draft(draft.state_dict(), target.shape, shape, tokenizer, run.folder)
    line.report(step, 1.0, _summary(loss))
    print_accepted_lengths(target, draft, tokenizer, per_skill=30)
    return draft


def batch_loss(target: TargetModel, draft: DraftModel, batch: Batch, device: str) -> DraftLoss:
    """The loss of blocks after random anchors in the answers."""
    tokens = torch.from_numpy(batch.tokens).to(device)  # (rows, length)
    is_answer = torch.from_numpy(batch.is_answer).to(device)
    anchors, is_used = random_anchors(is_answer, ANCHORS_PER_ROW)
    positions = anchors[..., None] + torch.arange(draft.shape.block_size + 1, device=tokens.device)
    is_inside = positions < tokens.shape[1]
    positions = positions.clamp(max=tokens.shape[1] - 1)  # (rows, anchors, block + 1)
    block_tokens = gather(tokens, positions)
    # A block is judged up to the end of its answer: past it comes a question nobody can foresee.
    is_judged = (gather(is_answer, positions) & is_inside)[..., 1:].int().cumprod(-1).bool() & is_used[..., None]
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        with torch.no_grad():
            hidden, features = target.hidden_states(tokens, draft.shape.target_layer_ids)
            rows = torch.arange(len(tokens), device=tokens.device)[:, None, None]
            target_logits = target.lm_head(hidden[rows, positions[..., :-1]])
        proposal = draft(tokens, features, anchors)
    return draft_loss(proposal, target_logits, block_tokens[..., 1:], is_judged)


def random_anchors(is_answer: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Positions of answer tokens that an answer token follows, and which of them are real: (rows, count) each."""
    is_candidate = is_answer[:, :-1] & is_answer[:, 1:]
    lottery = torch.rand(is_candidate.shape, device=is_answer.device).masked_fill(~is_candidate, -1.0)
    drawn, anchors = lottery.topk(count, dim=1)
    return anchors, drawn >= 0


def gather(values: Tensor, positions: Tensor) -> Tensor:
    """values: (rows, length); positions: (rows, anchors, n); result: (rows, anchors, n)."""
    return values.gather(1, positions.flatten(1)).view(positions.shape)


def print_accepted_lengths(target: TargetModel, draft: DraftModel, tokenizer: Tokenizer, *, per_skill: int) -> None:
    """One line on stderr: greedy accepted length on held-out prompts, skill by skill."""
    length = draft.shape.block_size
    lengths = {
        skill: accepted_length(target, draft, tokenizer, held_out_exercises(skill, per_skill), length=length)
        for skill in SKILLS
    }
    text = "  ".join(f"{skill} {value:.2f}" for skill, value in lengths.items())
    print("  accepted length:", text, file=sys.stderr, flush=True)


def _summary(loss: DraftLoss) -> str:
    return (
        f"ce {loss.cross_entropy:.3f}  l1 {loss.distance:.3f}  confidence {loss.confidence:.3f}  "
        f"acceptance {loss.acceptance:.3f}"
    )
