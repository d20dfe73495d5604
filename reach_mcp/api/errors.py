"""Everything that can fail between a tool call and the Reach API, each error with advice.

ReachError
 ├── InvalidArgument    an argument of the call is wrong; nothing was sent
 │    └── TenantRefused the caller, or this server, may not ask for this tenant
 ├── CredentialMissing  no usable credential is set; nothing was sent
 ├── Busy               too many calls at once; nothing was sent
 ├── BadRequest         400, with the API's reasons
 ├── Unauthorized       401, also where the clocks differ too much to sign a JWT
 ├── Forbidden          403
 ├── BatchNotFound      404 for one batch
 ├── RateLimited        429, with the wait that Reach asks for
 ├── ServerFailed       408, 500 and above, or `success: false` under status 200
 ├── UnexpectedStatus   any other status: redirects, 404 of a wrong base URL
 ├── TimedOut           the deadline of the call passed
 ├── Stalled            no byte arrived for the length of the read timeout
 ├── NoConnection       refused, reset, broken off, no such host
 ├── TLSFailed          no common TLS, or the certificate was not accepted
 ├── NotJSON            HTML, for instance, nothing, or JSON that is cut short
 ├── UnexpectedAnswer   JSON without the documented fields, or about another batch
 └── BodyTooLarge       over the size limit

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
    message = "An argument is wrong."
    advice = ""
    introduces = "Did you mean"


class TenantRefused(InvalidArgument):
    message = "This caller may not ask for this tenant."
    advice = "Ask for another one."


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


class BadRequest(ReachError):
    message = "Reach refused the request as invalid (400)."
    advice = "Correct the argument that it names; a cursor is only valid for the filters that it came with."


class Unauthorized(ReachError):
    message = "Reach did not accept the credential (401)."
    advice = "Set a fresh JWT (they last about an hour), or set REACH_PARTNER_ID with REACH_JWT_SECRET."


class Forbidden(ReachError):
    message = "The credential may not read this tenant's batches (403)."
    advice = "Check tenant_id, and that the JWT is scoped to this tenant or to its partner."


class BatchNotFound(ReachError):
    message = "Reach has no such batch (404)."
    advice = "Check the batch id and tenant_id; list_batches shows the ids of this tenant."


class RateLimited(ReachError):
    message = "Reach limits the rate of requests (429)."
    advice = "Wait before the next call."


class ServerFailed(ReachError):
    message = "Reach answered with an error of its own."
    advice = "This is a failure at Reach; try again in a minute."


class UnexpectedStatus(ReachError):
    message = "Reach answered with an unexpected status."
    advice = "Check REACH_API_URL, an address without a path such as /api/batches: something else seems to answer."


class TimedOut(ReachError):
    message = "Reach did not answer within the deadline of this call."
    advice = "Try again, or ask for less: a smaller limit, one batch_type, or no pending details."


class Stalled(ReachError):
    message = "Reach stopped sending."
    advice = "Try again, or ask for less: a smaller limit or no pending details."


class NoConnection(ReachError):
    message = "The Reach API can't be reached: the connection failed or broke off."
    advice = "Check REACH_API_URL, the network and HTTPS_PROXY."


class TLSFailed(ReachError):
    message = "No TLS connection to the Reach API that can be trusted."
    advice = (
        "Behind a corporate proxy, name its CA bundle in SSL_CERT_FILE; otherwise check REACH_API_URL: its port must "
        "speak TLS."
    )


class NotJSON(ReachError):
    message = "The answer is not JSON, or cut short."
    advice = "Check REACH_API_URL: a proxy or a sign-in page seems to answer instead of Reach."


class UnexpectedAnswer(ReachError):
    message = "The answer is JSON, but not the documented answer of Reach."
    advice = "Check REACH_API_URL; if it is right, the API has changed and reach-mcp needs an update."


class BodyTooLarge(ReachError):
    message = "The answer is larger than the limit."
    advice = "Ask with a smaller limit, or raise REACH_MCP_MAX_BODY_MB."
