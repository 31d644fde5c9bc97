"""The figures of a run as a table: a line a domain. Pure text; knows the names of a run's JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from sparkdesk.bench.results import DIVERGED, IDENTICAL, NEAR_TIE
from sparkdesk.ui.shared.numbers import UNKNOWN

_HEAD = f"{'domain':11}{'prompts':>8}{'plain':>9}{'spec.':>9}{'gain':>8}{'IQR':>14}{'accepted':>10}"
_GLYPHS = {IDENTICAL: ("✓", "$success"), NEAR_TIE: ("≈", "$warning"), DIVERGED: ("✗", "bold $error")}
LEGEND = "plain, spec.: tok/s, median · accepted: length, bonus token included · ✓ same text ≈ near-tie ✗ diverged"

Found = Mapping[str, Any]


def table(domains: Mapping[str, Found], overall: Found) -> Iterator[Content]:
    """At most 80 columns."""
    yield Content.styled(f"{_HEAD}  text", "$spark-quiet")
    for name, figures in domains.items():
        yield _line(name, figures)
    if len(domains) > 1:
        yield Content.styled("─" * 77, "$spark-faint")
        yield _line("all", overall, style="bold")


def gain_style(gain: float) -> str:
    """Green is won, red lost; next to nothing is neither."""
    if not gain or abs(gain - 1) < 0.02:
        return "$spark-quiet"
    return "$success" if gain > 1 else "$error"


def gain_words(gain: Found) -> str:
    """Eight cells."""
    return f"{gain['median']:>7.2f}x" if gain["count"] else f"{UNKNOWN:>8}"


def _line(name: str, figures: Found, style: str = "$foreground") -> Content:
    gain = figures["gain"]
    spread = f"{gain['lower']:.2f}..{gain['upper']:.2f}" if gain["count"] else UNKNOWN
    short = name if len(name) <= 11 else f"{name[:10]}…"
    return Content.assemble(
        (f"{short:12}{figures['comparisons']:>7}", style),
        (f"{figures['plain_speed']['median']:>9.1f}{figures['speculative_speed']['median']:>9.1f}", style),
        (gain_words(gain), f"bold {gain_style(gain['median'])}"),
        (f"{spread:>14}{figures['accepted_length']:>10.2f}  ", style),
        *_verdicts(figures["verdicts"]),
    )


def _verdicts(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for kind, (glyph, style) in _GLYPHS.items():
        if counts.get(kind):
            yield f"{counts[kind]}{glyph} ", style
