"""`sparkdesk connect`: the screen in front of an OpenAI-compatible server."""

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from converters.regular_file import read_regular_text
from sparkdesk.cli import generation_args
from sparkdesk.cli.screen import check_terminal, show
from sparkdesk.errors import UsageError
from sparkdesk.local_path import expanded

if TYPE_CHECKING:
    from sparkdesk.remote.client import Server

KEY_VARIABLES = ("SPARKDESK_API_KEY", "OPENAI_API_KEY")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="such as http://127.0.0.1:8080")
    parser.add_argument("--model", default="", metavar="NAME", help="where the server has several; default: its first")
    parser.add_argument("--api-key", metavar="KEY", help="the server's key; other users can see it in the process list")
    parser.add_argument("--api-key-file", metavar="FILE", help="the key is the first line of this file")
    generation_args.add_conversation(parser)
    generation_args.add_speculation(parser)
    parser.epilog = (
        f"The key may be in {' or '.join(KEY_VARIABLES)} too. Works with sparkdesk serve, llama-server, vLLM, SGLang "
        "and other servers; what they report about speculation is shown."
    )


def run(options: Namespace) -> int:
    check_terminal()
    key = _key(options)
    from sparkdesk.backend.remote import RemoteBackend
    from sparkdesk.config.paths import user_paths

    settings = generation_args.settings_file()
    backend = RemoteBackend(
        lambda: _server(options.url, key),
        name=options.url,
        wanted=options.model,
        how=lambda: generation_args.loading(options, generation_args.settings_file()),
        chat=generation_args.chat_settings(options, settings),
        history_file=user_paths().history_file if settings.history else None,
        continues=options.continues,
    )
    return show(backend, options, settings)


def _server(url: str, key: str | None) -> "Server":
    from sparkdesk.remote.client import Server

    return Server(url, key=key)


def _key(options: Namespace) -> str | None:
    if options.api_key_file:
        try:
            first, *_ = [*read_regular_text(expanded(options.api_key_file)).splitlines(), ""]
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise UsageError(f"{options.api_key_file} cannot be read: {reason}.", "Check the path.") from error
        return _clean(first)
    given = options.api_key or next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    return _clean(given) if given else None


def _clean(key: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError("The API key is empty or contains invalid characters.", "Check the key.")
    return key
