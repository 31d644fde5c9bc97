"""Turns what the hub answered into a sentence and a way out. Pure: knows status codes, not the library."""

from dataclasses import dataclass

from sparkdesk.errors import AccessRefused, DownloadError, HubBusy, HubUnreachable, NotOnHub

_TOO_MANY_REQUESTS = 429
_RETRIED = (408, _TOO_MANY_REQUESTS, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not the one we asked for."""

    status: int
    code: str = ""
    """The hub's own word for it, from X-Error-Code."""
    wait_s: float | None = None
    """From Retry-After or the rate limit's own header."""
    is_bad_token: bool = False
    """The hub did not accept the token at all."""


def explain(refusal: Refusal, *, repository: str, page: str, has_token: bool, file: str = "") -> DownloadError:
    """`page` is where a person reads about the repository."""
    if refusal.is_bad_token:
        return AccessRefused("The hub does not accept your access token.", _new_token())
    if refusal.code == "GatedRepo":
        return _gated(repository, page=page, has_token=has_token)
    if refusal.code == "EntryNotFound":
        return NotOnHub(f"{repository} has no file {file or 'of that name'}.", f"Its files: {page}/tree/main")
    if refusal.code == "RevisionNotFound":
        return NotOnHub(f"{repository} has no such revision any more.", "Start again: the newest one is taken.")
    if refusal.code == "RepoNotFound" or refusal.status in (401, 404):
        return _missing(repository, has_token=has_token)
    if refusal.status == 403:
        return AccessRefused(f"The hub refuses {repository}: your account or token may not read it.", f"See {page}")
    if refusal.status in _RETRIED:
        return _busy(refusal)
    return DownloadError(f"The hub answered {refusal.status} for {repository}.", "Try again later.")


def unreachable(endpoint: str, *, reason: str) -> HubUnreachable:
    return HubUnreachable(
        f"{endpoint} cannot be reached: {reason}.",
        "Check the network and, if they are set, HF_ENDPOINT and HTTPS_PROXY. What was downloaded is kept.",
    )


def offline(what: str) -> HubUnreachable:
    return HubUnreachable(
        f"{what} is not downloaded, and HF_HUB_OFFLINE is set, so the hub is not asked.", "Unset HF_HUB_OFFLINE."
    )


def _gated(repository: str, *, page: str, has_token: bool) -> AccessRefused:
    accept = f"Accept the licence on its page, {page}"
    login = "your account must have been granted access" if has_token else "then log in: hf auth login"
    return AccessRefused(
        f"{repository} is gated.",
        f"{accept}; {login}.",
    )


def _missing(repository: str, *, has_token: bool) -> NotOnHub:
    private = "your account may not see it" if has_token else "it is private (then log in: hf auth login)"
    return NotOnHub(f"There is no model {repository} on the hub, or {private}.", "Check the name.")


def _busy(refusal: Refusal) -> HubBusy:
    if refusal.status == _TOO_MANY_REQUESTS:
        return HubBusy(
            "The hub is limiting requests from this address.",
            "Try again in a few minutes; what was downloaded is kept. Being logged in raises the limit: hf auth login.",
            refusal.wait_s,
        )
    return HubBusy(
        f"The hub has an internal problem (status {refusal.status}).",
        "Try again later; what was downloaded is kept.",
        refusal.wait_s,
    )


def _new_token() -> str:
    return "Log in again with hf auth login, or set a new HF_TOKEN. Public models need neither."
