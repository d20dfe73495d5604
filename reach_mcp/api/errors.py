"""What can go wrong on the road to the Reach API, each with what to do about it.

ReachError
 ├── InvalidArgument       a call's argument is wrong; nothing was sent
 ├── CredentialMissing     no credential is set; nothing was sent
 ├── Busy                  too many calls at once; nothing was sent
 ├── StatusError           Reach answered with an error
 │    ├── BadRequest       400, with what Reach finds wrong
 │    ├── Unauthorized     401
 │    ├── Forbidden        403
 │    ├── NotFound         404
 │    ├── RateLimited      429, with the wait that Reach asks for
 │    ├── ServerFailed     408, 500, 502, 503, 504
 │    ├── Redirected       3xx
 │    └── UnexpectedStatus any other
 ├── TransportError        no whole answer came
 │    ├── TimedOut         the deadline of the call passed
 │    ├── NoConnection     refused, reset, no such host
 │    └── TLSFailed        the certificate was not accepted
 └── AnswerError           an answer came that can't be used
      ├── NotJSON          HTML, for instance
      ├── EmptyAnswer      status 200 without a body
      ├── TruncatedJSON    cut short, or nested too deep to read
      ├── UnexpectedShape  JSON, but not what the contract says
      ├── Refused          `success: false` under status 200
      ├── BodyTooLarge     over the limit on size or on compression
      └── CursorRepeats    paging would never end

A message is two short sentences of ours. What the API said stands apart, in `quotes`, for `render` to fence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ReachError(Exception):
    """What failed and what to try, as `str(error)`.

    `quotes` holds the API's own words, which are foreign text. `request_id` is Reach's id of the request, if it sent
    one. `retry_after` is in seconds; None where waiting is not known to help.
    """

    message = "The Reach API call failed."
    advice = "Try again."
    introduces = "Reach said"
    """What stands before the quotes."""

    def __init__(
        self,
        message: str = "",
        *,
        advice: str = "",
        quotes: Sequence[str] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message or self.message
        self.advice = advice or self.advice
        self.quotes = tuple(quotes)
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(f"{self.message} {self.advice}".strip())


class InvalidArgument(ReachError):
    """The argument is wrong. `quotes` hold what may have been meant."""

    advice = ""
    introduces = "Did you mean"


class CredentialMissing(ReachError):
    message = "No Reach credential is set."
    advice = (
        "Set REACH_API_TOKEN or REACH_API_TOKEN_FILE (a JWT), or REACH_PARTNER_ID with REACH_JWT_SECRET or "
        "REACH_JWT_SECRET_FILE (the server then signs its own), and start the server again; "
        "or start it with --demo to try it without one."
    )


class Busy(ReachError):
    message = "This server has too many calls at work."
    advice = "Try again later, with fewer calls at once."


class StatusError(ReachError):
    """Reach answered with an error status, which stands in the message."""


class BadRequest(StatusError):
    message = "Reach refused the request as invalid (400)."
    advice = "Correct the argument that it names; a cursor is only good for the filters that it came with."


class Unauthorized(StatusError):
    message = "Reach did not accept the credential (401)."
    advice = "Give a fresh JWT (they last about an hour), or set REACH_PARTNER_ID with REACH_JWT_SECRET."

    def __init__(self, message: str = "", *, server_time: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.server_time = server_time
        """Reach's clock, in Unix seconds: a credential that was signed by a wrong clock is renewed by it."""


class Forbidden(StatusError):
    message = "The credential may not read this tenant's batches (403)."
    advice = "Check tenant_id, and that the JWT is scoped to this tenant or to its partner."


class NotFound(StatusError):
    message = "Reach knows no such thing (404)."
    advice = "Check the batch id and tenant_id; for a whole endpoint, check REACH_API_URL."


class RateLimited(StatusError):
    message = "Reach limits the rate of requests (429)."
    advice = "Wait before the next call."


class ServerFailed(StatusError):
    message = "Reach answered with status {status}."
    advice = "This is on Reach's side; try again in a minute."


class Redirected(StatusError):
    message = "Reach's address redirects elsewhere ({status}), which was not followed."
    advice = "Check REACH_API_URL and the token: a redirect to a sign-in page means that one of them is wrong."


class UnexpectedStatus(StatusError):
    message = "Reach answered with status {status}."
    advice = "Check REACH_API_URL; a proxy may have answered in Reach's place."


class TransportError(ReachError):
    """No whole answer came."""


class TimedOut(TransportError):
    message = "Reach did not answer within the deadline of this call."
    advice = "Try again, or ask for less: a smaller limit, one batch_type, or no pending details."


class NoConnection(TransportError):
    message = "The Reach API can't be reached: the connection failed."
    advice = "Check REACH_API_URL, the network and HTTPS_PROXY."


class TLSFailed(TransportError):
    message = "The Reach API's TLS certificate was not accepted."
    advice = "Behind a corporate proxy, name its CA bundle in SSL_CERT_FILE; otherwise check REACH_API_URL."


class AnswerError(ReachError):
    """An answer came that can't be used."""


class NotJSON(AnswerError):
    message = "The answer is not JSON."
    advice = "Check REACH_API_URL: a proxy or a sign-in page seems to answer in Reach's place."


class EmptyAnswer(AnswerError):
    message = "The answer is empty."
    advice = "Try again; if it stays so, a proxy may be answering in Reach's place."


class TruncatedJSON(AnswerError):
    message = "The answer was cut short or is nested too deep to read."
    advice = "Try again with a smaller limit."


class UnexpectedShape(AnswerError):
    message = "The answer is JSON, but not what Reach documents."
    advice = "Check REACH_API_URL; if it is right, the API has changed and reach-mcp needs an update."


class Refused(AnswerError):
    message = "Reach answered 200 but said that the request failed."
    advice = "Read what it said and try again."


class BodyTooLarge(AnswerError):
    message = "The answer is larger than the limit."
    advice = "Ask with a smaller limit, or raise REACH_MCP_MAX_BODY_MB."


class CursorRepeats(AnswerError):
    message = "Reach gave a cursor that it had given before, so paging would never end."
    advice = "Try again with another sort_by or limit."
