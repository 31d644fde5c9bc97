"""`sparkdesk paths`: where SparkDesk keeps its files."""

import json
from argparse import ArgumentParser, Namespace

from sparkdesk.config.paths import HOME_VARIABLE, Paths, user_paths


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=False, help="print one JSON object")
    parser.epilog = f"Set {HOME_VARIABLE} to a folder to keep everything below it."


def run(options: Namespace) -> int:
    folders = _named(user_paths())
    if options.json:
        print(json.dumps(folders, indent=2))
    else:
        width = max(map(len, folders))
        print("\n".join(f"{name.ljust(width)}  {folder}" for name, folder in folders.items()))
    return 0


def _named(paths: Paths) -> dict[str, str]:
    return {
        "settings": str(paths.settings_file),
        "history": str(paths.history_file),
        "data": str(paths.data),
        "models": str(paths.models),
        "state": str(paths.state),
        "logs": str(paths.logs),
        "cache": str(paths.cache),
    }
