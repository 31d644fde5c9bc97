"""Reads a request to /v1/completions."""

from typing import Annotated

from msgspec import Meta

from sparkdesk.server.requests.decoding import MUST, decode, refuse
from sparkdesk.server.requests.models import CompletionRequest, RequestDefaults
from sparkdesk.server.requests.options import LogprobsCount, OptionsBody, read_options

_DEFAULT_MAX_TOKENS = 16
"""OpenAI's own."""
_UNSUPPORTED = "is not supported here; leave it out"
_PROMPT = "be a string that is not empty, or an array of token numbers"


class CompletionBody(OptionsBody, frozen=True, kw_only=True):
    prompt: Annotated[str | list[str | int | list[int]], Meta(extra={MUST: _PROMPT})]
    logprobs: LogprobsCount | None = None
    lookup: bool | None = None
    suffix: str | None = None


def read_completion_request(sent: object, defaults: RequestDefaults) -> CompletionRequest:
    """Raises ApiError."""
    body = decode(sent, CompletionBody)
    if body.lookup:
        refuse("echo", _UNSUPPORTED)
    if body.suffix:
        refuse("suffix", _UNSUPPORTED)
    logprobs = None if body.logprobs is None else int(body.logprobs)
    options = read_options(body, defaults, sent=sent, logprobs=logprobs, default_limit=_DEFAULT_MAX_TOKENS)
    return CompletionRequest(options, _prompt(body, defaults))


def _prompt(body: CompletionBody, defaults: RequestDefaults) -> str | tuple[int, ...]:
    given = body.prompt
    if isinstance(given, list) and len(given) == 1 and not isinstance(given[0], int):
        given = given[0] if isinstance(given[0], str) else [*given[0]]
    if isinstance(given, str) and given:
        return given
    tokens = tuple(token for token in given if isinstance(token, int))
    if tokens and len(tokens) == len(given):
        if not all(0 <= token < defaults.vocabulary_size for token in tokens):
            refuse("prompt", f"must have tokens from 0 to {defaults.vocabulary_size - 1} only")
        return tokens
    if len(given) > 1 and not tokens:
        refuse("prompt", "must be one prompt: send each in a request of its own")
    refuse("prompt", f"must {_PROMPT}")
