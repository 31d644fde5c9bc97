"""Reads what both of OpenAI's kinds of request have: limits, stop strings, the form of the reply."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from sparkdesk.engine.settings import MOST_LOGPROBS, GrammarSettings
from sparkdesk.server.requests.decoding import MUST, given, others, refuse
from sparkdesk.server.requests.generation import (
    MOST_TOKENS,
    GenerationBody,
    check_model,
    read_sampling,
    read_speculation,
)
from sparkdesk.server.requests.models import RequestDefaults, RequestOptions

NO_LIMIT = -1
"""As llama.cpp's server takes it for max_tokens."""
_MOST_STOPS = 4
MOST_STOP_CHARACTERS = 1000
_ANY_OBJECT = "{}"
_LIMIT = f"be a whole number from 1 to {MOST_TOKENS}, or {NO_LIMIT} for no limit"
_LIMITS = Meta(ge=NO_LIMIT, le=MOST_TOKENS, extra={MUST: _LIMIT})
_ONE = Meta(ge=1, le=1, extra={MUST: "be 1: send a request for each reply"})
_LOGPROBS = Meta(ge=0, le=MOST_LOGPROBS)
_INTEGRAL = Meta(multiple_of=1)

Limit = Annotated[int, _LIMITS] | Annotated[float, _LIMITS, _INTEGRAL]
One = Annotated[int, _ONE] | Annotated[float, _ONE, _INTEGRAL]
LogprobsCount = Annotated[int, _LOGPROBS] | Annotated[float, _LOGPROBS, _INTEGRAL]
_StopString = Annotated[str, Meta(max_length=MOST_STOP_CHARACTERS)]
StopStrings = Annotated[
    _StopString | Annotated[list[_StopString], Meta(max_length=_MOST_STOPS)],
    Meta(
        extra={
            MUST: f"be a string, or up to {_MOST_STOPS} of them, of no more than {MOST_STOP_CHARACTERS:,} characters"
        }
    ),
]


class StreamOptions(Struct, frozen=True):
    include_usage: bool | None = None


class TextFormat(Struct, frozen=True, tag_field="type", tag="text"):
    """Any text."""


class JsonObjectFormat(Struct, frozen=True, tag_field="type", tag="json_object"):
    """Any object, or one that the schema allows, as llama.cpp's server takes it."""

    schema: dict[str, Any] | None = None


class NamedSchema(Struct, frozen=True):
    schema: dict[str, Any]


class JsonSchemaFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    json_schema: NamedSchema


class OptionsBody(GenerationBody, frozen=True, kw_only=True):
    """What /v1/chat/completions and /v1/completions have in common."""

    n: One | None = None
    best_of: One | None = None
    logit_bias: Any = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: StopStrings | None = None
    stop_in_reasoning: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    grammar: str | None = None
    timings_per_token: bool | None = None
    return_progress: bool | None = None
    user: str | None = None

    @property
    def limit(self) -> int | float | None:
        """Tokens of the reply, or NO_LIMIT."""
        return given(self.max_completion_tokens, self.max_tokens)


def read_options(
    body: OptionsBody,
    defaults: RequestDefaults,
    *,
    sent: object,
    logprobs: int | None,
    default_limit: int = 0,
    is_thinking: bool = False,
) -> RequestOptions:
    """`sent` is the body as it came, for what of it nobody reads. Raises ApiError."""
    check_model(body, defaults)
    if body.logit_bias:
        refuse("logit_bias", "is not supported here; leave it out")
    grammar = _grammar(body)
    is_thinking = is_thinking and grammar is None
    return RequestOptions(
        sampling=read_sampling(body, defaults.thinking_sampling if is_thinking else defaults.sampling),
        speculation=read_speculation(body, defaults),
        max_tokens=_max_tokens(body, default_limit),
        stops=_stops(body.stop),
        stops_in_reasoning=bool(body.stop_in_reasoning),
        grammar=grammar,
        top_logprobs=logprobs,
        is_streamed=bool(body.stream),
        include_usage=body.stream_options is not None and bool(body.stream_options.include_usage),
        include_timings=bool(body.timings_per_token),
        include_progress=bool(body.return_progress),
        user=body.user or "",
        ignored=others(sent, type(body)),
    )


def _max_tokens(body: OptionsBody, otherwise: int) -> int:
    limit = body.limit
    if limit is None:
        return otherwise
    if not limit:
        refuse("max_tokens" if body.max_completion_tokens is None else "max_completion_tokens", f"must {_LIMIT}")
    return 0 if limit == NO_LIMIT else int(limit)


def _stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop or ()
    return tuple(each for each in stops if each)


def _grammar(body: OptionsBody) -> GrammarSettings | None:
    if body.grammar:
        if body.response_format is not None:
            refuse("grammar", "cannot be combined with response_format")
        return GrammarSettings(gbnf=body.grammar)
    match body.response_format:
        case JsonObjectFormat(schema):
            return schema_grammar(schema)
        case JsonSchemaFormat(json_schema):
            return schema_grammar(json_schema.schema)
        case _:
            return None


def schema_grammar(schema: Mapping[str, Any] | None) -> GrammarSettings:
    """For replies that are JSON as the schema says; without one, any object."""
    text = _ANY_OBJECT if schema is None else json.dumps(schema, ensure_ascii=False)
    return GrammarSettings(json_schema=text)
