"""What the scheduler must reach on synthetic pairs whose acceptance is known, each held against its bar.

    python -m sparkdesk.bench.lab.bars --folder /tmp/bars              # writes what is missing there: 1.4 GB a pair

Every turn begins in a new engine, so nothing has been learnt but what the probe at load says about costs. Within a turn
the scheduler's reply, the plain one and, where the bar asks for them, those of the fixed lengths follow one another.
"""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from sparkdesk.bench.lab.measure import GREEDY, Measured
from sparkdesk.bench.synthetic.pair import PROMPT_TOKENS, SyntheticPair, quantize_pair, write_pair
from sparkdesk.bench.synthetic.weights import SyntheticShape, make_chain
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, RoundDone

TOKENS = 768
REPEATED_TOKENS = 200
FIXED_LENGTHS = tuple(range(1, 8))


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    shape: SyntheticShape
    of_plain: float = 0.0
    """Least speed as a multiple of plain decoding; 0 asks for nothing."""
    of_best_fixed: float = 0.0
    """The same against the best fixed length."""
    repeats_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Speeds of one turn, in tokens a second."""

    plain: float
    tuned: float
    fixed: tuple[float, ...]
    probe_share: float
    is_same: bool


BARS = (
    Bar("phases 0.8", SyntheticShape(phases=(0.8,)), of_plain=1.2, of_best_fixed=0.97),
    Bar("phases 0.95,0.3 of 128", SyntheticShape(phases=(0.95, 0.3), phase_length=128), of_plain=1.12),
    Bar("phases 0.95,0.3 of 48", SyntheticShape(phases=(0.95, 0.3), phase_length=48), of_plain=1.03),
    Bar(
        "the same of 128, the head only guesses",
        SyntheticShape(phases=(0.95, 0.3), phase_length=128, confidence_noise=5.0),
        of_plain=1.03,
    ),
    Bar("phases 0.8, overconfident", SyntheticShape(phases=(0.8,), confidence_shift=3.0), of_best_fixed=0.95),
    Bar("phases 0.0", SyntheticShape(phases=(0.0,)), of_plain=0.97),
    Bar("repeats 200 tokens of the prompt", SyntheticShape(phases=(0.0,)), of_plain=2.0, repeats_prompt=True),
)


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.bars", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the pairs are, or will be written")
    parser.add_argument("--rows", default="1,2,3,4,5,6,7", help="which bars, by number")
    parser.add_argument("--repeat", type=int, default=3, help="turns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=TOKENS)
    options = parser.parse_args()
    for number in map(int, options.rows.split(",")):
        bar = BARS[number - 1]
        pair = pair_of(bar.shape, options.folder)
        turns = [_turn(bar, pair, options) for _ in range(options.repeat)]
        for line in report(number, bar, turns):
            print(line, flush=True)


def pair_of(shape: SyntheticShape, folder: Path) -> SyntheticPair:
    """The quantized pair in `folder`, written first where it is missing."""
    phases = "-".join(f"{share:g}" for share in shape.phases)
    name = f"{phases}-l{shape.phase_length}-n{shape.confidence_noise:g}-s{shape.confidence_shift:g}"
    target, draft = folder / f"{name}-target-Q4_K_M.gguf", folder / f"{name}-draft-Q8_0.gguf"
    if target.exists() and draft.exists():
        return SyntheticPair(target, draft, prompt_of(shape, repeats=False))
    folder.mkdir(parents=True, exist_ok=True)
    whole = write_pair(folder / name, shape)
    small = quantize_pair(whole)
    whole.target.unlink()
    whole.draft.unlink()
    return small


def prompt_of(shape: SyntheticShape, *, repeats: bool) -> tuple[int, ...]:
    """A start of the chain; or a stretch of it and then its start again, so that what follows was in the prompt."""
    cycle = make_chain(shape, np.random.default_rng(shape.seed)).cycle
    start = cycle[:PROMPT_TOKENS]
    return tuple((np.concatenate((cycle[: REPEATED_TOKENS + PROMPT_TOKENS], start)) if repeats else start).tolist())


def report(number: int, bar: Bar, turns: Sequence[Found]) -> Iterator[str]:
    gains = [turn.tuned / turn.plain for turn in turns]
    parts = [f"{fmean(gains):.3f} of plain ({min(gains):.3f}..{max(gains):.3f})"]
    reached = fmean(gains) >= bar.of_plain
    if bar.of_plain:
        parts[-1] += f", must be {bar.of_plain:g}"
    if turns[0].fixed:
        fixed = [fmean(turn.fixed[i] / turn.plain for turn in turns) for i in range(len(turns[0].fixed))]
        share = fmean(gains) / max(fixed)
        reached = reached and share >= bar.of_best_fixed
        parts.append(f"{share:.3f} of the best fixed length, must be {bar.of_best_fixed:g}")
        parts.append("fixed 1..7 " + " ".join(f"{gain:.2f}" for gain in fixed))
    parts.append(f"parked {fmean(turn.probe_share for turn in turns):.0%} of the tokens")
    parts.append("same text" if all(turn.is_same for turn in turns) else "DIFFERENT TEXT")
    parts.append(f"plain {fmean(turn.plain for turn in turns):.1f} tok/s")
    yield f"{number} {bar.name}: {'reached' if reached else 'MISSED'}: " + "; ".join(parts)


def _turn(bar: Bar, pair: SyntheticPair, options: Namespace) -> Found:
    tokens = REPEATED_TOKENS if bar.repeats_prompt else options.tokens
    prompt = prompt_of(bar.shape, repeats=bar.repeats_prompt)
    settings = LoadSettings(str(pair.target), str(pair.draft), threads=options.threads)
    replies: dict[int | None, tuple[Measured, float]] = defaultdict()
    lengths: tuple[int | None, ...] = (None, 0, *(FIXED_LENGTHS if bar.of_best_fixed else ()))
    with EngineClient() as engine:
        for _ in engine.load(settings):
            pass
        for length in lengths:
            replies[length] = _reply(engine, prompt, length=length, tokens=tokens)
    speeds = {length: measured.stats.tokens_per_second for length, (measured, _) in replies.items()}
    return Found(
        plain=speeds[0],
        tuned=speeds[None],
        fixed=tuple(speeds[length] for length in FIXED_LENGTHS if length in speeds),
        probe_share=replies[None][1],
        is_same=len({measured.tokens for measured, _ in replies.values()}) == 1,
    )


def _reply(engine: EngineClient, prompt: tuple[int, ...], *, length: int | None, tokens: int) -> tuple[Measured, float]:
    """A reply, and the share of its tokens that were made while parked. Length None leaves it to the scheduler."""
    speculation = SpeculationSettings(length is None or length > 0, length or None)
    settings = GenerationSettings(max_tokens=tokens, sampling=GREEDY, speculation=speculation)
    text: list[int] = []
    parked = 0
    for event in engine.generate(prompt, replace(settings), ignore_end=True):
        if isinstance(event, RoundDone):
            text += event.round.tokens
            parked += event.round.is_parked * len(event.round.tokens)
        elif isinstance(event, Finished):
            return Measured(tuple(text), event.stats), parked / max(1, len(text))
    raise AssertionError("a reply ends with Finished")


if __name__ == "__main__":
    main()
