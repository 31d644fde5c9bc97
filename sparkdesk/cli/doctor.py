"""`sparkdesk doctor`: the state of this machine, and what to do about it."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sparkdesk.cli.color import Colors, paint_for
from sparkdesk.cli.console import show
from sparkdesk.config.paths import user_paths

if TYPE_CHECKING:
    from sparkdesk.config.settings import Settings
    from sparkdesk.doctor import Check

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Exit code 0 unless a check fails; warnings do not."


def run(options: Namespace) -> int:
    from sparkdesk.doctor import FAIL, examine
    from sparkdesk.doctor.facts import gather

    checks = examine(gather(user_paths(), screen_problem=_screen_problem))
    has_failed = any(check.verdict == FAIL for check in checks)
    if options.json:
        print(json.dumps({"ok": not has_failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        show(report(checks, paint_for(sys.stdout)))
    return int(has_failed)


def _screen_problem(settings: "Settings") -> str:
    try:
        from sparkdesk.ui.appearance import settings_problem
    except ImportError as error:  # doctor is what is left where something is not installed as it should be
        return f"the screen cannot be shown: {error}"
    return settings_problem(settings)


def report(checks: Sequence["Check"], colors: Colors) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = {"ok": colors.good, "warn": colors.odd, "fail": colors.bad}[check.verdict](_MARKS[check.verdict])
        lines.append(f"{mark} {check.name.ljust(width)}  {check.text}")
        if check.fix and check.verdict != "ok":
            lines.append(f"  {' ' * width}  → {check.fix}")
    return "\n".join(lines)
