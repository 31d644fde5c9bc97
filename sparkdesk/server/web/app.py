"""The application: which path does what."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.dispatcher import CLOSING, LOADING, READY, STALLED, UNLOADED, Dispatcher
from sparkdesk.server.jobs.fair_queue import Client
from sparkdesk.server.jobs.metrics import CONTENT_TYPE
from sparkdesk.server.jobs.prepare import prepare
from sparkdesk.server.requests.anthropic import read_count_request, read_messages_request
from sparkdesk.server.requests.chat import read_chat_request
from sparkdesk.server.requests.completion import read_completion_request
from sparkdesk.server.requests.models import ChatRequest, CompletionRequest, RequestDefaults, RequestOptions
from sparkdesk.server.requests.openai_responses import ResponsesRequest, read_responses_request
from sparkdesk.server.responses.anthropic import MessagesResponse
from sparkdesk.server.responses.chat import ChatResponse
from sparkdesk.server.responses.completion import CompletionResponse
from sparkdesk.server.responses.openai_responses import ResponsesResponse
from sparkdesk.server.responses.protocol import ResponseBuilder
from sparkdesk.server.responses.response_store import ResponseStore
from sparkdesk.server.web.body import MOST_BODY_BYTES, BodyMemory, Room, most_body_bytes, read_body
from sparkdesk.server.web.delivery import ANTHROPIC_PATH, STALLED_S, Delivery, error_response, json_response
from sparkdesk.server.web.guard import AccessLog, Guard
from sparkdesk.server.web.llama_server_paths import LlamaServerPaths
from sparkdesk.server.web.security import Policy

CHAT, TEXT, MODELS, HEALTH, METRICS = "/v1/chat/completions", "/v1/completions", "/v1/models", "/health", "/metrics"
MESSAGES, COUNT, RESPONSES = ANTHROPIC_PATH, f"{ANTHROPIC_PATH}/count_tokens", "/v1/responses"
_STATUSES = {READY: "ok", LOADING: "loading", STALLED: "stalled", CLOSING: "shutting down", UNLOADED: "unloaded"}

_Parsed = TypeVar("_Parsed")


class Api:
    """The endpoints."""

    def __init__(self, dispatcher: Dispatcher, defaults: RequestDefaults, *, stalled_s: float = STALLED_S) -> None:
        self._dispatcher, self._defaults, self._stalled_s = dispatcher, defaults, stalled_s
        self._since = int(time.time())
        self._memory = BodyMemory()
        self._store = ResponseStore()

    async def chat(self, request: Request) -> Response:
        return await self._delivery(request, read_chat_request, ChatResponse)

    async def text(self, request: Request) -> Response:
        return await self._delivery(request, read_completion_request, CompletionResponse)

    async def messages(self, request: Request) -> Response:
        return await self._delivery(request, read_messages_request, MessagesResponse)

    async def count_tokens(self, request: Request) -> Response:
        parsed, room = await self.read(request, read_count_request)
        try:
            engine = self._dispatcher.engine
            prepared = await self._dispatcher.ask(lambda wanted: prepare(engine, parsed, wanted, is_limited=False))
            return json_response({"input_tokens": len(prepared.tokens)})
        finally:
            room.give_back()

    async def responses(self, request: Request) -> Response:
        parsed, room = await self.read(request, self._read_responses)
        response = ResponsesResponse(self._defaults.names[0], parsed, self._store)
        return self._deliver(request, parsed.chat, response, room)

    async def stored_response(self, request: Request) -> Response:
        response_id = request.path_params["id"]
        stored = self._store.get(response_id)
        if stored is None:
            raise ApiError(404, "That response is not kept here (any more).", code="not_found")
        if request.method != "DELETE":
            return json_response(stored.body)
        self._store.delete(response_id)
        return json_response({"id": response_id, "object": "response", "deleted": True})

    def _read_responses(self, body: object, defaults: RequestDefaults) -> ResponsesRequest:
        return read_responses_request(body, defaults, self._store.turns)

    async def models(self, request: Request) -> Response:
        return json_response({"object": "list", "data": [self._model(name) for name in self._defaults.names]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._defaults.names:
            raise ApiError(404, "There is no such model here.", code="model_not_found", param="model")
        return json_response(self._model(name))

    async def health(self, request: Request) -> Response:
        dispatcher = self._dispatcher
        state = dispatcher.state
        gauges = dispatcher.gauges
        body: dict[str, object] = {
            "status": _STATUSES.get(state, "error"),
            "model": self._defaults.names[0],
            "running": int(gauges.is_answering),
            "waiting": gauges.waiting,
            "engine_reloads": gauges.reloads,
        }
        if dispatcher.problem:
            body["problem"] = dispatcher.problem
        return json_response(body, 200 if state in (READY, UNLOADED) else 503)

    async def metrics(self, request: Request) -> Response:
        text = self._dispatcher.metrics.text(self._dispatcher.gauges)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    async def _delivery(
        self,
        request: Request,
        read: Callable[[object, RequestDefaults], ChatRequest | CompletionRequest],
        response: Callable[[str, RequestOptions], ResponseBuilder],
    ) -> Delivery:
        parsed, room = await self.read(request, read)
        return self._deliver(request, parsed, response(self._defaults.names[0], parsed.options), room)

    def _deliver(
        self, request: Request, parsed: ChatRequest | CompletionRequest, response: ResponseBuilder, room: Room
    ) -> Delivery:
        return Delivery(
            self._dispatcher,
            parsed,
            response,
            room,
            client=_client_of(request, parsed.options.user),
            stalled_s=self._stalled_s,
        )

    async def read(self, request: Request, read: Callable[[object, RequestDefaults], _Parsed]) -> tuple[_Parsed, Room]:
        """The request, and the room its body takes, to be given back."""
        model = self._dispatcher.model
        most_bytes = most_body_bytes(model.context_tokens) if model is not None else MOST_BODY_BYTES
        body, room = await read_body(request, self._memory, most_bytes)
        try:
            return read(body, self._defaults), room
        except BaseException:
            room.give_back()
            raise

    def _model(self, name: str) -> dict[str, object]:
        model = self._dispatcher.model
        about = (
            {}
            if model is None
            else {
                "context_tokens": model.context_tokens,
                "architecture": model.architecture,
                "parameters": model.parameter_count,
                "size_bytes": model.size_bytes,
                "draft": model.draft_name,
                "drafter": model.drafter_kind,
                "draft_block_size": model.block_size,
            }
        )
        return {"id": name, "object": "model", "created": self._since, "owned_by": "sparkdesk", "meta": about}


def build_app(
    dispatcher: Dispatcher,
    defaults: RequestDefaults,
    policy: Policy,
    *,
    log: Callable[[str], None],
    stalled_s: float = STALLED_S,
) -> Starlette:
    api = Api(dispatcher, defaults, stalled_s=stalled_s)
    tools = LlamaServerPaths(dispatcher, api.read)
    known = frozenset({CHAT, TEXT, MESSAGES, COUNT, RESPONSES, MODELS, HEALTH, METRICS, *tools.paths})

    def count(path: str, status: int) -> None:
        dispatcher.metrics.requests.labels(path if path in known else "other", str(status)).inc()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(dispatcher.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        dispatcher.shutdown_executor()

    return Starlette(
        routes=[
            Route(CHAT, api.chat, methods=["POST"]),
            Route(TEXT, api.text, methods=["POST"]),
            Route(MESSAGES, api.messages, methods=["POST"]),
            Route(RESPONSES, api.responses, methods=["POST"]),
            Route(RESPONSES + "/{id}", api.stored_response, methods=["GET", "DELETE"]),
            Route(COUNT, api.count_tokens, methods=["POST"]),
            *tools.routes(),
            Route(MODELS, api.models, methods=["GET"]),
            Route(MODELS + "/{name:path}", api.model, methods=["GET"]),
            Route(HEALTH, api.health, methods=["GET"]),
            Route(METRICS, api.metrics, methods=["GET"]),
        ],
        middleware=[
            Middleware(AccessLog, log=log, count=count),
            *_cors(policy),
            Middleware(Guard, policy=policy),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
        lifespan=lifespan,
    )


def _cors(policy: Policy) -> list[Middleware]:
    if not policy.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=policy.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            max_age=600,
        )
    ]


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        missing = ApiError(404, "There is no such path; this server has /v1.", code="not_found")
        return error_response(missing, request.url.path)
    said = error_response(ApiError(error.status_code, f"{error.detail}.", code="method_not_allowed"), request.url.path)
    said.headers.update(error.headers or {})
    return said


def _client_of(request: Request, user: str) -> Client:
    """Whose turn it is is decided by this: the user the client names, else its address; and by the connection."""
    host, port = request.client if request.client is not None else ("", 0)
    return Client(f"user {user[:100]}" if user else host, f"{host}:{port}")
