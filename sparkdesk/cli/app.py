"""The command line as a whole: finds the command, runs it, and turns what went wrong into words and an exit code."""

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from sparkdesk import __version__
from sparkdesk.cli.console import say_error
from sparkdesk.cli.parser import Parser
from sparkdesk.config.paths import HOME_VARIABLE, user_paths
from sparkdesk.errors import DataError, SparkDeskError, UsageError

COMMANDS = {
    "demo": "chat with Spark Tiny, the bundled pair",
    "chat": "chat with your own models, or answer one prompt",
    "serve": "serve a pair over the APIs of OpenAI and Anthropic",
    "connect": "chat with an OpenAI-compatible server",
    "export": "print the command that serves a pair on vLLM, SGLang or llama-server",
    "history": "list, search, export and remove saved conversations",
    "list": "list the models on this machine, and which make pairs",
    "remove": "remove a pair or a model, after showing what else uses it",
    "pull": "download a pair, or one model, from the hub",
    "build": "get a pair ready to chat: download, convert, check",
    "search": "search the hub for models that SparkDesk can run",
    "convert": "turn a checkpoint into a GGUF file",
    "bench": "measure what speculation gains on this machine",
    "doctor": "check this machine and suggest fixes",
    "paths": "show where SparkDesk keeps its files",
    "completion": "print a script that completes commands in bash, zsh or fish",
    "man": "print the manual page",
}
_SCREEN = "screen"
_JUST_LOOKING = ("doctor", "paths")
DESCRIPTION = "Run a local model together with its DSpark draft, and watch what speculative decoding gains."
_EPILOG = (
    "Without a command the screen opens with Spark Tiny, or with the pair given by --pair, or by --target and --draft. "
    "sparkdesk COMMAND --help explains a command."
)
_INTERRUPTED = 130
_SIGNALLED = 128
_BROKEN_PIPE = 141
DEFECT = 70  # EX_SOFTWARE of sysexits.h


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    before = _end_in_order()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except SparkDeskError as error:
        from sparkdesk.cli.console import say_error  # it needs dataclasses, which take a tenth of the time to --help

        say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return _BROKEN_PIPE
    except SystemExit as done:  # argparse ends --help and --version this way
        return int(done.code or 0)
    except OSError as error:
        return explained(error)
    except Exception as error:
        return _report_defect(error)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_in_order() -> dict[int, Any]:
    """SIGTERM, and SIGHUP of a closed terminal, end a command as Ctrl+C does: what is half written is removed, and the
    children are ended. Returns the handlers there were."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        # Whoever ignores one, as nohup does, means it.
        return {each: signal.signal(each, _exit) for each in numbers if signal.getsignal(each) is not signal.SIG_IGN}
    except ValueError:  # not the main thread: somebody else looks after signals
        return {}


def _exit(number: int, frame: object) -> None:
    raise SystemExit(_SIGNALLED + number)


def _dispatch(arguments: Sequence[str]) -> int:
    parser = parser_for(None)
    word = parser.first_word(arguments)
    if word in COMMANDS:
        _check_order(arguments, word)
    options = (parser_for(word) if word in COMMANDS else parser).parse(arguments)
    return _command(options.command or _SCREEN, options)


def _check_order(arguments: Sequence[str], command: str) -> None:
    """What stands before a command is about the screen, and would be dropped."""
    for each in arguments[: arguments.index(command)]:
        name = each.split("=")[0]
        if name.startswith("--") and name not in ("--help", "--version"):
            raise UsageError(
                f"{name} before {command} has no effect.",
                f"Write the options of a command after it; see sparkdesk {command} --help.",
            )


def _command(name: str, options: Namespace) -> int:
    if name not in _JUST_LOOKING:
        from sparkdesk.config.home import put_in_order
        from sparkdesk.config.paths import user_paths

        put_in_order(user_paths())
    code: int = import_module(f"sparkdesk.cli.{name}").run(options)
    return code


def parser_for(chosen: str | None) -> Parser:
    """Only the chosen command's module is imported: each knows its own arguments."""
    parser = Parser(prog="sparkdesk", description=DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"sparkdesk {__version__}")
    parser.add_argument("--target", default=None, metavar="FILE", help="target model (GGUF) to open on the screen")
    parser.add_argument("--draft", default=None, metavar="FILE", help="its draft (GGUF), of any kind")
    parser.add_argument("--drafter", default=None, metavar="mtp|context|NAME", help="what drafts instead of a file")
    parser.add_argument("--pair", default=None, metavar="NAME", help="pair to open on the screen")
    parser.add_argument("--continue", dest="continues", action="store_true", help="continue the last chat")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=_sentence(summary), allow_abbrev=False)
        if name == chosen:
            import_module(f"sparkdesk.cli.{name}").add_arguments(command)
    return parser


def _sentence(summary: str) -> str:
    return summary[0].upper() + summary[1:] + "."


def _report_defect(error: Exception) -> int:
    """The last resort: an error nobody expected becomes one line for the user and a stack in the log folder."""
    from sparkdesk.cli.console import say
    from sparkdesk.config.paths import user_paths
    from sparkdesk.error_log import write_log

    say(f"sparkdesk: Unexpected {type(error).__name__}: {error}. This is a bug in SparkDesk.")
    try:
        say(f"  Where it happened is recorded in {write_log(error, user_paths().logs)}; please report it.")
    except Exception as failure:  # the home may be what is broken
        say(f"  It could not be written to the log ({failure}).")
    return DEFECT


def _forget_stdout() -> None:
    """Keep Python from complaining about the closed pipe once more at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explained(error: OSError) -> int:
    """Says it in one sentence; returns the exit code: 2 where it is about settings, 3 about data."""
    reason = error.strerror or type(error).__name__
    if error.filename is None:
        _forget_stdout()  # or Python complains once more at the end
        return _said(DataError(f"Nothing more can be written or read: {reason}.", "Is a disk full?"))
    path = Path(os.fsdecode(error.filename))
    kind = UsageError if path.is_relative_to(user_paths().config) else DataError
    return _said(
        kind(f"{path} cannot be used: {reason}.", f"See: sparkdesk doctor. {HOME_VARIABLE} names another place.")
    )


def _said(error: SparkDeskError) -> int:
    say_error(error)
    return error.exit_code
