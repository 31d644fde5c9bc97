"""What a client is told when a request cannot be served, in OpenAI's form."""

from sparkdesk import errors
from sparkdesk.chat_format.chat_template import ChatTemplateError

_INVALID = "invalid_request_error"
_SERVER = "server_error"


class ApiError(Exception):
    """Becomes {"error": {...}} with this status, or the last event of a stream that has begun."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
        is_worth_retrying: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
        self.is_worth_retrying = is_worth_retrying

    def as_json(self) -> dict[str, object]:
        kind = _KINDS.get(self.status, _INVALID if self.status < 500 else _SERVER)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if not self.is_worth_retrying:
            headers["x-should-retry"] = "false"  # OpenAI's own clients heed it
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)


def shutting_down() -> ApiError:
    return ApiError(503, "The server is shutting down.", code="shutting_down", retry_after_s=10)


def engine_stalled(message: str) -> ApiError:
    return ApiError(503, message, code="engine_stalled", retry_after_s=15)


def from_engine(error: errors.SparkDeskError) -> ApiError:
    """What the engine, or the model's template, said no to."""
    match error:
        case errors.ContextFull():
            return bad_request(_sentence(error), param="messages", code="context_length_exceeded")
        case errors.EngineStalled():
            return engine_stalled(f"{error.message} The reply is lost; the model is being loaded again.")
        case errors.EngineCrashed():
            # Clients that ask again by themselves would bring a prompt that kills the engine right back.
            lost = f"{error.message} The reply is lost; the model is being loaded again."
            return ApiError(503, lost, code="engine_crashed", is_worth_retrying=False)
        case errors.OutOfMemory():
            return ApiError(503, _sentence(error), code="out_of_memory", is_worth_retrying=False)
        case ChatTemplateError():
            return bad_request(error.message, param="messages")
        case errors.UsageError():
            return bad_request(_sentence(error))
        case _:
            return ApiError(500, _sentence(error), code="engine_error", is_worth_retrying=False)


def _sentence(error: errors.SparkDeskError) -> str:
    return f"{error.message} {error.hint}".strip()
