"""Judges the pair through the real engine: `python -m sparkdesk.demo.evaluate`.

Per skill: exact answers on held-out prompts, greedy accepted length, and speed without and with speculation.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import converters
from converters import ConversionError
from sparkdesk.demo import bundled
from sparkdesk.demo.corpus.dialogue import SKILLS, held_out_exercises
from sparkdesk.demo.measure import SkillReport, ask, measure_skill
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import ConvertError, SparkDeskError
from sparkdesk.runner.client import EngineClient

_CONTEXT_TOKENS = 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, load, ask, print; the exit code tells an expected failure."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="spark-tiny-") as folder:
            reports = _evaluate(options, Path(folder))
    except SparkDeskError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(_as_json(reports) if options.json else _as_table(reports))
    return 0


def _evaluate(options: argparse.Namespace, folder: Path) -> list[SkillReport]:
    settings = _converted(options, folder)
    reports = []
    with EngineClient() as engine:
        for _ in engine.load(settings):
            pass
        ask(engine, "Count from 1 to 60.", max(options.lengths))  # the first reply is slower than all others
        for skill in options.skills:
            print(f"{skill} …", file=sys.stderr, flush=True)
            exercises = held_out_exercises(skill, options.per_skill, options.seed)
            reports.append(measure_skill(engine, skill, exercises, options.lengths))
    return reports


def _converted(options: argparse.Namespace, folder: Path) -> LoadSettings:
    """The pair as GGUF in a folder that goes away afterwards."""
    target, draft = folder / "target.gguf", folder / "draft.gguf"
    try:
        for _ in converters.convert_target(options.target, target, output_type=options.type):
            pass
        for _ in converters.convert_draft(options.draft, draft, target=options.target, output_type=options.type):
            pass
    except ConversionError as error:
        raise ConvertError(error.message, error.hint) from error
    return LoadSettings(str(target), str(draft), context_tokens=_CONTEXT_TOKENS, threads=options.threads)


def _as_table(reports: Sequence[SkillReport]) -> str:
    lines = [
        f"{'skill':<13}{'asked':>6}{'exact':>8}{'same':>7}{'tokens':>8}{'accepted':>10}{'plain':>9}{'best':>9}"
        f"{'length':>8}{'gain':>7}"
    ]
    for report in reports:
        exact = "-" if report.exact is None else f"{report.exact / report.asked:.0%}"
        lines.append(
            f"{report.skill:<13}{report.asked:>6}{exact:>8}{report.same / report.asked:>7.0%}{report.mean_tokens:>8.0f}"
            f"{report.longest.accepted_length:>10.2f}{report.plain.tokens_per_second:>9.0f}"
            f"{report.best.tokens_per_second:>9.0f}{report.best.length:>8}{report.speedup:>6.2f}x"
        )
    lines.append("")
    lines.append(
        "exact: right to the letter on prompts never trained on; same: every draft length gave the plain answer;"
    )
    lines.append("accepted: tokens gained per round at the longest length; plain and best: tokens per second, greedy")
    return "\n".join(lines)


def _as_json(reports: Sequence[SkillReport]) -> str:
    return json.dumps(
        [asdict(report) | {"best_length": report.best.length, "speedup": report.speedup} for report in reports],
        indent=2,
    )


def _lengths(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _skills(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(SKILLS):
        raise argparse.ArgumentTypeError(f"no such skill: {', '.join(sorted(unknown))}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sparkdesk.demo.evaluate", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--target", type=Path, default=bundled.target_folder(), metavar="DIR", help="target checkpoint")
    parser.add_argument("--draft", type=Path, default=bundled.draft_folder(), metavar="DIR", help="draft checkpoint")
    parser.add_argument("--type", default="Q8_0", help="GGUF type to run in (%(default)s)")
    parser.add_argument("--skills", type=_skills, default=list(SKILLS), help="comma-separated (all)")
    parser.add_argument("--per-skill", type=int, default=30, metavar="N", help="prompts per skill (%(default)s)")
    parser.add_argument("--lengths", type=_lengths, default=[2, 3, 5, 7], help="draft lengths to try (2,3,5,7)")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--seed", type=int, default=0, help="which held-out prompts are drawn")
    return parser


if __name__ == "__main__":
    sys.exit(main())
