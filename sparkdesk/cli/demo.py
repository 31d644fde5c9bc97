"""`sparkdesk demo`: Spark Tiny on the screen, or one answer decoded plainly and with speculation, and compared."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from sparkdesk.cli import speaking
from sparkdesk.cli.pairs import demo_pair
from sparkdesk.cli.screen import open_screen
from sparkdesk.cli.talk import show_progress
from sparkdesk.errors import UsageError

if TYPE_CHECKING:
    from sparkdesk.chat.oneshot import Answer
    from sparkdesk.chat.verdict import Verdict
    from sparkdesk.engine.settings import SpeculationSettings
    from sparkdesk.runner.client import EngineClient


@dataclass(frozen=True, slots=True)
class Comparison:
    plain: "Answer"
    speculative: "Answer"
    verdict: "Verdict"

    @property
    def speedup(self) -> float:
        plain = self.plain.stats.tokens_per_second
        return self.speculative.stats.tokens_per_second / plain if plain > 0 else 0.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "With --prompt the answer is greedy, and made twice: plainly, then with speculation."
    parser.add_argument("--prompt", metavar="TEXT", help="answer this twice, compare, and end")
    parser.add_argument("--json", action="store_true", help="with --prompt: print one JSON object")
    speaking.add_loading(parser)


def run(options: Namespace) -> int:
    if options.prompt is None:
        if options.json:
            raise UsageError("--json needs a prompt.", "Give --prompt TEXT.")
        return open_screen(demo_pair(), options)
    if not options.prompt.strip():
        raise UsageError("The prompt is empty.", "Give --prompt TEXT.")
    from sparkdesk.cli.opening import open_pair
    from sparkdesk.engine.settings import SpeculationSettings
    from sparkdesk.paths import user_paths
    from sparkdesk.runner.client import EngineClient

    how = speaking.loading(options, speaking.settings_file())
    paths = user_paths()
    with EngineClient(machine_file=paths.machine_file, learnt_folder=paths.learnt) as engine:
        show_progress(open_pair(engine, demo_pair(), how=how, speculation=SpeculationSettings()))
        found = compare(engine, options.prompt)
    print(json.dumps(_as_json(found), ensure_ascii=False) if options.json else _in_words(found))
    return 0


def compare(
    engine: "EngineClient", prompt: str, *, speculation: "SpeculationSettings | None" = None, max_tokens: int = 0
) -> Comparison:
    """Two greedy answers to the same prompt, and whether they agree."""
    from sparkdesk.chat.oneshot import answer
    from sparkdesk.chat.settings import ChatSettings
    from sparkdesk.chat.verdict import Answered, compare_answers
    from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings

    greedy = ChatSettings(
        sampling=SamplingSettings(temperature=0.0),
        speculation=speculation or SpeculationSettings(True),
        max_tokens=max_tokens,
    )
    plain = answer(engine, prompt, settings=replace(greedy, speculation=SpeculationSettings(False)))
    speculative = answer(engine, prompt, settings=greedy)
    verdict = compare_answers(
        engine,
        plain.prompt,
        plain=Answered(plain.tokens, plain.stop_reason),
        speculative=Answered(speculative.tokens, speculative.stop_reason),
    )
    return Comparison(plain, speculative, verdict)


def _in_words(found: Comparison) -> str:
    stats = found.speculative.stats
    gain = f"{found.speedup:.2f}x · accepted length {stats.accepted_length:.2f} · acceptance {stats.acceptance:.0%}"
    return "\n".join(
        (
            found.speculative.text,
            "",
            f"plain        {found.plain.stats.tokens_per_second:7.1f} tok/s",
            f"speculative  {stats.tokens_per_second:7.1f} tok/s  {gain}",
            f"verdict      {_verdict_in_words(found.verdict)}",
        )
    )


def _verdict_in_words(verdict: "Verdict") -> str:
    if verdict.position is None:
        return verdict.kind
    margin = f"margin {verdict.margin:.2g} logits, noise {verdict.noise:.2g}"
    return f"{verdict.kind} from token {verdict.position} on ({margin})"


def _as_json(found: Comparison) -> dict[str, object]:
    return {
        "plain": _answer_as_json(found.plain),
        "speculative": _answer_as_json(found.speculative),
        "speedup": round(found.speedup, 3),
        "verdict": asdict(found.verdict),
    }


def _answer_as_json(answer: "Answer") -> dict[str, object]:
    return {
        "text": answer.text,
        "tokens": answer.tokens,
        "stop_reason": answer.stop_reason,
        "stats": answer.stats.as_json(),
    }
