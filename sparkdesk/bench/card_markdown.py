"""A report card as Markdown. Pure: knows the card's JSON object and nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sparkdesk.engine.model_info import DRAFTER_TITLES

Found = dict[str, Any]


def markdown(card: Found) -> str:
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Found) -> Iterator[str]:
    yield f"# {_plain(card['model']['target'])} with {_plain(card['model']['draft'])}"
    yield ""
    if not card["is_complete"]:
        yield "**Not complete:** the run was interrupted; these are the figures up to there."
        yield ""
    yield from table(("", ""), _conditions(card))
    yield ""
    yield "## Speed and acceptance"
    yield ""
    yield from table(_COLUMNS, _rows(card))
    yield ""
    yield (
        "Speeds are medians of decoding in tokens per second; the gain is that of each prompt's two replies, with the "
        "interquartile range in brackets. First token: median milliseconds, plain and with speculation."
    )
    yield ""
    yield from (f"- {fact}" for fact in _facts(card))
    yield ""
    yield "## Files"
    yield ""
    files = card["files"].items()
    yield from table(
        ("", "file", "size", "SHA-256"),
        ((role, facts["name"], size_in_words(facts["size_bytes"]), f"`{facts['sha256']}`") for role, facts in files),
    )
    yield ""
    yield "## Command"
    yield ""
    yield "```sh"
    yield card["command"]
    yield "```"


_COLUMNS = ("domain", "asked", "plain", "speculative", "gain", "accepted length", "acceptance", "first token")


def machine_rows(card: Found) -> Iterator[tuple[str, str]]:
    """Where it ran, and on what build."""
    machine, build = card["machine"], card["build"]
    yield "processor", f"{machine['processor']} ({machine['architecture']}, {machine['logical_cores']} logical cores)"
    yield "memory", size_in_words(machine["memory_bytes"]) if machine["memory_bytes"] else "unknown"
    yield "graphics", ", ".join(machine["graphics"]) or "none found"
    yield "system", machine["system"]
    threads = f"{build['threads']} thread{'s' if build['threads'] != 1 else ''}"
    layers = f", {build['gpu_layers']} layers on the GPU" if build["gpu_layers"] else ""
    yield "ran on", f"{', '.join(build['devices'])}, {threads}{layers}, context {build['context_tokens']} tokens"
    safe = ", without repacked weights" if build["uses_safe_buffers"] else ""
    yield "build", f"SparkDesk {build['sparkdesk']}, llama-cpp-python {build['llama_cpp_python']}{safe}"


def _conditions(card: Found) -> Iterator[tuple[str, str]]:
    if kind := DRAFTER_TITLES.get(card["model"].get("drafter", "")):
        yield "drafter", kind
    yield from machine_rows(card)
    how = "greedy" if card["temperature"] == 0 else f"temperature {card['temperature']:g}"
    repeated = f", {card['repetitions']} times" if card["repetitions"] > 1 else ""
    yield (
        "replies",
        f"suite {card['suite']}{repeated}, {how}, at most {card['max_tokens']} tokens, "
        f"draft length {card['draft_length'] or 'auto'}",
    )


def _rows(card: Found) -> Iterator[Sequence[str]]:
    for name, figures in card["domains"].items():
        yield _row(name, figures)
    if len(card["domains"]) > 1:
        yield _row("**all**", card["overall"])


def _row(name: str, figures: Found) -> Sequence[str]:
    gain = figures["gain"]
    return (
        name,
        str(figures["comparisons"]),
        f"{figures['plain_speed']['median']:.1f}",
        f"{figures['speculative_speed']['median']:.1f}",
        f"{gain['median']:.2f}x ({gain['lower']:.2f}..{gain['upper']:.2f})",
        f"{figures['accepted_length']:.2f}",
        f"{figures['acceptance']:.0%}",
        f"{figures['plain_first_token_ms']['median']:.0f} / {figures['speculative_first_token_ms']['median']:.0f}",
    )


def _facts(card: Found) -> Iterator[str]:
    overall = card["overall"]
    yield f"Whole time, prefill included: {overall['whole_gain']:.2f}x"
    if overall["verdicts"]:
        counts = (f"{overall['verdicts'].get(kind, 0)} {kind}" for kind in ("identical", "near-tie", "diverged"))
        yield f"Text against plain decoding: {', '.join(counts)}"
    if overall["acceptance_by_position"]:
        shares = ", ".join(f"{share:.0%}" for share in overall["acceptance_by_position"])
        yield f"Acceptance by position: {shares}"
    for name, words in (("as_drafted", "the draft's confidences"), ("calibrated", "the scheduler's expectations")):
        if overall[name] is not None:
            yield f"Calibration error of {words}: {overall[name]['error']:.3f} over {overall[name]['count']} tokens"
    total_ms = sum(overall["time"].values())
    if total_ms:
        shares = ", ".join(f"{_STEPS[name]} {ms / total_ms:.1%}" for name, ms in overall["time"].items())
        yield f"Time with speculation: {shares}"
    sources = ", ".join(f"{name} {share['rounds']:.0%}" for name, share in overall["sources"].items())
    yield f"Rounds by source: {sources or 'none'}; parked {overall['parked']['rounds']:.0%}"


_STEPS = {"draft_ms": "draft", "absorb_ms": "absorb", "verify_ms": "verify", "other_ms": "ours"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _cells(head)
    yield _cells(["---"] * len(head))
    yield from map(_cells, rows)


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """A name from a file's header must not break the table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def size_in_words(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
