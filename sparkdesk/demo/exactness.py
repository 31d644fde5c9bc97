"""Exact answers on held-out prompts, judged by the torch model in one pass per batch."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from sparkdesk.demo.chat_format import TURN_END, question_text
from sparkdesk.demo.corpus.exercise import Exercise
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
