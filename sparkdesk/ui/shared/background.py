"""Short work beside the screen's thread: its result or its failure comes back to the screen, also a bug of ours."""

import traceback
from collections.abc import Callable
from typing import TypeVar

from textual.dom import DOMNode

from sparkdesk.errors import SparkDeskError

Result = TypeVar("Result")
BUG_HINT = "This is a bug in SparkDesk."


def in_background(
    node: DOMNode,
    work: Callable[[], Result],
    *,
    group: str,
    done: Callable[[Result], object],
    failed: Callable[[str, str], object],
) -> None:
    """Run `work` in a thread. Then `done(result)` or `failed(cause, hint)` runs in the screen's own thread, as long as
    `node` is there."""

    def run() -> None:
        try:
            result = work()
        except SparkDeskError as error:
            node.call_later(failed, error.message, error.hint)
        except Exception as error:
            node.call_later(failed, unexpected(error), BUG_HINT)
        else:
            node.call_later(done, result)

    node.run_worker(run, thread=True, group=group, exit_on_error=False)


def unexpected(error: BaseException) -> str:
    """A bug of ours, named well enough to be reported."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"Unexpected {type(error).__name__}: {error}{where}"
