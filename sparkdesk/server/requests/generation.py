"""What requests of every API may say: the model, how to sample, how to speculate."""

from dataclasses import replace
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.server.errors import ApiError
from sparkdesk.server.requests.decoding import MUST, given, refuse
from sparkdesk.server.requests.models import RequestDefaults

MOST_TOKENS = 2**31 - 1
_SEEDS = 2**64
_INTEGRAL = Meta(multiple_of=1)
_TOP_K = Meta(ge=-1, le=MOST_TOKENS)

WholeNumber = int | Annotated[float, _INTEGRAL]
"""JSON has one kind of number: clients send 1.0 as well. Bounds that 64 bits do not hold are the reader's to check."""
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class GenerationBody(Struct, frozen=True, kw_only=True):
    """The fields, for bodies to inherit, as msgspec has no other way to share them."""

    model: str | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, _TOP_K] | Annotated[float, _TOP_K, _INTEGRAL] | None = None
    min_p: Share | None = None
    repeat_penalty: Annotated[float, Meta(ge=0.01, le=100)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: WholeNumber | None = None
    speculative: bool | None = None
    """Whether to speculate in this reply."""
    draft_length: Annotated[Literal["auto"] | WholeNumber, Meta(extra={MUST: "be a whole number, or auto"})] | None = (
        None
    )
    """How many tokens are drafted."""


def check_model(body: GenerationBody, defaults: RequestDefaults) -> None:
    """Raises ApiError."""
    if body.model and body.model not in defaults.names:
        raise ApiError(
            404,
            f"There is no model {body.model[:100]!r} here; this server has {defaults.names[0]!r}.",
            code="model_not_found",
            param="model",
        )


def read_sampling(body: GenerationBody, defaults: SamplingSettings) -> SamplingSettings:
    """Raises ApiError."""
    return replace(
        defaults,
        temperature=given(body.temperature, defaults.temperature),
        top_p=given(body.top_p, defaults.top_p),
        top_k=max(0, int(given(body.top_k, defaults.top_k))),
        min_p=given(body.min_p, defaults.min_p),
        repeat_penalty=given(body.repeat_penalty, defaults.repeat_penalty),
        presence_penalty=given(body.presence_penalty, defaults.presence_penalty),
        frequency_penalty=given(body.frequency_penalty, defaults.frequency_penalty),
        seed=_seed(body, defaults.seed),
    )


def _seed(body: GenerationBody, default: int | None) -> int | None:
    if body.seed is None:
        return default
    least, most = -(_SEEDS // 2), _SEEDS - 1
    if not least <= body.seed <= most:
        refuse("seed", f"must be from {least} to {most}")
    return int(body.seed) % _SEEDS


def read_speculation(body: GenerationBody, defaults: RequestDefaults) -> SpeculationSettings:
    """Raises ApiError."""
    length = defaults.speculation.draft_length
    if body.draft_length == "auto":
        length = None
    elif body.draft_length is not None:
        length = _draft_length(int(body.draft_length), defaults.block_size)
    is_enabled = given(body.speculative, defaults.speculation.is_enabled)
    return replace(defaults.speculation, is_enabled=is_enabled, draft_length=length)


def _draft_length(asked: int, most: int) -> int:
    if not most:
        refuse("draft_length", "needs a draft, and this model has none")
    if not 1 <= asked <= most:
        refuse("draft_length", f"must be from 1 to {most}, or auto")
    return asked
