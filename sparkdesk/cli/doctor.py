"""`sparkdesk doctor`: the state of this machine, and what to do about it."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sparkdesk.config.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.doctor import Check

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Exit code 0 unless a check fails; warnings do not."


def run(options: Namespace) -> int:
    from sparkdesk.doctor import FAIL, examine
    from sparkdesk.doctor.facts import gather

    checks = examine(gather(user_paths()))
    has_failed = any(check.verdict == FAIL for check in checks)
    if options.json:
        print(json.dumps({"ok": not has_failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print(report(checks, is_coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return int(has_failed)


def report(checks: Sequence["Check"], *, is_coloured: bool) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = _MARKS[check.verdict]
        shown = f"\033[{_COLOURS[check.verdict]}m{mark}\033[0m" if is_coloured else mark
        lines.append(f"{shown} {check.name.ljust(width)}  {check.text}")
        if check.fix and check.verdict != "ok":
            lines.append(f"  {' ' * width}  → {check.fix}")
    return "\n".join(lines)
