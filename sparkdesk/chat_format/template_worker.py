"""Renders chat templates in a process of its own, which may be ended: a template comes with a download.

Jinja's sandbox keeps a template from reaching anything, but not from computing without an end. So memory and processor
time are bounded by the system here, and the length of what comes out by counting. Reads requests from stdin and writes
answers to stdout, a line of JSON each (template_process.py, which waits only so long).
"""

import json
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Environment, Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sparkdesk.engine.special_text import LITERAL

MOST_MEMORY_BYTES = 768_000_000
_MISTAKES = (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What a template that came with a download may raise."""


def main() -> None:
    """Answers until stdin ends."""
    bound_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program that asked
    for line in sys.stdin.buffer:
        print(json.dumps(render(json.loads(line))), flush=True)


def render(request: dict[str, Any]) -> dict[str, str]:
    """{"text": ...} or {"error": what went wrong}. Where the time is over, the system ends the process."""
    bound_time(request["cpu_s"])
    try:
        return {"text": _render(request)}
    except MemoryError:
        return {"error": "It needs too much memory."}
    except (*_MISTAKES, SyntaxError, OverflowError) as error:
        return {"error": _in_one_line(error)}
    finally:
        bound_time(0.0)


def _render(request: dict[str, Any]) -> str:
    parts, length, most = [], 0, request["most_characters"]
    for part in _compiled(request["template"]).generate(request["context"]):
        parts.append(part)
        length += len(part)
        if length > most:
            raise TemplateError(f"It writes more than {most:,} characters for this conversation.")
    return "".join(parts)


def bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # Windows has none, and macOS does not hold it: there the time limit has to do


def bound_time(seconds: float) -> None:
    """Of the processor; 0 is no limit. A power of large numbers hears no exception, so the signal ends the process."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


@lru_cache(maxsize=4)  # a long template takes a tenth of a second to compile, too long for every turn
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


class _GenerationBlock(Extension):
    """{% generation %} marks what the assistant says, for training; here it is only its content."""

    tags = {"generation"}  # noqa: RUF012  jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> Environment:
    """As Hugging Face's, which models are written for."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _GenerationBlock]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(_functions())
    return environment


def _functions() -> dict[str, Callable[..., Any]]:
    return {"raise_exception": _raise, "strftime_now": lambda form: datetime.now().strftime(form)}


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja2's own escapes HTML, which models were not trained on."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    return text.replace(json.dumps(LITERAL)[1:-1], LITERAL) if ensure_ascii else text


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error)[:500].split()) or type(error).__name__
    return text if text.endswith((".", "!")) else f"{text}."


if __name__ == "__main__":
    main()
