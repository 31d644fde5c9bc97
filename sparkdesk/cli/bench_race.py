"""`sparkdesk bench race`: one prompt plainly and with speculation, and who was faster."""

import json
from argparse import ArgumentParser, Namespace

from sparkdesk.cli import bench_pair, race_output, values
from sparkdesk.cli.console import show
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import UsageError

_MAX_TOKENS = 256
_PLAIN, _SPECULATIVE = "plain", "speculation"


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "On the screen, F8 replays a race side by side."
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="the prompt that both answer")
    parser.add_argument(
        "--prompt-tokens", type=values.token_ids, metavar="1,2,3", help="continue these token IDs instead"
    )
    bench_pair.add_pair(parser, name="--pair")
    parser.add_argument(
        "--max-tokens",
        type=values.whole_number(least=2),
        default=_MAX_TOKENS,
        metavar="N",
        help="max tokens per reply; default %(default)s",
    )
    parser.add_argument(
        "--temperature",
        type=values.real_number(),
        default=0.0,
        metavar="X",
        help="default 0: greedy, and the texts are compared; above it both have the same seed and there is no verdict",
    )
    parser.add_argument("--seed", type=values.whole_number(least=0), default=0, metavar="N", help="default 0")
    parser.add_argument(
        "--draft-length", type=values.draft_length, metavar="auto|K", help="tokens to draft per round; default auto"
    )
    parser.add_argument(
        "--first", choices=(_PLAIN, _SPECULATIVE), default=_PLAIN, help="which is measured first; default %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: Namespace) -> int:
    from sparkdesk.bench.race import RaceSettings

    prompt = _prompt(options)
    speculation = SpeculationSettings(is_enabled=True, draft_length=options.draft_length)
    settings = RaceSettings(
        max_tokens=options.max_tokens,
        sampling=SamplingSettings(temperature=options.temperature, seed=options.seed),
        speculation=speculation,
        is_plain_first=options.first == _PLAIN,
    )
    with bench_pair.opened(options, speculation) as (engine, _):
        found = race_output.race_prompt(engine, prompt, settings)
    if options.json:
        print(json.dumps(race_output.as_json(found), ensure_ascii=False))
    else:
        show(race_output.in_words(found))
    return 0


def _prompt(options: Namespace) -> str | tuple[int, ...]:
    if options.prompt_tokens is not None:
        if options.prompt is not None:
            raise UsageError("There are two prompts, one as text and one as token numbers.", "Give one of them.")
        tokens: tuple[int, ...] = options.prompt_tokens
        return tokens
    text: str = options.prompt or ""
    if not text.strip():
        raise UsageError("There is nothing to race.", 'Give a prompt: sparkdesk bench race "Count from 1 to 40."')
    return text
