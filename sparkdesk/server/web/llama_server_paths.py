"""What llama-server has beside OpenAI's API: text to tokens and back, and what the engine is doing now."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sparkdesk.server.errors import bad_request
from sparkdesk.server.jobs.dispatcher import Dispatcher
from sparkdesk.server.jobs.job import Job
from sparkdesk.server.requests.fields import Fields
from sparkdesk.server.requests.models import RequestDefaults
from sparkdesk.server.web.body import Room
from sparkdesk.server.web.delivery import json_response

TOKENIZE, DETOKENIZE, SLOTS, EMBEDDINGS = "/tokenize", "/detokenize", "/slots", "/v1/embeddings"

_Parsed = TypeVar("_Parsed")


class ReadsBodies(Protocol):
    """Reads the body of a request, within the server's bounds."""

    def __call__(
        self, request: Request, read: Callable[[object, RequestDefaults], _Parsed]
    ) -> Awaitable[tuple[_Parsed, Room]]: ...


class LlamaServerPaths:
    paths = (TOKENIZE, DETOKENIZE, SLOTS, EMBEDDINGS)

    def __init__(self, dispatcher: Dispatcher, read: ReadsBodies) -> None:
        self._dispatcher, self._read = dispatcher, read

    def routes(self) -> list[Route]:
        return [
            Route(TOKENIZE, self.tokenize, methods=["POST"]),
            Route(DETOKENIZE, self.detokenize, methods=["POST"]),
            Route(SLOTS, self.slots, methods=["GET"]),
            Route(EMBEDDINGS, self.embeddings, methods=["POST"]),
        ]

    async def tokenize(self, request: Request) -> Response:
        """Without the tokens that the vocabulary puts before every text, unless add_special is true."""
        engine = self._dispatcher.engine
        fields, room = await self._read(request, _fields)
        try:
            text = fields.text("content")
            adds, is_control = fields.switch("add_special", False), fields.switch("parse_special", True)
            with_pieces = fields.switch("with_pieces", False)
            tokens = await self._dispatcher.ask(lambda _: engine.tokenize(text, is_control))
            if not adds:
                tokens = tokens[len(await self._dispatcher.ask(lambda _: engine.tokenize(""))) :]
            if not with_pieces:
                return json_response({"tokens": tokens})
            pieces = await self._dispatcher.ask(lambda _: engine.spell(tokens))
            told = [{"id": token, "piece": _as_json(piece)} for token, piece in zip(tokens, pieces, strict=True)]
            return json_response({"tokens": told})
        finally:
            room.give_back()

    async def detokenize(self, request: Request) -> Response:
        engine = self._dispatcher.engine
        tokens, room = await self._read(request, _tokens)
        try:
            pieces = await self._dispatcher.ask(lambda _: engine.spell(tokens))
        finally:
            room.give_back()
        return json_response({"content": b"".join(pieces).decode("utf-8", "replace")})

    async def slots(self, request: Request) -> Response:
        """There is one: the engine answers one request after the other."""
        model, job = self._dispatcher.model, self._dispatcher.running
        slot: dict[str, object] = {
            "id": 0,
            "n_ctx": model.context_tokens if model is not None else 0,
            "speculative": model is not None and model.block_size > 0,
            "is_processing": job is not None,
        }
        return json_response([slot | (_doing(job) if job is not None else {})])

    async def embeddings(self, request: Request) -> Response:
        model = self._dispatcher.model
        name = model.name if model is not None else "The model"
        raise bad_request(
            f"{name} writes text and makes no embeddings. Ask a server that has an embedding model.",
            param="model",
            code="embeddings_not_supported",
        )


def _fields(body: object, defaults: RequestDefaults) -> Fields:
    return Fields(body)


def _tokens(body: object, defaults: RequestDefaults) -> Sequence[int]:
    fields = Fields(body)
    given = fields.items("tokens")
    tokens = tuple(token for token in given if type(token) is int and 0 <= token < defaults.vocabulary_size)
    if len(tokens) < len(given):
        fields.refuse("tokens", f"must have tokens from 0 to {defaults.vocabulary_size - 1} only")
    return tokens


def _as_json(piece: bytes) -> str | list[int]:
    """As text; as bytes where it is only a part of a character."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)


def _doing(job: Job) -> dict[str, object]:
    settings, figures = job.prepared.settings, job.figures
    sampling = settings.sampling
    return {
        "n_prompt_tokens": len(job.prepared.tokens),
        "n_prompt_tokens_cache": figures.cached_tokens if figures is not None else 0,
        "n_prompt_tokens_processed": figures.prefilled_tokens if figures is not None else 0,
        "params": {
            "n_predict": settings.max_tokens or -1,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
        },
        "next_token": [{"n_decoded": figures.completion_tokens if figures is not None else 0}],
    }
