"""A comparison of drafters for people: at most 100 columns."""

from collections.abc import Iterator
from typing import Any

from sparkdesk.bench.compare_report import conditions_in_words, verdict_in_words
from sparkdesk.cli.bench_report import clip
from sparkdesk.cli.color import Colors
from sparkdesk.engine.model_info import DRAFTER_TITLES
from sparkdesk.sizes import size_in_words

_NAME = 12
_MOST_LENGTHS = 9

Found = dict[str, Any]


def report(found: Found, paint: Colors) -> Iterator[str]:
    """Line by line; blank lines between its parts."""
    build = found["build"]
    threads = f"{build['threads']} thread{'s' if build['threads'] != 1 else ''}"
    yield paint.bold(clip(f"Drafters of {found['target']}"))
    yield clip(f"{', '.join(build['devices'])} · {threads} · SparkDesk {build['sparkdesk']}")
    yield clip(conditions_in_words(found))
    if not found["is_complete"]:
        yield paint.odd("Not complete: these are the figures up to where it ended.")
    yield ""
    yield from _table(found, paint)
    yield ""
    yield from _costs(found, paint)
    if any("paper_accepted_length" in each for drafter in found["drafters"] for each in drafter["domains"].values()):
        yield ""
        yield from _paper(found, paint)


def _table(found: Found, paint: Colors) -> Iterator[str]:
    yield paint.dim(f"{'':{_NAME}}{'accepted':>12}{'tok/s':>20}{'gain':>18}{'reads a':>12}")
    yield paint.dim(
        f"{'drafter':{_NAME}}{'length':>12}{'tuned':>9}{'fixed':>11}{'tuned':>9}{'fixed':>9}{'block':>12}"
        f"{'memory':>10}  text"
    )
    yield f"{'plain':{_NAME}}{'1.00':>12}{found['plain']['tokens_per_second']:>9.1f}"
    for each in found["drafters"]:
        yield _row(each, paint)
    yield paint.dim("length: at the full block; tuned: the scheduler's lengths; fixed: at the best length, in brackets")


def _row(each: Found, paint: Colors) -> str:
    speeds, gains = each["tokens_per_second"], each["gain"]
    length = f"{each['accepted_length']:.2f}±{each['accepted_length_error']:.2f}"
    fixed = f"{speeds['best_fixed']:.1f} ({each['best_fixed_length'] or '-'})"
    verdict = verdict_in_words(each)
    return (
        f"{clip(each['name'], _NAME - 1):{_NAME}}{length:>12}{speeds['tuned']:>9.1f}{fixed:>11}"
        + "".join(_gain(gains[name], paint) for name in ("tuned", "best_fixed"))
        + f"{size_in_words(each['bytes_per_block']):>12}{size_in_words(each['memory_bytes']):>10}  "
        + (paint.bad(verdict) if each["verdict"] == "diverged" else verdict)
    )


def _gain(gain: float, paint: Colors) -> str:
    text = f"{gain:.2f}x".rjust(9)
    return text if gain == 0 else paint.good(text) if gain >= 1 else paint.bad(text)


def _costs(found: Found, paint: Colors) -> Iterator[str]:
    """D(k), and the chances that go with it."""
    most = min(_MOST_LENGTHS, max((each["block_size"] for each in found["drafters"]), default=0))
    yield paint.dim(f"{'':28}" + "".join(f"{length:>8}" for length in range(1, most + 1)))
    for each in found["drafters"]:
        title = DRAFTER_TITLES.get(each["kind"], each["kind"])
        name = each["name"] if each["name"] == each["kind"] else f"{each['name']} ({title})"
        costs = [each["draft_ms"].get(str(length)) for length in range(1, most + 1)]
        yield f"{clip(f'{name}: D, ms', 27):28}" + "".join(f"{'-' if ms is None else f'{ms:.2f}':>8}" for ms in costs)
        shares = "".join(f"{share:>8.0%}" for share in each["survival_by_position"][:most])
        yield paint.dim(f"{'  accepted so far':28}{shares}")


def _paper(found: Found, paint: Colors) -> Iterator[str]:
    yield paint.dim(f"{'accepted length':28}{'here':>12}{'paper':>8}")
    for each in found["drafters"]:
        for domain, figures in each["domains"].items():
            if "paper_accepted_length" in figures:
                here = f"{figures['accepted_length']:.2f}±{figures['accepted_length_error']:.2f}"
                yield f"{clip(domain, 27):28}{here:>12}{figures['paper_accepted_length']:>8.2f}"
