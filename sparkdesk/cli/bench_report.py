"""A run's JSON object as a report for people: at most 100 columns."""

from collections.abc import Iterator
from typing import Any

from sparkdesk.cli.color import Colors
from sparkdesk.engine.model_info import DRAFTER_TITLES

_WIDTH = 100
_NAME_WIDTH = 14
_MOST_NEAR_TIES = 8
_MOST_COLUMNS = 9

Found = dict[str, Any]


def report(found: Found, colors: Colors) -> Iterator[str]:
    """Line by line; blank lines between its parts."""
    yield from _head(found, colors)
    yield ""
    yield from _speeds(found, colors)
    yield ""
    yield from _drafting(found, colors)
    yield ""
    yield from _by_size(found, colors)
    yield ""
    yield from _time(found["overall"])
    if found["temperature"] == 0:
        yield ""
        yield from _verdicts(found, colors)


def _head(found: Found, colors: Colors) -> Iterator[str]:
    build, machine = found["build"], found["machine"]
    yield colors.bold(clip(f"{found['model']['target']} with {found['model']['draft']}", _WIDTH))
    devices = ", ".join(build["devices"])
    device = f"{devices} ({machine['processor']})" if devices == "CPU" and machine["processor"] else devices
    threads = f"{build['threads']} thread{'s' if build['threads'] != 1 else ''}"
    kind = DRAFTER_TITLES.get(found["model"].get("drafter", ""), "")
    yield from [f"drafter: {kind}"] if kind else []
    yield clip(f"{device} · {threads} · SparkDesk {build['sparkdesk']} · llama-cpp-python {build['llama_cpp_python']}")
    how = "greedy" if found["temperature"] == 0 else f"temperature {found['temperature']:g}"
    length = found["draft_length"] or "auto"
    count = len({each["id"] for each in found["prompts"]})
    asked = f"{count} prompt{'s' if count != 1 else ''}"
    asked += f" x {found['repetitions']}" if found["repetitions"] > 1 else ""
    yield clip(
        f"suite {found['suite']} · {asked} · {how} · at most {found['max_tokens']} tokens · draft length {length}"
    )
    if not found["is_complete"]:
        yield colors.odd("Not complete: these are the figures up to where it ended.")


def _speeds(found: Found, colors: Colors) -> Iterator[str]:
    yield colors.dim(f"{'':{_NAME_WIDTH}}{'':>6}{'tok/s, median':>20}{'gain (IQR)':>22}{'first token, ms':>22}")
    yield colors.dim(
        f"{'domain':{_NAME_WIDTH}}{'asked':>6}{'plain':>10}{'spec.':>10}{'median':>8}{'from..to':>14}"
        f"{'plain':>12}{'spec.':>10}{'waiting':>10}"
    )
    for name, figures in found["domains"].items():
        yield _speed_row(name, figures, colors)
    if len(found["domains"]) > 1:
        yield _speed_row("all", found["overall"], colors)
    yield colors.dim("gain: decoding alone, pair by pair; waiting: the same of the whole time, prefill included")


def _speed_row(name: str, figures: Found, colors: Colors) -> str:
    gain = figures["gain"]
    spread = f"{gain['lower']:.2f}..{gain['upper']:.2f}"
    return (
        f"{clip(name, _NAME_WIDTH - 1):{_NAME_WIDTH}}{figures['comparisons']:>6}"
        f"{figures['plain_speed']['median']:>10.1f}{figures['speculative_speed']['median']:>10.1f}"
        + _painted_gain(gain["median"], 8, colors)
        + f"{spread:>14}{figures['plain_first_token_ms']['median']:>12.1f}"
        f"{figures['speculative_first_token_ms']['median']:>10.1f}" + _painted_gain(figures["whole_gain"], 10, colors)
    )


def _painted_gain(gain: float, width: int, colors: Colors) -> str:
    text = f"{gain:.2f}x".rjust(width)
    return text if gain == 0 else colors.good(text) if gain >= 1 else colors.bad(text)


