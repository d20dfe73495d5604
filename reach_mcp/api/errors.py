"""Everything that can fail between a tool call and the Reach API, each error with advice.

ReachError
 ├── InvalidArgument       an argument of the call is wrong; nothing was sent
 ├── CredentialMissing     no usable credential is set; nothing was sent
 ├── ClockSkewed           our clock and the API's differ by over an hour, so no JWT can be signed
 ├── Busy                  too many calls at once; nothing was sent
 ├── StatusError           Reach answered with an error status
 │    ├── BadRequest       400, with the API's reasons
 │    ├── Unauthorized     401
 │    ├── Forbidden        403
 │    ├── BatchNotFound    404 for one batch
 │    ├── EndpointNotFound 404 for an endpoint: the base URL is wrong
 │    ├── RateLimited      429, with the wait that Reach asks for
 │    ├── ServerFailed     408, 500 and above
 │    ├── Redirected       3xx
 │    └── UnexpectedStatus any other
 ├── TransportError        no complete answer arrived
 │    ├── TimedOut         the deadline of the call passed
 │    ├── Stalled          no byte arrived for the length of the read timeout
 │    ├── NoConnection     refused, reset, broken off, no such host
 │    └── TLSFailed        the certificate was not accepted
 └── AnswerError           an answer arrived that cannot be used
      ├── NotJSON          HTML, for instance
      ├── EmptyAnswer      status 200 without a body
      ├── TruncatedJSON    cut short, or nested too deep
      ├── UnexpectedShape  JSON without the documented fields
      ├── TooManyUnreadable  too many items of one page could not be decoded
      ├── WrongBatch       the API answered with another batch than the one asked for
      ├── Refused          `success: false` under status 200
      ├── BodyTooLarge     over the size limit
      └── CursorRepeats    pagination would never end

`message` and `advice` are one short sentence each, in our words. Upstream text is in `quotes`, for `render` to delimit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


class ReachError(Exception):
    """A failure and advice on it; `str(error)` has both.

    `quotes` holds upstream texts, which are untrusted. `request_id` is Reach's id of the request, if it sent one.
    `retry_after` is in seconds, None where waiting is not known to help.
    """

    message = "The Reach API call failed."
    advice = "Try again."
    introduces = "Reach said"
    """Introduces the quotes."""

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
        self.quotes = list(quotes)
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(f"{self.message} {self.advice}".strip())

    @property
    def kind(self) -> str:
        """Short stable name: the class name in snake_case."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(self).__name__).lower()


class InvalidArgument(ReachError):
    """The argument is wrong. `quotes` hold near misses."""

    message = "An argument is wrong."
    advice = ""
    introduces = "Did you mean"


class CredentialMissing(ReachError):
    message = "No Reach credential is set."
    advice = (
        "Set REACH_API_TOKEN or REACH_API_TOKEN_FILE (a JWT), or REACH_PARTNER_ID with REACH_JWT_SECRET or "
        "REACH_JWT_SECRET_FILE (the server then signs its own), and start the server again; "
        "or start it with --demo to try it without one."
    )


class ClockSkewed(ReachError):
    message = "This machine's clock and the Reach API's clock differ by more than an hour."
    advice = "Set this machine's clock; Reach does not accept JWTs that are signed by a wrong one."


class Busy(ReachError):
    message = "This server has too many calls at work."
    advice = "Try again later, with fewer calls at once."


class StatusError(ReachError):
    """Reach answered with an error status, which the message names."""


class BadRequest(StatusError):
    message = "Reach refused the request as invalid (400)."
    advice = "Correct the argument that it names; a cursor is only valid for the filters that it came with."


class Unauthorized(StatusError):
    message = "Reach did not accept the credential (401)."
    advice = "Set a fresh JWT (they last about an hour), or set REACH_PARTNER_ID with REACH_JWT_SECRET."


class Forbidden(StatusError):
    message = "The credential may not read this tenant's batches (403)."
    advice = "Check tenant_id, and that the JWT is scoped to this tenant or to its partner."


class BatchNotFound(StatusError):
    message = "Reach has no such batch (404)."
    advice = "Check the batch id and tenant_id; list_batches shows the ids of this tenant."


class EndpointNotFound(StatusError):
    message = "Nothing at this address answers as the Reach API (404)."
    advice = "Check REACH_API_URL: it is the address of the API without a path such as /api/batches."


class RateLimited(StatusError):
    message = "Reach limits the rate of requests (429)."
    advice = "Wait before the next call."


class ServerFailed(StatusError):
    message = "Reach answered with a server error."
    advice = "This is a failure at Reach; try again in a minute."


class Redirected(StatusError):
    message = "The address redirects elsewhere; redirects are not followed."
    advice = "Check REACH_API_URL and the token: a redirect to a sign-in page means that one of them is wrong."


class UnexpectedStatus(StatusError):
    message = "Reach answered with an unexpected status."
    advice = "Check REACH_API_URL; a proxy may have answered instead of Reach."


class TransportError(ReachError):
    """No complete answer arrived."""


class TimedOut(TransportError):
    message = "Reach did not answer within the deadline of this call."
    advice = "Try again, or ask for less: a smaller limit, one batch_type, or no pending details."


class Stalled(TransportError):
    message = "Reach stopped sending."
    advice = "Try again, or ask for less: a smaller limit or no pending details."


class NoConnection(TransportError):
    message = "The Reach API can't be reached: the connection failed."
    advice = "Check REACH_API_URL, the network and HTTPS_PROXY."


class TLSFailed(TransportError):
    message = "The Reach API's TLS certificate was not accepted."
    advice = "Behind a corporate proxy, name its CA bundle in SSL_CERT_FILE; otherwise check REACH_API_URL."


class AnswerError(ReachError):
    """An answer arrived that cannot be used."""


class NotJSON(AnswerError):
    message = "The answer is not JSON."
    advice = "Check REACH_API_URL: a proxy or a sign-in page seems to answer instead of Reach."


class EmptyAnswer(AnswerError):
    message = "The answer is empty."
    advice = "Try again; if it stays so, a proxy may be answering instead of Reach."


class TruncatedJSON(AnswerError):
    message = "The answer was cut short or is nested too deep to read."
    advice = "Try again with a smaller limit."


class UnexpectedShape(AnswerError):
    message = "The answer is JSON, but not the documented answer of Reach."
    advice = "Check REACH_API_URL; if it is right, the API has changed and reach-mcp needs an update."


class TooManyUnreadable(AnswerError):
    message = "Too many items of one answer could not be decoded."
    advice = "Check REACH_API_URL; if it is right, the API has changed and reach-mcp needs an update."


class WrongBatch(AnswerError):
    message = "Reach answered with another batch than the one asked for."
    advice = "Try again; if it stays so, a proxy or cache may be answering instead of Reach."


class Refused(AnswerError):
    message = "Reach answered 200 but said that the request failed."
    advice = "Read its message and try again."


class BodyTooLarge(AnswerError):
    message = "The answer is larger than the limit."
    advice = "Ask with a smaller limit, or raise REACH_MCP_MAX_BODY_MB."


class CursorRepeats(AnswerError):
    message = "Reach gave a cursor that it had given before, so pagination would never end."
    advice = "Try again with another sort_by or limit."
