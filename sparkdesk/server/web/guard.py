"""Turns away what must not reach the application: strange names, strange pages, wrong keys. Logs what is asked."""

from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparkdesk.server.errors import ApiError
from sparkdesk.server.web.delivery import error_response
from sparkdesk.server.web.security import Policy

OPEN_PATHS = frozenset({"/health"})
_LONGEST_LOGGED = 60


class Guard:
    """Around the application."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app, self._policy = app, policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await error_response(refusal, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers, policy = Headers(scope=scope), self._policy
        host = headers.get("host", "")
        if not policy.is_known_host(host):
            return ApiError(403, "This server does not go by that name; start it with --allowed-host.", code="host")
        if not policy.is_welcome_origin(headers.get("origin", ""), host):
            return ApiError(403, "This web page may not ask; start the server with --cors-origin.", code="origin")
        if scope["path"] not in OPEN_PATHS and not _has_key(policy, headers):
            return ApiError(
                401,
                "The API key is missing or wrong: Authorization: Bearer KEY, or x-api-key: KEY.",
                code="invalid_api_key",
            )
        return None


def _has_key(policy: Policy, headers: Headers) -> bool:
    """As OpenAI's clients send it, or as Anthropic's do."""
    key = headers.get("x-api-key", "")
    return policy.is_key(headers.get("authorization", "")) or bool(key and policy.is_key(f"Bearer {key}"))


class AccessLog:
    """Method, path, status and milliseconds: nothing of what was asked or answered. Outermost."""

    def __init__(self, app: ASGIApp, log: Callable[[str], None], count: Callable[[str, int], None]) -> None:
        self._app, self._log, self._count = app, log, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # uvicorn would print the stack, and with it what was asked
            self._log(f"This should not have happened: {type(error).__name__} {_place(error)}")
            if not status:
                oops = ApiError(500, f"This should not have happened ({type(error).__name__}).", code="internal_error")
                await error_response(oops, scope["path"])(scope, receive, watched)
        finally:
            elapsed_ms = 1e3 * (monotonic() - began_s)
            self._count(scope["path"], status)
            self._log(f"{scope['method']} {_printable(scope['path'])} {status or 'gone'} {elapsed_ms:.0f} ms")


def _printable(path: str) -> str:
    """A path comes from outside: no line breaks, no escape sequences, no novels."""
    quoted = quote(path, safe="/-._~:")
    return quoted if len(quoted) <= _LONGEST_LOGGED else f"{quoted[:_LONGEST_LOGGED]}..."


def _place(error: BaseException) -> str:
    """Where it happened, without a word of what it was about."""
    trace: Any = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
