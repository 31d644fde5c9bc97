"""Reads a request to /v1/completions."""

from dataclasses import replace

from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.models import CompletionRequest, RequestDefaults
from sparkdesk.server.requests.options import asks_no_limit, read_logprobs_count, read_options

_KNOWN = frozenset({"prompt", "echo", "suffix"})
_DEFAULT_MAX_TOKENS = 16
"""OpenAI's own."""


def read_completion_request(body: object, defaults: RequestDefaults) -> CompletionRequest:
    """Raises ApiError."""
    fields = Fields(body)
    logprobs = read_logprobs_count(fields, "logprobs") if fields.has("logprobs") else None
    options = read_options(fields, defaults, known=_KNOWN, logprobs=logprobs)
    if fields.switch("echo", False):
        fields.refuse("echo", "is not supported here; leave it out")
    if fields.text("suffix"):
        fields.refuse("suffix", "is not supported here; leave it out")
    if not options.max_tokens and not asks_no_limit(fields):
        options = replace(options, max_tokens=_DEFAULT_MAX_TOKENS)
    return CompletionRequest(options, _prompt(fields, defaults))


def _prompt(fields: Fields, defaults: RequestDefaults) -> str | tuple[int, ...]:
    given = fields.given.get("prompt")
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str | list):
        given = given[0]
    if isinstance(given, str) and given:
        return given
    if isinstance(given, list) and given and all(type(token) is int for token in given):
        if not all(0 <= token < defaults.vocabulary_size for token in given):
            fields.refuse("prompt", f"must have tokens from 0 to {defaults.vocabulary_size - 1} only")
        return tuple(given)
    if isinstance(given, list) and len(given) > 1 and all(isinstance(each, str | list) for each in given):
        fields.refuse("prompt", "must be one prompt: send each in a request of its own")
    fields.refuse("prompt", "must be a string that is not empty, or an array of token numbers")
