"""A race on the command line: one prompt plainly and with speculation, told in words or as JSON."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sparkdesk.cli.console import ProgressLine
from sparkdesk.events import Progress
from sparkdesk.loading import bench_adapters

if TYPE_CHECKING:
    from sparkdesk.bench.race import Race, RaceEvent, RaceSettings
    from sparkdesk.bench.race_arm import RaceArm
    from sparkdesk.bench.results import Judgement
    from sparkdesk.chat.engine import Engine


def race_prompt(engine: "Engine", prompt: "str | tuple[int, ...]", settings: "RaceSettings") -> "Race":
    """Both arms, with how far they are on stderr. Raises EngineError."""
    from sparkdesk.bench.race import RACE_DOMAIN, Race, race
    from sparkdesk.bench.suite import Prompt

    text, tokens = (prompt, ()) if isinstance(prompt, str) else ("", prompt)
    events = race(
        engine,
        Prompt(RACE_DOMAIN, RACE_DOMAIN, text, tokens),
        settings,
        render=bench_adapters.renderer(engine, settings.sampling),
        judge=bench_adapters.judge(engine),
    )
    line = ProgressLine(sys.stderr)
    try:
        for event in events:
            if isinstance(event, Race):
                return event
            line.show(_told(event))
    finally:
        line.clear()
    raise AssertionError("a race ends with its result")


def in_words(race: "Race") -> str:
    """The speculative text first, or both where they part."""
    from sparkdesk.bench.race_report import headline, times

    stats = race.speculative.reply.stats
    gain = f"{times(race.gain)} · accepted length {stats.accepted_length:.2f} · acceptance {stats.acceptance:.0%}"
    return "\n".join(
        (
            race.speculative.text,
            "",
            f"plain        {race.plain.reply.stats.tokens_per_second:7.1f} tok/s",
            f"speculative  {stats.tokens_per_second:7.1f} tok/s  {gain}",
            f"result       {headline(race)}",
            f"verdict      {_verdict_in_words(race.judgement)}",
        )
    )


def as_json(race: "Race") -> dict[str, Any]:
    """Its names are stable."""
    return {
        "plain": _arm_as_json(race.plain),
        "speculative": _arm_as_json(race.speculative),
        "speedup": round(race.gain, 3),
        "saved_ms": round(race.saved_ms, 3),
        "measured_first": "plain" if race.is_plain_first else "speculative",
        "temperature": race.temperature,
        "verdict": asdict(race.judgement) if race.judgement is not None else None,
    }


def _arm_as_json(arm: "RaceArm") -> dict[str, Any]:
    reply = arm.reply
    return {
        "text": arm.text,
        "tokens": reply.tokens,
        "stop_reason": reply.stop_reason,
        "finish_ms": round(arm.finish_ms, 3),
        "stats": reply.stats.as_json(),
    }


def _verdict_in_words(judgement: "Judgement | None") -> str:
    if judgement is None:
        return "none: sampled replies may differ"
    if judgement.position is None:
        return judgement.kind
    margin = f"margin {judgement.margin:.2g} logits, noise {judgement.noise:.2g}"
    return f"{judgement.kind} from token {judgement.position} on ({margin})"


def _told(event: "RaceEvent") -> Progress:
    from sparkdesk.bench.race import PLAIN, ArmAdvanced, WarmingUp

    if isinstance(event, ArmAdvanced):
        name = "Plain decoding" if event.arm == PLAIN else "With speculation"
        return Progress(name, event.generated, event.max_tokens, "")
    return Progress("Warming up" if isinstance(event, WarmingUp) else "Comparing the texts", 0, 0, "")
