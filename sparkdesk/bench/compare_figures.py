"""Pure: what the answers of a comparison say of each drafter, as the JSON object that is printed and kept."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Any

from sparkdesk.bench.compare import COST, FIXED, FULL, PLAIN, TUNED, Answer, survival_of
from sparkdesk.bench.curves import curves_of
from sparkdesk.bench.results import DIVERGED, IDENTICAL, NEAR_TIE
from sparkdesk.bench.run_report import rounded
from sparkdesk.engine.model_info import ModelInfo

TEMPERATURE, MAX_TOKENS = 1.0, 2048
"""With a block of 7 and real speculative sampling."""
BENCHMARK_COUNT = 9

_ACCEPTED_LENGTHS = {
    "qwen34b": {"gsm8k": 6.11, "humaneval": 5.38, "mtbench": 3.64},
    "qwen38b": {"gsm8k": 6.17, "humaneval": 5.52, "mtbench": 3.72},
    "qwen314b": {"gsm8k": 6.21, "humaneval": 5.43, "mtbench": 3.70},
    "gemma412b": {"gsm8k": 6.05, "humaneval": 5.64, "mtbench": 3.49},
}
"""DSpark paper, temperature 1: by target and benchmark, letters and digits alone."""


def paper_accepted_length(model: ModelInfo, benchmark: str) -> float | None:
    """What the paper gives for a DSpark draft of this target on that benchmark; None where it gives nothing."""
    if model.drafter_kind != "dspark":
        return None
    name = _letters(model.name).removesuffix("it")  # of "gemma-4-12B-it"
    return _ACCEPTED_LENGTHS.get(name, {}).get(_letters(benchmark))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


_WORST_FIRST = (DIVERGED, NEAR_TIE, IDENTICAL)

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Drafter:
    """What is known of a drafter without measuring."""

    name: str
    model: ModelInfo
    bytes_per_block: int
    memory_bytes: int
    """Beyond the target's."""


def plain_figures(answers: Sequence[Answer]) -> Found:
    """Of plain decoding, wherever it was measured."""
    return rounded_figures({"name": PLAIN, "tokens_per_second": _speed(_of(answers, PLAIN))})


def drafter_figures(answers: Sequence[Answer], drafter: Drafter) -> Found:
    """All that was measured of one drafter."""
    own = [each for each in answers if each.arm == drafter.name and each.how != PLAIN]
    plain = {each.prompt.id: each for each in answers if each.how == PLAIN and each.arm in ("", drafter.name)}
    block, fulls = drafter.model.block_size, _of(own, FULL)
    curves = curves_of(each.reply.rounds for each in own if each.how in (COST, FULL, FIXED))
    length, error, rounds = accepted_length(fulls, block)
    tuned, fixed = _of(own, TUNED), _of(own, FIXED)
    judged = Counter(each.judgement.kind for each in own if each.judgement is not None)
    return rounded_figures(
        {
            "name": drafter.name,
            "kind": drafter.model.drafter_kind,
            "draft": drafter.model.draft_name,
            "block_size": block,
            "accepted_length": length,
            "accepted_length_error": error,
            "accepted_length_rounds": rounds,
            "survival_by_position": list(survival_of((each.reply for each in fulls), block)),
            "tokens_per_second": {"tuned": _speed(tuned), "best_fixed": _speed(fixed)},
            "gain": {"tuned": _gain(tuned, plain), "best_fixed": _gain(fixed, plain)},
            "plain_tokens_per_second": _speed(plain.values()),
            "best_fixed_length": fixed[0].length if fixed else None,
            "draft_ms": {size: spread.median for size, spread in curves.draft.items()},
            "verify_ms": {rows: spread.median for rows, spread in curves.verify.items()},
            "absorb_ms": curves.absorb.median,
            "bytes_per_block": drafter.bytes_per_block,
            "memory_bytes": drafter.memory_bytes,
            "verdict": next((kind for kind in _WORST_FIRST if judged[kind]), None),
            "verdicts": dict(judged),
            "domains": _domains(fulls, drafter),
        }
    )


def accepted_length(fulls: Sequence[Answer], block_size: int) -> tuple[float, float, int]:
    """Tokens of a round at the full block, bonus token included, the standard error of that mean, and of how many.

    The last rounds of a reply have no room for a whole block and are left out.
    """
    rounds = [done for each in fulls for done in each.reply.rounds if done.drafted == block_size]
    gained = [len(done.tokens) + done.has_end for done in rounds]
    if not gained:
        return 0.0, 0.0, 0
    mean = sum(gained) / len(gained)
    variance = sum((each - mean) ** 2 for each in gained) / max(1, len(gained) - 1)
    return mean, sqrt(variance / len(gained)), len(gained)


def rounded_figures(found: Found) -> Found:
    made: Found = rounded(found)
    return made


def _domains(fulls: Sequence[Answer], drafter: Drafter) -> Mapping[str, Found]:
    """Accepted lengths by domain, with the paper's beside them where it has that pair and benchmark."""
    found: dict[str, Found] = {}
    for domain in dict.fromkeys(each.prompt.domain for each in fulls):
        length, error, _ = accepted_length(
            [each for each in fulls if each.prompt.domain == domain], drafter.model.block_size
        )
        found[domain] = {"accepted_length": length, "accepted_length_error": error}
        paper = paper_accepted_length(drafter.model, domain)
        if paper is not None:
            found[domain]["paper_accepted_length"] = paper
    return found


def _of(answers: Sequence[Answer], how: str) -> list[Answer]:
    return [each for each in answers if each.how == how]


def _speed(answers: Iterable[Answer]) -> float:
    """The median reply's, in tokens per second of decoding; 0 without any."""
    speeds = [each.reply.stats.tokens_per_second for each in answers if each.reply.stats.tokens_per_second > 0]
    return median(speeds) if speeds else 0.0


def _gain(answers: Sequence[Answer], plain: Mapping[str, Answer]) -> float:
    """The median of speeds over those of the plain reply to the same prompt; 0 without any."""
    gains = [
        each.reply.stats.tokens_per_second / base
        for each in answers
        if each.prompt.id in plain and (base := plain[each.prompt.id].reply.stats.tokens_per_second) > 0
    ]
    return median(gains) if gains else 0.0
