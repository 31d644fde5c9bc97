"""What a grammar costs: our own milliseconds a token with and without one, by sampler and draft length.

python -m sparkdesk.bench.lab.grammar_cost --target T.gguf --draft D.gguf --prompt-tokens 300,301,302

A synthetic pair is the worst case: its target would never say what the grammar asks for, and so is asked far down.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace

from sparkdesk.bench.lab.measure import add_pair_arguments, load_pair, prompts_of
from sparkdesk.engine.settings import GenerationSettings, GrammarSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished

_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string", "maxLength": 200},
    },
    "required": ["name", "age", "tags", "note"],
}
_GRAMMARS = {
    "none": None,
    "any object": GrammarSettings(json_schema="{}"),
    "a schema": GrammarSettings(json_schema=json.dumps(_SCHEMA)),
}
_SAMPLERS = {
    "greedy": SamplingSettings(temperature=0),
    "usual": SamplingSettings(seed=1),
    "open": SamplingSettings(temperature=1, top_k=0, top_p=1, seed=1),
}


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(
        prog="python -m sparkdesk.bench.lab.grammar_cost", description=(__doc__ or "").splitlines()[0]
    )
    add_pair_arguments(parser)
    parser.add_argument("--draft-length", type=int, default=3)
    options = parser.parse_args(arguments)
    with EngineClient() as engine:
        load_pair(engine, options)
        for prompt in prompts_of(engine, options):
            for line in _report(engine, prompt, options):
                print(line, flush=True)


def _report(engine: EngineClient, prompt: tuple[int, ...], options: Namespace) -> Iterator[str]:
    for sampler, sampling in _SAMPLERS.items():
        for name, grammar in _GRAMMARS.items():
            for length in (0, options.draft_length):
                speculation = SpeculationSettings(length > 0, length or None)
                settings = GenerationSettings(options.tokens, sampling=sampling, speculation=speculation)
                runs = [_stats(engine, prompt, replace(settings, grammar=grammar)) for _ in range(options.repeat)]
                each_ms = min(stats.other_ms / max(1, stats.decoded) for stats in runs)
                tokens = runs[-1].generated
                yield f"{sampler:<8}grammar {name:<12}draft {length}: ours {each_ms:.2f} ms a token, {tokens} tokens"


def _stats(engine: EngineClient, prompt: tuple[int, ...], settings: GenerationSettings) -> ReplyStats:
    for event in engine.generate(prompt, settings):
        if isinstance(event, Finished):
            return event.stats
    raise AssertionError("a reply ends with Finished")


if __name__ == "__main__":
    main()
