"""One measured reply in the engine's own process, and the words all benchmarks share."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from sparkdesk.engine.settings import (
    ALL_LAYERS,
    GenerationSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, RoundDone

GREEDY = SamplingSettings(temperature=0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    tokens: tuple[int, ...]
    stats: ReplyStats


def add_pair_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--target", required=True, metavar="GGUF")
    parser.add_argument("--draft", required=True, metavar="GGUF")
    parser.add_argument("--prompt-tokens", type=_prompts, metavar="IDS", help="1,2,3 or several: 1,2,3:4,5,6")
    parser.add_argument("--prompt", action="append", default=[], help="text of a user's turn (ChatML); may be repeated")
    parser.add_argument("--tokens", type=int, default=128, help="length of a reply")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=ALL_LAYERS)
    parser.add_argument("--repeat", type=int, default=5, help="runs of each setting")


def load_pair(engine: EngineClient, options: Namespace) -> None:
    settings = LoadSettings(
        options.target,
        options.draft,
        threads=options.threads,
        gpu_layers=options.gpu_layers,
        saved_states_bytes=0,
    )
    for _ in engine.load(settings):
        pass
    if engine.model is not None and engine.model.draft_problem:
        sys.exit(engine.model.draft_problem)


def prompts_of(engine: EngineClient, options: Namespace) -> list[tuple[int, ...]]:
    rendered = (f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text in options.prompt)
    found = [*(options.prompt_tokens or []), *map(engine.tokenize, rendered)]
    return found or sys.exit("Give a prompt: --prompt-tokens or --prompt.")


def measure(engine: EngineClient, prompt: tuple[int, ...], *, draft_length: int, token_count: int) -> Measured:
    """One greedy reply of exactly `token_count` tokens; draft length 0 is plain decoding."""
    speculation = SpeculationSettings(draft_length > 0, draft_length or None)
    settings = GenerationSettings(max_tokens=token_count, sampling=GREEDY, speculation=speculation)
    tokens: list[int] = []
    for event in engine.generate(prompt, settings, ignore_end=True):
        if isinstance(event, RoundDone):
            tokens += event.round.tokens
        elif isinstance(event, Finished):
            return Measured(tuple(tokens), event.stats)
    raise AssertionError("a reply ends with Finished")


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    found = list(values)
    return median(found), min(found), max(found)


def _prompts(given: str) -> list[tuple[int, ...]]:
    try:
        return [tuple(int(token) for token in prompt.split(",")) for prompt in given.split(":")]
    except ValueError:
        raise ArgumentTypeError(f"{given!r} is not a list such as 1,2,3:4,5,6") from None
