"""Fills rows of a fixed length with dialogues and marks the tokens that are answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sparkdesk.demo.chat_format import END_OF_TEXT, TURN_END, message_text, reply_opening
from sparkdesk.demo.corpus.dialogue import WEIGHTS, training_exercise, training_system_message
from sparkdesk.demo.tokenizer import token_id

ROW_LENGTH = 448
ROWS_PER_BATCH = 8
_TRIES_TO_FILL = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens; every row is one chat of unrelated questions, as chats with a history are."""

    tokens: NDArray[np.int64]
    """(rows, length)"""
    is_answer: NDArray[np.bool_]
    """(rows, length): the token was written by the assistant, its closing token included."""


class BatchMaker:
    """Draws training batches; the seed and the step alone decide what is in them."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        self.tokenizer = tokenizer
        self.seed = seed
        self.padding = token_id(tokenizer, END_OF_TEXT)

    def batch(self, step: int, weights: Mapping[str, int] = WEIGHTS, rows: int = ROWS_PER_BATCH) -> Batch:
        """The batch of this step."""
        rng = Random(f"batch|{self.seed}|{step}")
        tokens = np.full((rows, ROW_LENGTH), self.padding, np.int64)
        is_answer = np.zeros((rows, ROW_LENGTH), np.bool_)
        for row in range(rows):
            ids, marks = self._row(rng, weights)
            tokens[row, : len(ids)] = ids
            is_answer[row, : len(ids)] = marks
        return Batch(tokens, is_answer)

    def _row(self, rng: Random, weights: Mapping[str, int]) -> tuple[list[int], list[bool]]:
        system = training_system_message(rng)
        ids = self._encode(message_text("system", system)) if system else []
        marks = [False] * len(ids)
        misses = 0
        while misses < _TRIES_TO_FILL:
            exercise = training_exercise(rng, weights)
            question = self._encode(message_text("user", exercise.prompt) + reply_opening())
            answer = self._encode(exercise.answer + TURN_END)
            line_end = self._encode("\n")
            turn = [*question, *answer, *line_end]
            if len(ids) + len(turn) > ROW_LENGTH:
                misses += 1
                continue
            ids += turn
            marks += [False] * len(question) + [True] * len(answer) + [False] * len(line_end)
        return ids, marks

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids
