"""How much of a draft survives when replies are sampled: real speculative sampling beside the exact-match rule.

python -m sparkdesk.bench.lab.acceptance --target T.gguf --draft D.gguf --prompt "Tell me a little story."
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparkdesk.bench.lab.measure import add_pair_arguments, load_pair, prompts_of
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished

_RULES = {"speculative sampling": False, "exact match": True}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Sums over replies."""

    tokens: int
    rounds: int
    first_accepted: float
    first_verified: int
    decode_ms: float

    @property
    def accepted_length(self) -> float:
        return self.tokens / max(1, self.rounds)

    @property
    def first_share(self) -> float:
        """How often the first drafted token was accepted."""
        return self.first_accepted / max(1, self.first_verified)

    @property
    def tokens_per_second(self) -> float:
        return 1e3 * self.tokens / self.decode_ms if self.decode_ms else 0.0


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.acceptance", description=__doc__.splitlines()[0])
    add_pair_arguments(parser)
    parser.add_argument("--temperatures", default="0.6,0.8,1.0")
    parser.add_argument("--draft-length", type=int, default=7)
    options = parser.parse_args()
    with EngineClient() as engine:
        load_pair(engine, options)
        prompts = prompts_of(engine, options)
        for temperature in map(float, options.temperatures.split(",")):
            for name, drafts_greedily in _RULES.items():
                found = total(_replies(engine, prompts, options, _settings(options, temperature, drafts_greedily)))
                print(
                    f"temperature {temperature}, {name}: accepted length {found.accepted_length:.2f}, "
                    f"first token accepted {found.first_share:.2f}, {found.tokens_per_second:.0f} tok/s",
                    flush=True,
                )


def total(replies: Iterator[ReplyStats]) -> Acceptance:
    tokens = rounds = first_verified = 0
    first_accepted = decode_ms = 0.0
    for stats in replies:
        tokens, rounds = tokens + stats.decoded, rounds + stats.rounds
        first_accepted += sum(stats.accepted_by_position[:1])
        first_verified += sum(stats.verified_by_position[:1])
        decode_ms += stats.decode_ms
    return Acceptance(tokens, rounds, first_accepted, first_verified, decode_ms)


def _settings(options: Namespace, temperature: float, drafts_greedily: bool) -> GenerationSettings:
    return GenerationSettings(
        max_tokens=options.tokens,
        sampling=SamplingSettings(temperature=temperature, top_k=0, top_p=1.0),
        speculation=SpeculationSettings(True, options.draft_length, drafts_greedily),
    )


def _replies(
    engine: EngineClient, prompts: Sequence[tuple[int, ...]], options: Namespace, settings: GenerationSettings
) -> Iterator[ReplyStats]:
    for _ in range(options.repeat):
        for prompt in prompts:
            for event in engine.generate(prompt, settings):
                if isinstance(event, Finished):
                    yield event.stats


if __name__ == "__main__":
    main()
