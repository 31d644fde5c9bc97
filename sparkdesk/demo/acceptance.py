"""Greedy accepted length of a draft on held-out prompts, judged in torch."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from sparkdesk.demo.corpus.exercise import Exercise
from sparkdesk.demo.draft_model import DraftModel
from sparkdesk.demo.exactness import encode
from sparkdesk.demo.target_model import TargetModel


@torch.no_grad()
def accepted_length(
    target: TargetModel, draft: DraftModel, tokenizer: Tokenizer, exercises: Sequence[Exercise], *, length: int
) -> float:
    """Tokens gained per round, the bonus token included, when rounds always draft `length` tokens.

    The right answer stands for the target's own: they are the same wherever the target is exact.
    """
    gained, rounds = 0, 0
    for exercise in exercises:
        question, answer = encode(tokenizer, exercise)
        accepted = accepted_after_each_anchor(target, draft, question, answer)
        position = 0  # index in the answer of the anchor: the first answer token comes from the prefill
        while position < len(answer) - 1:
            step = min(accepted[position], length) + 1
            gained += min(step, len(answer) - 1 - position)
            rounds += 1
            position += step
    return gained / max(rounds, 1)


def accepted_after_each_anchor(
    target: TargetModel, draft: DraftModel, question: list[int], answer: list[int]
) -> list[int]:
    """For each answer token but the last: how many drafted tokens after it agree with the answer."""
    device = target.lm_head.weight.device
    tokens = torch.tensor([question + answer], device=device)
    anchors = torch.arange(len(question), len(question) + len(answer) - 1, device=device)[None]
    with torch.autocast(device.type, torch.bfloat16):
        _, features = target.hidden_states(tokens, draft.shape.target_layer_ids)
        hidden = draft.block_hidden(tokens, features, anchors)[0]  # (anchors, block, hidden)
        previous = tokens[0, anchors[0]]
        alive = torch.ones_like(previous, dtype=torch.bool)
        accepted = torch.zeros_like(previous)
        for offset in range(draft.shape.block_size):
            latent = draft.markov_head.markov_w1(previous)
            previous = (draft.lm_head(hidden[:, offset]) + draft.markov_head.markov_w2(latent)).argmax(-1)
            positions = anchors[0] + offset + 1
            truth = tokens[0, positions.clamp(max=tokens.shape[1] - 1)]
            alive = alive & (positions < tokens.shape[1]) & (previous == truth)
            accepted += alive
    return [int(count) for count in accepted]
