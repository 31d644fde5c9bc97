"""One request's answers, told apart from what went wrong; and a reply that any thread may cancel."""

from collections.abc import Iterator
from typing import TypeVar

from sparkdesk import errors
from sparkdesk.errors import EngineError, SparkDeskError
from sparkdesk.runner.crash import ProcessExit
from sparkdesk.runner.process import ChildProcess
from sparkdesk.runner.protocol import Cancel, Failed, Finished, Generate, Prefilling, Response, RoundDone

Answer = TypeVar("Answer", bound=Response)


class Reply:
    """A reply that has been asked for. One thread reads its events; `cancel` may come from any other."""

    def __init__(self, child: ChildProcess, request: Generate) -> None:
        self._child = child
        self._exchange = child.ask(request)

    def events(self) -> Iterator[Prefilling | RoundDone | Finished]:
        """As they come, `Finished` last. Raises what the engine says went wrong, or EngineCrashed."""
        while True:
            answer = checked(self._exchange.next_answer())
            assert isinstance(answer, Prefilling | RoundDone | Finished), answer
            yield answer
            if isinstance(answer, Finished):
                return

    def cancel(self) -> None:
        """End this reply, and no other, after its current round; `events` still comes to `Finished`.

        One that waits its turn ends without a round. A reply that is over stays as it is.
        """
        if not self._exchange.is_over:
            self._child.tell(Cancel(self._exchange.request_id))


def expected(answer: Response | ProcessExit, kind: type[Answer]) -> Answer:
    response = checked(answer)
    assert isinstance(response, kind), response
    return response


def checked(answer: Response | ProcessExit) -> Response:
    """Raise what the child says went wrong, under the class it names."""
    if isinstance(answer, ProcessExit):
        raise answer.error()
    if isinstance(answer, Failed):
        kind = getattr(errors, answer.kind, EngineError)
        known = kind if isinstance(kind, type) and issubclass(kind, SparkDeskError) else EngineError
        raise known(answer.message, answer.hint)
    return answer
