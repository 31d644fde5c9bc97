"""Trains Spark Tiny from a seed: `python -m sparkdesk.demo.train --out DIR`."""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from sparkdesk.demo.checkpoint import read_target_shape, read_weights
from sparkdesk.demo.progress import Budget
from sparkdesk.demo.shape import DraftShape, TargetShape
from sparkdesk.demo.target_model import TargetModel
from sparkdesk.demo.tokenizer import load_tokenizer, train_tokenizer
from sparkdesk.demo.train_draft import DraftRun, train_draft
from sparkdesk.demo.train_target import TargetRun, train_target

# About an hour and a quarter of an hour on two cores.
TARGET_STEPS = 2600
DRAFT_STEPS = 900
COPYING_SHARE = 0.2
_DRAFT_SHARE_OF_TIME = 0.3


def main() -> None:
    """Train the target, then its draft, or the draft alone beside a target that is there."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    target_folder, draft_folder = options.out / "target", options.out / "draft"
    target_budget, draft_budget = _budgets(options)
    if options.target is None:
        torch.manual_seed(options.seed)
        if options.start is None:
            tokenizer, target = train_tokenizer(options.seed), TargetModel(TargetShape()).to(options.device)
            copying_share = COPYING_SHARE
        else:
            target, tokenizer = load_target(options.start, options.device)
            copying_share = 0.0
        run = TargetRun(
            folder=target_folder,
            budget=target_budget,
            seed=options.seed,
            device=options.device,
            is_compiled=not options.eager,
            rate=options.rate,
            copying_share=copying_share,
        )
        train_target(run, tokenizer, target)
    else:
        target_folder = options.target
    # The draft learns from the target as saved: rounded to BF16, as it will run.
    target, tokenizer = load_target(target_folder, options.device)
    train_draft(DraftRun(draft_folder, draft_budget, options.seed, options.device), tokenizer, target, DraftShape())


def load_target(folder: Path, device: str) -> tuple[TargetModel, Tokenizer]:
    """A trained target and its tokenizer."""
    target = TargetModel(read_target_shape(folder))
    target.load_state_dict(read_weights(folder))
    return target.to(device), load_tokenizer(folder)


def _budgets(options: argparse.Namespace) -> tuple[Budget, Budget]:
    if options.minutes is None:
        return Budget(steps=options.steps), Budget(steps=options.draft_steps)
    seconds = options.minutes * 60
    draft_seconds = seconds if options.target else seconds * _DRAFT_SHARE_OF_TIME
    return Budget(seconds=seconds - draft_seconds or 1.0), Budget(seconds=draft_seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sparkdesk.demo.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="writes DIR/target and DIR/draft")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=TARGET_STEPS, help="steps of the target (%(default)s)")
    parser.add_argument("--draft-steps", type=int, default=DRAFT_STEPS, help="steps of the draft (%(default)s)")
    parser.add_argument("--minutes", type=float, help="train by the clock instead: this long for both together")
    parser.add_argument("--start", type=Path, metavar="DIR", help="go on from this target instead of from nothing")
    parser.add_argument("--rate", type=float, default=1.0, help="share of the full learning rate of the target (1)")
    parser.add_argument("--target", type=Path, metavar="DIR", help="keep this target and train only a draft")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (%(default)s)")
    parser.add_argument("--eager", action="store_true", help="do without torch.compile (no compiler needed, slower)")
    return parser


if __name__ == "__main__":
    main()
