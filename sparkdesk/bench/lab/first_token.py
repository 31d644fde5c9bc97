"""How much longer the first token takes with a draft beside the target: one engine after the other.

python -m sparkdesk.bench.lab.first_token --target T.gguf --draft D.gguf --length 2000
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np

from sparkdesk.bench.lab.measure import GREEDY, spread
from sparkdesk.engine.settings import ALL_LAYERS, GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished

_REPLY_TOKENS = 2
_WARM_UP_TOKENS = 200


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.first_token", description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True, metavar="GGUF")
    parser.add_argument("--draft", required=True, metavar="GGUF")
    parser.add_argument("--length", type=int, default=2000, help="tokens of the prompt")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=ALL_LAYERS)
    parser.add_argument("--repeat", type=int, default=3)
    for line in _report(parser.parse_args()):
        print(line, flush=True)


def _report(options: Namespace) -> Iterator[str]:
    whole = LoadSettings(
        options.target,
        options.draft,
        context_tokens=options.length + 64,
        threads=options.threads,
        gpu_layers=options.gpu_layers,
    )
    alone_ms: list[float] = []
    paired_ms: list[float] = []
    both = [(replace(whole, draft_path=None), alone_ms), (whole, paired_ms)]
    for turn in range(options.repeat):
        for settings, found_ms in both if turn % 2 else reversed(both):
            found_ms.append(_first_token_ms(settings, options.length, seed=turn))
    middle, least, most = spread(pair / single for pair, single in zip(paired_ms, alone_ms, strict=True))
    yield f"first token after {options.length:,} tokens: target alone {median(alone_ms):.0f} ms"
    yield f"with its draft {median(paired_ms):.0f} ms, {middle:.3f} of that ({least:.3f}..{most:.3f})"


def _first_token_ms(settings: LoadSettings, length: int, *, seed: int) -> float:
    """In an engine of its own: two that are loaded at once would fight for the machine's memory."""
    with EngineClient() as engine:
        for _ in engine.load(settings):
            pass
        _prefill_ms(engine, _prompt(engine, _WARM_UP_TOKENS, seed=seed + 1000))
        return _prefill_ms(engine, _prompt(engine, length, seed=seed))


def _prompt(engine: EngineClient, length: int, *, seed: int) -> tuple[int, ...]:
    """Tokens by chance, so that nothing of it is in the cache."""
    assert engine.model is not None
    size = engine.model.vocabulary_size
    return tuple(int(token) for token in np.random.default_rng(seed).integers(size // 2, size, length))


def _prefill_ms(engine: EngineClient, prompt: tuple[int, ...]) -> float:
    settings = GenerationSettings(max_tokens=_REPLY_TOKENS, sampling=GREEDY, speculation=SpeculationSettings())
    for event in engine.generate(prompt, settings, ignore_end=True):
        if isinstance(event, Finished):
            return event.stats.prefill_ms
    raise AssertionError("a reply ends with Finished")


if __name__ == "__main__":
    main()
