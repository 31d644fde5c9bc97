"""Greedy accepted length of a draft on held-out prompts, judged in torch."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from sparkdesk.demo.chat_format import TURN_END, question_text
from sparkdesk.demo.corpus.exercise import Exercise
from sparkdesk.demo.draft_model import DraftModel
from sparkdesk.demo.target_model import TargetModel

_BATCH = 16


@torch.no_grad()
def exact_answers(model: TargetModel, tokenizer: Tokenizer, exercises: Sequence[Exercise]) -> list[bool]:
    """For each exercise: would greedy decoding give the right answer and stop?

    Greedy decoding follows the right answer exactly as long as every token of it is the most likely one after the
    tokens before it, so a single pass over the right answer decides and nothing needs to be generated.
    """
    results: list[bool] = []
    device = model.lm_head.weight.device
    for start in range(0, len(exercises), _BATCH):
        pairs = [encode(tokenizer, exercise) for exercise in exercises[start : start + _BATCH]]
        longest = max(len(question) + len(answer) for question, answer in pairs)
        tokens = torch.zeros((len(pairs), longest), dtype=torch.long)
        for row, (question, answer) in enumerate(pairs):
            tokens[row, : len(question) + len(answer)] = torch.tensor(question + answer)
        with torch.autocast(device.type, torch.bfloat16):
            best = model(tokens.to(device)).argmax(-1).cpu()
        for row, (question, answer) in enumerate(pairs):
            first = len(question) - 1
            results.append(best[row, first : first + len(answer)].tolist() == answer)
    return results


def encode(tokenizer: Tokenizer, exercise: Exercise) -> tuple[list[int], list[int]]:
    """Token ids of the chat up to the reply, and of the reply with its end."""
    question = tokenizer.encode(question_text(exercise.prompt), add_special_tokens=False).ids
    answer = tokenizer.encode(exercise.answer + TURN_END, add_special_tokens=False).ids
    return list(question), list(answer)


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
