"""`sparkdesk serve`: a pair behind the APIs of OpenAI and Anthropic, until Ctrl+C."""

import os
import socket
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from converters.regular_file import read_regular_text
from sparkdesk.cli import generation_args, values
from sparkdesk.cli.client_settings import PROGRAMS, ServedModel
from sparkdesk.cli.console import say, show, show_progress
from sparkdesk.errors import UsageError
from sparkdesk.loading.choice import ChosenPair, chosen_pair
from sparkdesk.local_path import expanded

if TYPE_CHECKING:
    from sparkdesk.chat.settings import ChatSettings
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.server.requests.models import RequestDefaults
    from sparkdesk.server.web.security import Policy
    from sparkdesk.server.web.serving import Tls
from contextlib import suppress
from pathlib import Path

from sparkdesk.config.paths import HOME_VARIABLE

_NOTIFY_SOCKET = "NOTIFY_SOCKET"
_SPECIAL = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t"}
_READ_S = 10
"""Beside the grace: for the engine to end."""


def unit(name: str, arguments: Sequence[str], *, grace_s: float) -> str:
    """For `~/.config/systemd/user` or `/etc/systemd/system`. `arguments` are those of `sparkdesk`."""
    home = os.environ.get(HOME_VARIABLE)
    command = " ".join(map(_quoted, (sys.executable, "-m", "sparkdesk", *arguments)))
    return "\n".join(
        (
            "[Unit]",
            f"Description=SparkDesk serves {_plain(name)}",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=notify",
            "NotifyAccess=main",
            f"WorkingDirectory={_plain(str(Path.cwd()))}",
            *((f"Environment={_quoted(f'{HOME_VARIABLE}={home}')}",) if home else ()),
            f"ExecStart={command}",
            "Restart=on-failure",
            "TimeoutStartSec=infinity",
            f"TimeoutStopSec={round(grace_s) + _READ_S}",
            "",
            "[Install]",
            "WantedBy=default.target",
        )
    )


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told: READY=1, STOPPING=1. Silent where it does not listen."""
    address = os.environ.get(_NOTIFY_SOCKET, "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as responder:
        responder.connect("\0" + address[1:] if address.startswith("@") else address)
        responder.send(state.encode())


def _quoted(word: str) -> str:
    """As systemd reads a word of a command."""
    return '"' + "".join(_SPECIAL.get(character, character) for character in word) + '"'


def _plain(text: str) -> str:
    """As systemd reads the rest of a line."""
    return " ".join(text.split("\n")).replace("%", "%%")


KEY_VARIABLE = "SPARKDESK_API_KEY"
_USUAL_QUEUE = 64
_USUAL_GRACE_S = 10.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"The key may be in {KEY_VARIABLE} too, where other users of this machine do not see it."
    parser.add_argument("name", nargs="?", metavar="PAIR", help="a pair on this disk; without one, Spark Tiny")
    parser.add_argument("--target", metavar="FILE", help="target model (GGUF), instead of a pair's name")
    generation_args.add_draft(parser, without="; without one, plain decoding")
    parser.add_argument("--alias", action="append", default=[], metavar="NAME", help="another name for the model")
    _add_network(parser)
    parser.add_argument("--thinking", action="store_true", help="let the model think where a request does not say")
    _add_service(parser)
    generation_args.add_speculation(parser)
    generation_args.add_sampling(parser)
    generation_args.add_loading(parser)


def _add_service(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("service")
    group.add_argument(
        "--for",
        choices=sorted(PROGRAMS),
        dest="program",
        metavar="PROGRAM",
        help=f"print what this program must be told, and exit: {', '.join(PROGRAMS)}",
    )
    group.add_argument("--print-systemd", action="store_true", help="print a unit that serves like this, and exit")
    group.add_argument(
        "--idle-unload",
        type=values.duration,
        metavar="TIME",
        help="unload the model after so long without a request, such as 10m; the next one has it loaded again",
    )


def _add_network(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1, this machine only")
    group.add_argument(
        "--port", type=values.whole_number(least=0), default=8080, metavar="N", help="default 8080; 0: a free one"
    )
    group.add_argument("--api-key", metavar="KEY", help="clients must know it; needed beyond this machine")
    group.add_argument("--api-key-file", metavar="FILE", help="the key is the first line of this file")
    group.add_argument("--tls-cert", metavar="FILE", help="HTTPS with this certificate (PEM); needs --tls-key")
    group.add_argument("--tls-key", metavar="FILE", help="the certificate's key (PEM)")
    group.add_argument(
        "--allowed-host", action="append", default=[], metavar="NAME", help="a name clients may call this server by"
    )
    group.add_argument(
        "--cors-origin", action="append", default=[], metavar="ORIGIN", help="a web page that may ask; * is every one"
    )
    group.add_argument(
        "--queue",
        type=values.whole_number(least=1),
        default=_USUAL_QUEUE,
        metavar="N",
        help=f"requests that may wait; default {_USUAL_QUEUE}",
    )
    group.add_argument(
        "--grace",
        type=values.real_number(most=3600),
        default=_USUAL_GRACE_S,
        metavar="S",
        help=f"seconds for the reply in the making when the server is stopped; default {_USUAL_GRACE_S:g}",
    )


def run(options: Namespace) -> int:
    pair = chosen_pair(options.target, options.draft or None, options.name, options.drafter)
    if options.program or options.print_systemd:
        return _print(pair, options)
    from sparkdesk.server.web.serving import listen

    policy, tls = _policy(options), _tls(options)
    with listen(options.host, options.port) as listener:
        return _serve(pair, options, policy, tls, listener)


def _print(pair: ChosenPair, options: Namespace) -> int:
    if options.program and options.print_systemd:
        raise UsageError("--for and --print-systemd print different things.", "Give one of them.")
    if not options.port:
        raise UsageError("Port 0 is another one every time.", "Give the --port that will be served on.")
    policy = _policy(options)
    if options.print_systemd:
        if policy.api_key and options.api_key_file is None:
            raise UsageError(
                "A unit does not keep a key: others could read it.", "Put it into a file, and give --api-key-file FILE."
            )
        show(unit(_name_of(pair), _without_print(sys.argv[1:]), grace_s=options.grace))
        return 0
    address = _address(options.host, options.port, is_encrypted=bool(options.tls_cert))
    served = ServedModel(address, _name_of(pair), key_variable=KEY_VARIABLE if policy.api_key else "")
    show(PROGRAMS[options.program](served))
    return 0


def _without_print(arguments: Sequence[str]) -> list[str]:
    return [each for each in arguments if each != "--print-systemd"]


def _tls(options: Namespace) -> "Tls | None":
    if not options.tls_cert and not options.tls_key:
        return None
    if not options.tls_cert or not options.tls_key:
        raise UsageError("HTTPS needs a certificate and its key.", "Give both --tls-cert and --tls-key.")
    from sparkdesk.server.web.serving import Tls

    tls = Tls(str(expanded(options.tls_cert)), str(expanded(options.tls_key)))
    tls.check()
    return tls


def _serve(pair: ChosenPair, options: Namespace, policy: "Policy", tls: "Tls | None", listener: socket.socket) -> int:
    from sparkdesk.config.paths import user_paths
    from sparkdesk.loading.loading import open_pair
    from sparkdesk.runner.client import EngineClient
    from sparkdesk.server.jobs.dispatcher import Dispatcher
    from sparkdesk.server.web.app import build_app
    from sparkdesk.server.web.serving import RunningServer

    settings = generation_args.settings_file()
    chat = generation_args.chat_settings(options, settings)
    how, paths = generation_args.loading(options, settings), user_paths()
    with EngineClient(machine_file=paths.machine_file, tuner_folder=paths.learned) as engine:

        def load() -> None:
            show_progress(open_pair(engine, pair, how=how, speculation=chat.speculation))

        load()
        assert engine.model is not None
        defaults = _defaults(pair, options, chat, engine.model)
        _warn(engine.model, policy, is_encrypted=tls is not None)
        dispatcher = Dispatcher(engine, reload=load, capacity=options.queue, idle_unload_s=options.idle_unload, log=say)
        app = build_app(dispatcher, defaults, policy, log=say)
        address = _address(*listener.getsockname()[:2], is_encrypted=tls is not None)

        def greet() -> None:
            _greet(defaults, policy, address)
            notify("READY=1")

        RunningServer(app, dispatcher, grace_s=options.grace, on_ready=greet, tls=tls).run(listener)
        notify("STOPPING=1")
    say("Stopped.")
    return 0


def _policy(options: Namespace) -> "Policy":
    from sparkdesk.server.web.security import Policy, host_names, is_loopback

    key = _key(options)
    if not key and not is_loopback(options.host):
        raise UsageError(
            f"Listening on {options.host} lets others ask, and there is no key.",
            f"Give --api-key KEY, or put it into {KEY_VARIABLE}; or leave out --host.",
        )
    return Policy(options.host, key, host_names(options.allowed_host), tuple(options.cors_origin))


def _key(options: Namespace) -> str:
    if options.api_key is not None and options.api_key_file is not None:
        raise UsageError("There are two keys.", "Give either --api-key or --api-key-file.")
    key = options.api_key if options.api_key is not None else os.environ.get(KEY_VARIABLE, "")
    if options.api_key_file is not None:
        try:
            key = (read_regular_text(expanded(options.api_key_file)).splitlines() or [""])[0]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The key file {options.api_key_file} cannot be read: {error}.") from None
    key = key.strip()
    if not key and (options.api_key is not None or options.api_key_file is not None):
        raise UsageError("The key is empty.", "A key of many letters and digits keeps others out.")
    return str(key)


def _defaults(pair: ChosenPair, options: Namespace, chat: "ChatSettings", model: "ModelInfo") -> "RequestDefaults":
    from sparkdesk.chat.recommended import follow, recommended_sampling
    from sparkdesk.engine.settings import SamplingSettings
    from sparkdesk.server.requests.models import RequestDefaults

    # What the command line leaves as it is becomes what the model's makers recommend.
    answering, thinking = (
        follow(chat.sampling, SamplingSettings(), recommended_sampling(model, is_thinking=is_thinking))
        for is_thinking in (False, True)
    )
    return RequestDefaults(
        sampling=answering,
        thinking_sampling=thinking,
        speculation=chat.speculation,
        is_thinking=options.thinking,
        names=(_name_of(pair), *options.alias),
        block_size=model.block_size,
        vocabulary_size=model.vocabulary_size,
    )


def _name_of(pair: ChosenPair) -> str:
    """By which clients know it."""
    return "-".join(pair.name.split())


def _warn(model: "ModelInfo", policy: "Policy", *, is_encrypted: bool) -> None:
    from sparkdesk.server.web.security import is_loopback

    if model.draft_problem:
        say(f"Without speculation: {model.draft_problem}")
    if not model.chat_template:
        say("This model brings no chat template: it continues messages as they stand.")
    if not is_loopback(policy.host):
        reads = "." if is_encrypted else ", and the network can read along, because this is not HTTPS."
        say(f"Listening on {policy.host}: everyone who reaches this machine and knows the key can ask{reads}")
    if "*" in policy.cors_origins and not policy.api_key:
        say("Every web page may ask (--cors-origin '*'), and there is no key.")


def _address(host: str, port: int, *, is_encrypted: bool) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{'https' if is_encrypted else 'http'}://{shown}:{port}"


def _greet(defaults: "RequestDefaults", policy: "Policy", address: str) -> None:
    draft = f", drafting up to {defaults.block_size} tokens at once" if defaults.block_size else ""
    say(f"Serving {defaults.names[0]} at {address}/v1{draft}. Ctrl+C stops.")
    key = f' -H "Authorization: Bearer ${KEY_VARIABLE}"' if policy.api_key else ""
    say(f"  curl {address}/v1/chat/completions{key} \\")
    say("""    -d '{"messages": [{"role": "user", "content": "Count from 1 to 10."}]}'""")
