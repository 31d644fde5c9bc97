"""`sparkdesk demo`: Spark Tiny on the screen, or one answer decoded plainly and with speculation, and compared."""

import json
from argparse import ArgumentParser, Namespace

from sparkdesk.cli import generation_args
from sparkdesk.cli.console import show, show_progress
from sparkdesk.cli.screen import open_screen
from sparkdesk.errors import UsageError
from sparkdesk.loading.choice import demo_pair


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = "With --prompt the answer is greedy and generated twice: plain, then with speculation."
    parser.add_argument("--prompt", metavar="TEXT", help="answer this twice, compare, and exit")
    parser.add_argument("--json", action="store_true", help="with --prompt: print one JSON object")
    generation_args.add_continue(parser)
    generation_args.add_loading(parser)


def run(options: Namespace) -> int:
    if options.prompt is None:
        if options.json:
            raise UsageError("--json needs a prompt.", "Give --prompt TEXT.")
        return open_screen(demo_pair(), options)
    if not options.prompt.strip():
        raise UsageError("The prompt is empty.", "Give --prompt TEXT.")
    from sparkdesk.bench.race import RaceSettings
    from sparkdesk.cli import race_output
    from sparkdesk.config.paths import user_paths
    from sparkdesk.engine.settings import SpeculationSettings
    from sparkdesk.loading.loading import open_pair
    from sparkdesk.runner.client import EngineClient

    how = generation_args.loading(options, generation_args.settings_file())
    paths = user_paths()
    with EngineClient(machine_file=paths.machine_file, tuner_folder=paths.learned) as engine:
        show_progress(open_pair(engine, demo_pair(), how=how, speculation=SpeculationSettings()))
        found = race_output.race_prompt(engine, options.prompt, RaceSettings(max_tokens=0))
    if options.json:
        print(json.dumps(race_output.as_json(found), ensure_ascii=False))
    else:
        show(race_output.in_words(found))
    return 0
