"""Turns error answers and transport exceptions into ReachErrors, and decides on retries."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping

import httpx

from reach_mcp.api.auth import Credential, token_end
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.decoding import decode_error
from reach_mcp.api.errors import (
    BadRequest,
    BatchNotFound,
    EndpointNotFound,
    Forbidden,
    NoConnection,
    RateLimited,
    ReachError,
    Redirected,
    ServerFailed,
    Stalled,
    StatusError,
    TLSFailed,
    Unauthorized,
    UnexpectedStatus,
)
from reach_mcp.api.headers import format_age, request_id, retry_after
from reach_mcp.api.redaction import redact

_STATUS: Mapping[int, type[StatusError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: EndpointNotFound,
    408: ServerFailed,
    429: RateLimited,
}


class RetryPolicy:
    """Tells stamina whether to try again, and after how many seconds: `Retry-After`, else its own backoff."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.failure: ReachError | None = None
        """The reason for the present wait: raised if the deadline passes meanwhile."""

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, NoConnection | RateLimited | ServerFailed):
            return False
        self.failure = error
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after < self._deadline.left() else False


def status_error(response: httpx.Response, credential: Credential, *, one_batch: bool, now: float) -> StatusError:
    """The error for an answer whose status is not 200."""
    kind = _status_class(response, one_batch=one_batch)
    secrets = credential.secrets()
    quotes = [redact(text, secrets) for text in decode_error(response.content)]
    message = advice = ""
    if kind in (ServerFailed, UnexpectedStatus):
        message = f"Reach answered with status {response.status_code}."
    if kind is EndpointNotFound and quotes:
        message, advice = "Reach did not find the list of batches (404).", "Check tenant_id, then REACH_API_URL."
    if kind is Unauthorized:
        message, advice = _refusal(response, now), credential.refusal_advice
    wait = retry_after(response.headers, now) if kind in (RateLimited, ServerFailed) else None
    identity = request_id(response.headers)
    identity = None if identity is None else redact(identity, secrets)
    return kind(message, advice=advice, quotes=quotes, request_id=identity, retry_after=wait)


def _status_class(response: httpx.Response, *, one_batch: bool) -> type[StatusError]:
    status = response.status_code
    if response.is_redirect:
        return Redirected
    if status == 404 and one_batch and not response.content.lstrip().startswith(b"<"):
        return BatchNotFound
    return _STATUS.get(status, ServerFailed if status >= 500 else UnexpectedStatus)


def _refusal(response: httpx.Response, now: float) -> str:
    """A message for a token whose time is over; empty where it is not."""
    end = token_end(response.request.headers["Authorization"].removeprefix("Bearer "))
    ended = 0.0 if end is None else now - end
    return f"Reach did not accept the credential (401): it ended {format_age(ended)} ago." if ended > 0 else ""


def transport_error(error: Exception, read_timeout: float) -> ReachError:
    """The error for an exception of httpx."""
    causes = {type(cause) for cause in _causes(error)}
    if ssl.SSLCertVerificationError in causes:
        return TLSFailed()
    if ssl.SSLError in causes:  # its other subclasses are about connections that wait or have ended
        return TLSFailed(
            "No secure connection to the Reach API can be agreed on.",
            advice="Check REACH_API_URL: its port must speak TLS, and no proxy may intercept it.",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return NoConnection("The Reach API can't be reached: connecting took over 10 s.")
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return Stalled(f"Reach sent nothing for {read_timeout:g} s.")
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return NoConnection("The connection to Reach broke off before the answer was complete.")
    return NoConnection()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
