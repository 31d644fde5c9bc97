"""Trains the target on answers only and saves it as it goes."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from sparkdesk.demo.acceptance import exact_answers
from sparkdesk.demo.batches import Batch, BatchMaker
from sparkdesk.demo.chat_format import TURN_END
from sparkdesk.demo.checkpoint import save_target
from sparkdesk.demo.corpus.dialogue import FIRST_WEIGHTS, SKILLS, WEIGHTS, held_out_exercises
from sparkdesk.demo.optimizer import Optimizer, rate_share
from sparkdesk.demo.progress import Budget, ProgressLine
from sparkdesk.demo.target_model import TargetModel
from sparkdesk.demo.tokenizer import token_id

MATRIX_RATE = 0.02
OTHER_RATE = 3e-3
END_WEIGHT = 4.0
_LOOKS = 8
"""How often a run is judged and saved on its way."""


@dataclass(frozen=True, slots=True)
class TargetRun:
    """What decides the outcome of a run."""

    folder: Path
    budget: Budget
    seed: int
    device: str
    is_compiled: bool
    rate: float
    """Share of the full learning rates to begin with."""
    copying_share: float
    """Share of the run, at its beginning, that is mostly copying; nothing when going on from a trained target."""


def train_target(run: TargetRun, tokenizer: Tokenizer, model: TargetModel) -> TargetModel:
    """Train the model; the folder holds the latest state all the time."""
    shape = model.shape
    if run.is_compiled:
        for layer in model.model.layers:
            layer.compile()
    batches = BatchMaker(tokenizer, run.seed)
    optimizer = Optimizer(model, matrix_rate=MATRIX_RATE, other_rate=OTHER_RATE)
    token_weights = weights_with_end(tokenizer, run.device)
    line = ProgressLine("target")
    step, looks, mean_loss = 0, 1, 0.0
    while (progress := run.budget.progress(step, line.elapsed_s())) < 1.0:
        weights = FIRST_WEIGHTS if progress < run.copying_share else WEIGHTS
        loss = answer_loss(model, batches.batch(step, weights), token_weights, run.device)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(run.rate * rate_share(progress))
        mean_loss = loss.item() if step == 0 else 0.98 * mean_loss + 0.02 * loss.item()
        step += 1
        line.report(step, progress, f"loss {mean_loss:.4f}")
        if progress * _LOOKS >= looks:
            looks += 1
            save_target(model.state_dict(), shape, tokenizer, run.folder)
            print_skills(model, tokenizer, per_skill=32)
    save_target(model.state_dict(), shape, tokenizer, run.folder)
    line.report(step, 1.0, f"loss {mean_loss:.4f}")
    print_skills(model, tokenizer, per_skill=100)
    return model


def answer_loss(model: TargetModel, batch: Batch, token_weights: Tensor, device: str) -> Tensor:
    """Mean cross entropy of the tokens the assistant wrote, weighted by token."""
    tokens = torch.from_numpy(batch.tokens).to(device)  # (rows, length)
    is_answer = torch.from_numpy(batch.is_answer).to(device)[:, 1:]
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        hidden, _ = model.hidden_states(tokens)
        # Half the tokens are questions: their logits are never needed.
        logits = model.lm_head(hidden[:, :-1][is_answer])
    return functional.cross_entropy(logits.float(), tokens[:, 1:][is_answer], weight=token_weights)


def weights_with_end(tokenizer: Tokenizer, device: str) -> Tensor:
    """One for every token, more for the end: when to stop is one decision in a long answer, and easily drowned."""
    weights = torch.ones(tokenizer.get_vocab_size())
    weights[token_id(tokenizer, TURN_END)] = END_WEIGHT
    return weights.to(device)


def print_skills(model: TargetModel, tokenizer: Tokenizer, *, per_skill: int) -> None:
    """One line on stderr: exact answers on held-out prompts, skill by skill."""
    shares = []
    for skill in SKILLS:
        exercises = held_out_exercises(skill, per_skill)
        if exercises and exercises[0].is_checkable:
            right = exact_answers(model, tokenizer, exercises)
            shares.append(f"{skill} {sum(right)}/{len(right)}")
    print("  exact:", "  ".join(shares), file=sys.stderr, flush=True)
