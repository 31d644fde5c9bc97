"""One check's verdict, as a value."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    verdict: str
    """ok, warn or fail"""
    text: str
    fix: str = ""
    """A command or an action; empty when there is nothing to do."""


def gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f} GB"