def _drafting(found: Found, colors: Colors) -> Iterator[str]:
    positions = max((len(each["acceptance_by_position"]) for each in found["domains"].values()), default=0)
    head = "".join(f"{position:>6}" for position in range(1, positions + 1))
    yield colors.dim(
        f"{'':{_NAME_WIDTH}}{'accepted':>10}{'':>12}{'calibration error':>20}"
        + ("   acceptance by position" if positions else "")
    )
    yield colors.dim(
        f"{'domain':{_NAME_WIDTH}}{'length':>10}{'acceptance':>12}{'draft':>10}{'scheduler':>10}"
        + clip(head, _WIDTH - _NAME_WIDTH - 42)
    )
    groups = {**found["domains"], **({"all": found["overall"]} if len(found["domains"]) > 1 else {})}
    for name, figures in groups.items():
        shares = "".join(f"{share:>6.0%}" for share in figures["acceptance_by_position"])
        yield (
            f"{clip(name, _NAME_WIDTH - 1):{_NAME_WIDTH}}{figures['accepted_length']:>10.2f}"
            f"{figures['acceptance']:>12.0%}{_error(figures['as_drafted']):>10}{_error(figures['calibrated']):>10}"
            + clip(shares, _WIDTH - _NAME_WIDTH - 42)
        )


def _error(found: Found | None) -> str:
    return "-" if found is None else f"{found['error']:.3f}"


def _by_size(found: Found, colors: Colors) -> Iterator[str]:
    """What depends on a position or a size, over all domains."""
    overall, curves = found["overall"], found["curves"]
    rows = {
        "draft's calibration error": [_error(each) for each in overall["as_drafted_by_position"]],
        "scheduler's": [_error(each) for each in overall["calibrated_by_position"]],
        "T: target's pass, ms": _medians(curves["verify"]),
        "D: draft's pass, ms": _medians(curves["draft"]),
    }
    columns = min(_MOST_COLUMNS, max(map(len, rows.values())))
    yield colors.dim(
        f"{'by position, rows or tokens':28}" + "".join(f"{column:>8}" for column in range(1, columns + 1))
    )
    for name, cells in rows.items():
        yield f"{name:28}" + "".join(f"{cell:>8}" for cell in cells[:columns])
    absorb, prompt = curves["absorb"]["median"], curves["prompt_absorb"]["median"]
    yield f"{'absorb, ms':28}{absorb:>8.2f} a round, {prompt:.2f} of a whole prompt"


def _medians(spreads: Found) -> list[str]:
    sizes = {int(size): spread["median"] for size, spread in spreads.items()}
    return [f"{sizes[size]:.2f}" if size in sizes else "-" for size in range(1, max(sizes, default=0) + 1)]


def _time(overall: Found) -> Iterator[str]:
    time = overall["time"]
    total_ms = sum(time.values())
    parts = (("draft", "draft_ms"), ("absorb", "absorb_ms"), ("verify", "verify_ms"), ("ours", "other_ms"))
    shown = " · ".join(f"{label} {time[name] / total_ms:.1%}" for label, name in parts) if total_ms else "none"
    yield f"time with speculation   {shown}"
    sources = (f"{name} {share['rounds']:.0%} ({share['tokens']:.0%})" for name, share in overall["sources"].items())
    yield clip(f"rounds (tokens) from    {' · '.join(sources) or 'none'}")
    parked = overall["parked"]
    yield f"parked                  {parked['rounds']:.0%} of rounds, {parked['time']:.0%} of the time"


def _verdicts(found: Found, colors: Colors) -> Iterator[str]:
    counts = found["overall"]["verdicts"]
    shown = [f"{counts.get(kind, 0)} {kind}" for kind in ("identical", "near-tie")]
    diverged = counts.get("diverged", 0)
    last = f"{diverged} {'DIVERGED' if diverged else 'diverged'}"
    yield f"verdict                 {' · '.join(shown)} · {colors.bad(last) if diverged else last}"
    told = [each for each in found["prompts"] if each["verdict"] and each["verdict"]["kind"] != "identical"]
    near = [each for each in told if each["verdict"]["kind"] == "near-tie"]
    for each in (*(each for each in told if each not in near), *near[:_MOST_NEAR_TIES]):
        yield _difference(each, colors)
    if len(near) > _MOST_NEAR_TIES:
        yield f"  and {len(near) - _MOST_NEAR_TIES} more near-ties"


def _difference(each: Found, colors: Colors) -> str:
    verdict = each["verdict"]
    kind = verdict["kind"].upper() if verdict["kind"] == "diverged" else verdict["kind"]
    line = clip(
        f"  {each['id']}: {kind} at token {verdict['position']} "
        f"(margin {verdict['margin']:.2g} logits, noise {verdict['noise']:.2g})"
    )
    return colors.bad(line) if verdict["kind"] == "diverged" else line


def clip(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
