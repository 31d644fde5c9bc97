"""`sparkdesk chat`: one answer to a prompt, or the screen on the user's own pair."""

import json
import os
import stat
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, TextIO

from sparkdesk.chat.messages import Message, with_attachments
from sparkdesk.cli import generation_args, values
from sparkdesk.cli.console import say, show_progress
from sparkdesk.cli.screen import open_screen
from sparkdesk.errors import PairMismatch, UsageError
from sparkdesk.loading.choice import chosen_pair
from sparkdesk.safe_text import safe_text

if TYPE_CHECKING:
    from sparkdesk.chat.events import ReplyFinished
    from sparkdesk.chat.settings import ChatSettings
    from sparkdesk.chat_format.parts import Part
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.runner.client import EngineClient

Prompt = str | tuple[int, ...]


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Without --prompt, and with nothing piped in, the screen opens. What is piped in is the prompt, or follows the "
        "one of --prompt: cat notes.txt | sparkdesk chat qwen3-8b --prompt 'Summarize this.'"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a pair on this disk, such as qwen3-8b")
    parser.add_argument("--target", metavar="FILE", help="target model (GGUF), instead of a pair's name")
    generation_args.add_draft(parser, without="; without one, plain decoding")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--prompt", metavar="TEXT", help="answer this and exit")
    asked.add_argument("--prompt-tokens", type=values.token_ids, metavar="1,2,3", help="continue these token IDs")
    parser.add_argument("--max-tokens", type=values.whole_number(least=0), metavar="N", help="0: no limit")
    parser.add_argument("--raw", action="store_true", help="use the prompt as it is, without the chat template")
    parser.add_argument("--ignore-eos", action="store_true", help="continue past the end of the reply")
    parser.add_argument("--json", action="store_true", help="print one JSON object: text, reasoning, tokens, figures")
    generation_args.add_conversation(parser)
    generation_args.add_speculation(parser)
    generation_args.add_sampling(parser)
    generation_args.add_loading(parser)


def run(options: Namespace) -> int:
    if options.name is None and options.target is None:
        raise UsageError("No model was named.", "Name a pair, or give --target FILE.")
    pair = chosen_pair(options.target, options.draft or None, options.name, options.drafter)
    prompt = _prompt(options)
    if prompt is None:
        return open_screen(pair, options)
    from sparkdesk.config.paths import user_paths
    from sparkdesk.loading.loading import open_pair
    from sparkdesk.runner.client import EngineClient

    settings = generation_args.settings_file()
    chat = generation_args.chat_settings(options, settings)
    paths = user_paths()
    with EngineClient(machine_file=paths.machine_file, tuner_folder=paths.learned) as engine:
        how = generation_args.loading(options, settings)
        show_progress(open_pair(engine, pair, how=how, speculation=chat.speculation))
        assert engine.model is not None
        _check(engine.model, prompt, chat=chat)
        finished = _answer(engine, prompt, chat=chat, is_streamed=not options.json)
    _report(finished, is_raw=chat.is_raw, is_json=options.json)
    return 0


def _prompt(options: Namespace) -> Prompt | None:
    """What to answer; None for the screen."""
    prompt = _written(options)
    if prompt is not None and options.continues:
        raise UsageError("--continue is for the screen, and there is a prompt to answer.", "Leave out one of them.")
    return prompt


def _written(options: Namespace) -> Prompt | None:
    if options.prompt_tokens is not None:
        tokens: tuple[int, ...] = options.prompt_tokens
        return tokens
    piped = _piped_in()
    if options.prompt is None and piped is None:
        if options.json:
            raise UsageError("--json needs a prompt.", "Give --prompt TEXT, or pipe one in.")
        return None
    text = "\n\n".join(each for each in (options.prompt, piped) if each and each.strip())
    if not text:
        raise UsageError("The prompt is empty.", "Give --prompt TEXT, or pipe one in.")
    return with_attachments(Message("user", text, attachments=generation_args.attachments(options))).content


def _piped_in() -> str | None:
    """None where nothing is: a terminal, or whatever else a program was started from."""
    if not _is_pipe_or_file(sys.stdin):
        return None
    # Not through sys.stdin, which gives up at the first byte that is no UTF-8.
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _is_pipe_or_file(stream: TextIO) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _check(model: "ModelInfo", prompt: Prompt, *, chat: "ChatSettings") -> None:
    if model.draft_problem and chat.speculation.is_enabled:
        raise PairMismatch(model.draft_problem, "Without --draft, or with --no-spec, the target runs alone.")
    if not model.chat_template and not chat.is_raw and isinstance(prompt, str):
        say("This model has no chat template: it continues the prompt as it is (--raw).")


def _answer(engine: "EngineClient", prompt: Prompt, *, chat: "ChatSettings", is_streamed: bool) -> "ReplyFinished":
    from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
    from sparkdesk.chat.oneshot import stream_answer
    from sparkdesk.chat_format.reasoning import ALL_TAGS, ReasoningParser

    parser = ReasoningParser(() if chat.is_raw else ALL_TAGS)
    for event in stream_answer(engine, prompt, settings=chat):
        if isinstance(event, ReplyAdvanced) and is_streamed:
            _print_parts(parser.feed(event.text))
        elif isinstance(event, ReplyFinished):
            _print_parts(parser.finish())
            return event
    raise AssertionError("a reply ends with ReplyFinished")


def _print_parts(parts: "list[Part]") -> None:
    """The answer goes to stdout; what the model thought before it is no part of it, and goes to stderr."""
    from sparkdesk.chat_format.parts import ContentDelta, ReasoningDelta

    for part in parts:
        if isinstance(part, ReasoningDelta):
            print(safe_text(part.text), end="", flush=True, file=sys.stderr)
        elif isinstance(part, ContentDelta):
            print(part.text, end="", flush=True)


def _report(finished: "ReplyFinished", *, is_raw: bool, is_json: bool) -> None:
    from sparkdesk.chat_format.reasoning import split_reply

    if is_json:
        parts = split_reply(finished.text)
        answer = {
            "text": finished.text if is_raw else parts.answer,
            **({"reasoning": parts.reasoning} if parts.reasoning and not is_raw else {}),
            "tokens": finished.tokens,
            "stop_reason": finished.stop_reason,
            "stats": finished.stats.as_json(),
        }
        print(json.dumps(answer, ensure_ascii=False))
        return
    print(flush=True)
    stats = finished.stats
    figures = [f"{stats.generated} tokens", f"{stats.tokens_per_second:.1f} tok/s"]
    if stats.verified:
        figures += [f"accepted length {stats.accepted_length:.2f}", f"acceptance {stats.acceptance:.0%}"]
    say(" · ".join(figures))
