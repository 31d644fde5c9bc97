"""Reads what both kinds of request have: sampling, limits, stop strings, speculation, the form of the reply."""

import json
from dataclasses import replace

from sparkdesk.engine.settings import MOST_LOGPROBS, GrammarSettings, SamplingSettings, SpeculationSettings
from sparkdesk.server.errors import ApiError
from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.models import RequestDefaults, RequestOptions

_MOST_STOPS = 4
_MOST_STOP_CHARACTERS = 1000
MOST_TOKENS = 2**31 - 1
_NO_LIMIT = -1
"""As llama.cpp's server takes it for max_tokens."""
_SEEDS = 2**64
_ANY_OBJECT = "{}"
EVERYWHERE = frozenset(
    "model stream temperature top_p top_k min_p repeat_penalty presence_penalty frequency_penalty seed speculative "
    "draft_length".split()
)
"""What requests of every form may say."""
_KNOWN = EVERYWHERE | frozenset(
    "n best_of logit_bias max_tokens max_completion_tokens stop stop_in_reasoning stream_options response_format "
    "grammar timings_per_token return_progress logprobs top_logprobs user".split()
)
_AUTO = "auto"


def read_options(
    fields: Fields,
    defaults: RequestDefaults,
    *,
    known: frozenset[str],
    logprobs: int | None,
    is_thinking: bool = False,
) -> RequestOptions:
    """`known` are fields that the caller reads. Raises ApiError."""
    check_model(fields, defaults)
    _refuse_unsupported(fields)
    stream_options = fields.inner("stream_options")
    grammar = _grammar(fields)
    is_thinking = is_thinking and grammar is None
    return RequestOptions(
        sampling=read_sampling(fields, defaults.thinking_sampling if is_thinking else defaults.sampling),
        speculation=read_speculation(fields, defaults),
        max_tokens=_max_tokens(fields),
        stops=read_stops(fields, "stop", most=_MOST_STOPS),
        stops_in_reasoning=fields.switch("stop_in_reasoning", False),
        grammar=grammar,
        top_logprobs=logprobs,
        is_streamed=fields.switch("stream", False),
        include_usage=stream_options.switch("include_usage", False) if stream_options is not None else False,
        include_timings=fields.switch("timings_per_token", False),
        include_progress=fields.switch("return_progress", False),
        user=fields.text("user"),
        ignored=fields.others(known | _KNOWN),
    )


def read_logprobs_count(fields: Fields, name: str) -> int:
    return fields.whole(name, 0, least=0, most=MOST_LOGPROBS)


def check_model(fields: Fields, defaults: RequestDefaults) -> None:
    asked = fields.text("model")
    if asked and asked not in defaults.names:
        raise ApiError(
            404,
            f"There is no model {asked[:100]!r} here; this server has {defaults.names[0]!r}.",
            code="model_not_found",
            param="model",
        )


def _refuse_unsupported(fields: Fields) -> None:
    fields.whole("n", 1, least=1, most=1)
    fields.whole("best_of", 1, least=1, most=1)
    if fields.given.get("logit_bias"):
        fields.refuse("logit_bias", "is not supported here; leave it out")


def read_sampling(fields: Fields, defaults: SamplingSettings) -> SamplingSettings:
    number = fields.number
    return replace(
        defaults,
        temperature=number("temperature", defaults.temperature, least=0, most=100),
        top_p=number("top_p", defaults.top_p, least=0, most=1),
        top_k=max(0, fields.whole("top_k", defaults.top_k, least=-1, most=MOST_TOKENS)),
        min_p=number("min_p", defaults.min_p, least=0, most=1),
        repeat_penalty=number("repeat_penalty", defaults.repeat_penalty, least=0.01, most=100),
        presence_penalty=number("presence_penalty", defaults.presence_penalty, least=-2, most=2),
        frequency_penalty=number("frequency_penalty", defaults.frequency_penalty, least=-2, most=2),
        seed=_seed(fields, defaults.seed),
    )


def _seed(fields: Fields, defaults: int | None) -> int | None:
    if not fields.has("seed"):
        return defaults
    return fields.whole("seed", 0, least=-(_SEEDS // 2), most=_SEEDS - 1) % _SEEDS


def asks_no_limit(fields: Fields) -> bool:
    return fields.given.get(_limit_name(fields)) == _NO_LIMIT


def _max_tokens(fields: Fields) -> int:
    return 0 if asks_no_limit(fields) else fields.whole(_limit_name(fields), 0, least=1, most=MOST_TOKENS)


def _limit_name(fields: Fields) -> str:
    return "max_completion_tokens" if fields.has("max_completion_tokens") else "max_tokens"


def read_stops(fields: Fields, name: str, *, most: int) -> tuple[str, ...]:
    given = fields.given.get(name)
    stops = [given] if isinstance(given, str) else fields.items(name)
    if len(stops) > most:
        fields.refuse(name, f"must have no more than {most} strings")
    for stop in stops:
        if not isinstance(stop, str) or len(stop) > _MOST_STOP_CHARACTERS:
            fields.refuse(name, f"must be a string, or up to {most} of them, none of them very long")
    return tuple(str(stop) for stop in stops if stop)


def read_speculation(fields: Fields, defaults: RequestDefaults) -> SpeculationSettings:
    """`speculative` switches it for this request, `draft_length` fixes how many tokens are drafted."""
    is_enabled = fields.switch("speculative", defaults.speculation.is_enabled)
    length = defaults.speculation.draft_length
    if fields.given.get("draft_length") == _AUTO:
        length = None
    elif fields.has("draft_length") and defaults.block_size:
        length = fields.whole("draft_length", 1, least=1, most=defaults.block_size)
    elif fields.has("draft_length"):
        fields.refuse("draft_length", "needs a draft, and this model has none")
    return replace(defaults.speculation, is_enabled=is_enabled, draft_length=length)


def _grammar(fields: Fields) -> GrammarSettings | None:
    form, gbnf = fields.inner("response_format"), fields.text("grammar")
    if gbnf:
        if form is not None:
            fields.refuse("grammar", "cannot be combined with response_format")
        return GrammarSettings(gbnf=gbnf)
    if form is None:
        return None
    return read_format(form, form.inner("json_schema") if form.given.get("type") == "json_schema" else form)


def read_format(form: Fields, wrapped: Fields | None) -> GrammarSettings | None:
    """What a reply must be: any text, a JSON object, or what a schema says. `wrapped` holds the schema."""
    kind = form.needed_text("type")
    if kind == "text":
        return None
    if kind not in ("json_object", "json_schema"):
        form.refuse("type", "must be text, json_object or json_schema")
    if wrapped is None:
        form.refuse("json_schema", "is missing")
    schema = wrapped.inner("schema")
    if schema is not None:
        return GrammarSettings(json_schema=json.dumps(schema.given, ensure_ascii=False))
    if kind == "json_schema":
        wrapped.refuse("schema", "is missing")
    return GrammarSettings(json_schema=_ANY_OBJECT)
