"""A comparison of drafters as one JSON object, and as Markdown. Holds no prompt, no answer and no path."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparkdesk.bench.card_markdown import machine_rows, size_in_words, table
from sparkdesk.bench.compare import Answer
from sparkdesk.bench.compare_figures import Drafter, drafter_figures, plain_figures
from sparkdesk.bench.run_report import build_facts, machine_facts, read_kept
from sparkdesk.engine.model_info import DRAFTER_TITLES

KIND = "sparkdesk bench compare"
FORMAT = 1

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompareConditions:
    """What was asked for, in words that can be shown to anybody."""

    command: str
    suite: str
    temperature: float
    max_tokens: int
    is_together: bool
    """Whether all engines were in memory at once and took turns; else one after another, plain decoding beside each."""


def record(
    answers: Sequence[Answer],
    drafters: Sequence[Drafter],
    conditions: CompareConditions,
    *,
    files: Mapping[str, Path],
    is_complete: bool,
) -> Found:
    """`files` by their role: "target", and each drafter's name."""
    model = drafters[0].model
    return {
        "kind": KIND,
        "format": FORMAT,
        "is_complete": is_complete,
        **asdict(conditions),
        "prompt_count": len({each.prompt.id for each in answers}),
        "machine": machine_facts(),
        "build": build_facts(model),
        "target": model.name,
        "files": {role: {"name": path.name, "size_bytes": path.stat().st_size} for role, path in files.items()},
        "plain": plain_figures(answers),
        "drafters": [drafter_figures(answers, each) for each in drafters],
    }


def read_comparison(path: Path) -> Found:
    """One kept with `--json`. Raises UsageError."""
    needed = ("is_complete", "machine", "build", "target", "files", "plain", "drafters", "command", "prompt_count")
    hint = "Keep one with: sparkdesk bench compare --json > RUN.json."
    return read_kept(path, kind=KIND, format_=FORMAT, needed=needed, hint=hint)


def markdown(card: Found) -> str:
    return "\n".join(_lines(card)) + "\n"


def conditions_in_words(found: Found) -> str:
    how = "greedy" if found["temperature"] == 0 else f"temperature {found['temperature']:g}"
    count = found["prompt_count"]
    order = "in turns" if found["is_together"] else "one drafter after another, plain decoding beside each"
    asked = f"suite {found['suite']}, {count} prompt{'s' * (count != 1)}, {how}, at most {found['max_tokens']} tokens"
    return f"{asked}; {order}"


def verdict_in_words(drafter: Found) -> str:
    return str(drafter["verdict"] or "none").replace("diverged", "DIVERGED")


def _lines(card: Found) -> Iterator[str]:
    yield f"# Drafters of {card['target']}"
    yield ""
    if not card["is_complete"]:
        yield "**Not complete:** the run was interrupted; these are the figures up to there."
        yield ""
    yield from table(("", ""), [*machine_rows(card), ("replies", conditions_in_words(card))])
    yield ""
    yield from table(_COLUMNS, [_plain_row(card), *map(_row, card["drafters"])])
    yield ""
    yield (
        "Accepted length: tokens of a round at the full block, with its standard error. Speeds: medians of decoding in "
        "tokens per second, with lengths the scheduler chose, and at the best fixed length. D: milliseconds to propose."
    )
    yield ""
    yield from table(("file", "name", "size", "SHA-256"), _file_rows(card))
    yield ""
    yield "```sh"
    yield card["command"]
    yield "```"


_COLUMNS = ("drafter", "accepted length", "tuned", "best fixed", "D(1)", "D(block)", "reads a block", "memory", "text")


def _plain_row(card: Found) -> Sequence[str]:
    return ("plain", "1", f"{card['plain']['tokens_per_second']:.1f}", *[""] * (len(_COLUMNS) - 3))


def _row(drafter: Found) -> Sequence[str]:
    speeds, gains, costs = drafter["tokens_per_second"], drafter["gain"], drafter["draft_ms"]
    return (
        f"{drafter['name']} ({DRAFTER_TITLES.get(drafter['kind'], drafter['kind'])})",
        f"{drafter['accepted_length']:.2f} ± {drafter['accepted_length_error']:.2f}",
        f"{speeds['tuned']:.1f} ({gains['tuned']:.2f}x)",
        f"{speeds['best_fixed']:.1f} ({gains['best_fixed']:.2f}x) at {drafter['best_fixed_length']}",
        f"{costs.get('1', 0):.2f} ms",
        f"{costs.get(str(drafter['block_size']), 0):.2f} ms",
        size_in_words(drafter["bytes_per_block"]),
        size_in_words(drafter["memory_bytes"]),
        verdict_in_words(drafter),
    )


def _file_rows(card: Found) -> Iterator[Sequence[str]]:
    for role, facts in card["files"].items():
        yield role, facts["name"], size_in_words(facts["size_bytes"]), f"`{facts.get('sha256', '')}`"
