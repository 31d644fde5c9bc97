"""`python -m sparkdesk` and the `sparkdesk` script: hands the command line to cli/ and returns its exit code."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from sparkdesk.cli.app import run
from sparkdesk.safe_text import guard_terminals


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows "?" rather than a stack trace
    guard_terminals()
    return run(sys.argv[1:] if arguments is None else list(arguments))


if __name__ == "__main__":
    sys.exit(main())
