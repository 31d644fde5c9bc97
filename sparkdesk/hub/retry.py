"""How long to wait before trying again, and doing so in a way that can be cancelled."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from sparkdesk.errors import HubBusy, HubUnreachable
from sparkdesk.events import Notice, Progress

Result = TypeVar("Result")
_MOMENT_S = 0.2
_LONGEST_S = 60.0
_LEAST_SAID_S = 1.5
_WAITING = "Waiting for the hub"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    tries: int = 6
    first_wait_s: float = 1.0
    longest_asked_s: float = 600.0
    """When the hub asks for more than this, it is better to tell the user."""

    def wait_s(self, failure: HubBusy | HubUnreachable, failures: int) -> float | None:
        """After so many failures in a row without a byte between them; None is: give up."""
        asked_s = failure.wait_s if isinstance(failure, HubBusy) else None
        if failures >= self.tries or (asked_s is not None and asked_s > self.longest_asked_s):
            return None
        return asked_s if asked_s is not None else min(_LONGEST_S, self.first_wait_s * 2 ** (failures - 1))


def asking(ask: Callable[[], Result], retry: RetryPolicy) -> Generator[Progress | Notice, None, Result]:
    """Ask until the hub has time. Where there is no network at all, say so at once."""
    failures = 0
    while True:
        try:
            return ask()
        except HubBusy as busy:
            failures += 1
            yield from waiting(busy, failures, retry)


def waiting(
    failure: HubBusy | HubUnreachable, failures: int, retry: RetryPolicy
) -> Generator[Progress | Notice, None, None]:
    """Raises `failure` when it is enough."""
    wait_s = retry.wait_s(failure, failures)
    if wait_s is None:
        raise failure
    if wait_s >= _LEAST_SAID_S:
        yield Notice(f"{failure.message} Trying again in {wait_s:.0f} s.")
    began_s = time.monotonic()
    while (waited_s := time.monotonic() - began_s) < wait_s:
        yield Progress(_WAITING, waited_s, wait_s, "")
        time.sleep(min(_MOMENT_S, wait_s - waited_s))
