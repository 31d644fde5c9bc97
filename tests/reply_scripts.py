"""What the scripted engine says: scripts for each need. A character is a token."""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from sparkdesk.engine.round import Round, TokenLogprobs
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.runner.protocol import Generate
from tests.scripted_engine import Script, ScriptedEngine

Answer = Callable[[str, GenerationSettings], str]
"""What to answer a prompt."""
PLAIN_MS = 7.0
"""What a plain step costs, as the engine of these rounds says."""
Rounds = Callable[[tuple[int, ...], GenerationSettings], Sequence[Round]]
"""The rounds of a reply after its first token."""


def plain(*tokens: int) -> Round:
    """Tokens that no draft proposed."""
    return Round(tokens, (False,) * len(tokens), plain_ms_per_token=PLAIN_MS)


def saying(*texts: str, stop_reason: str = "end") -> Script:
    """Every reply is these texts, a round each."""
    return writing_rounds(*(tuple(map(ord, text)) for text in texts), stop_reason=stop_reason)


def writing(*tokens: int, stop_reason: str = "end") -> Script:
    """Every reply is these tokens, a round each."""
    return writing_rounds(*((token,) for token in tokens), stop_reason=stop_reason)


def writing_rounds(*rounds: tuple[int, ...], stop_reason: str = "end") -> Script:
    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        for tokens in rounds:
            yield plain(*tokens)
        return stop_reason

    return script


def writing_bytes(*rounds: Sequence[bytes], stop_reason: str = "end") -> Script:
    """Every reply is these tokens' bytes, round by round."""

    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        for pieces in rounds:
            yield plain(*map(engine.token_of, pieces))
        return stop_reason

    return script


def failing(error: Exception, *texts: str) -> Script:
    """These texts, then the error."""

    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        for text in texts:
            yield plain(*map(ord, text))
        raise error

    return script


def talking_on(began: threading.Event | None = None) -> Script:
    """Until cancelled."""

    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        while True:
            yield plain(ord("x"))
            if began is not None:
                began.set()

    return script


def answering(answer: Answer | str, *, round_tokens: int = 3) -> Script:
    """What `answer` makes of the prompt, as far as the limit allows, all but the last token of a round drafted.

    It thinks before anything is said: what `answer` raises comes before the first event.
    """

    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        text = answer if isinstance(answer, str) else answer(engine.text_of(request), request.settings)
        return drafted_rounds_of(text, request.settings, round_tokens)

    return script


def drafted_rounds_of(text: str, settings: GenerationSettings, round_tokens: int) -> Generator[Round, None, str]:
    said = text[: settings.max_tokens] if settings.max_tokens else text
    for start in range(0, len(said), round_tokens):
        done = drafted(said[start : start + round_tokens], is_first=start == 0)
        yield with_logprobs(done, settings.top_logprobs)
    return "length" if len(said) < len(text) else "end"


def drafted(text: str, *, is_first: bool) -> Round:
    right = 0 if is_first else len(text) - 1
    return Round(
        tuple(map(ord, text)),
        (True,) * right + (False,) * (len(text) - right),
        drafted=right,
        verified=right,
        accepted=right,
        verify_ms=1.0,
        is_first=is_first,
    )


def with_logprobs(done: Round, top: int | None) -> Round:
    """Each token the likeliest of `top` that are all the same."""
    if top is None:
        return done
    return replace(done, logprobs=tuple(TokenLogprobs(-0.5, (token,) * top, (-0.5,) * top) for token in done.tokens))


def playing(rounds: Rounds) -> Script:
    """A first token, then these rounds; it ends at the limit."""

    def script(engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        yield Round((65,), (False,), is_first=True)
        if request.settings.max_tokens != 1:
            yield from rounds(request.tokens, request.settings)
        return "length"

    return script
