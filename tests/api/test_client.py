"""The road to Reach: what is sent, what is tried again, what each answer is told as, and that nothing leaks."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import inspect
import json
import logging
import ssl
import string
import time
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import anyio
import anyio.lowlevel
import httpx
import jwt
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from reach_mcp.api import client as module
from reach_mcp.api.client import (
    BatchQuery,
    BatchType,
    Deadline,
    ReachClient,
    SortBy,
    SortDirection,
)
from reach_mcp.api.credentials import Credential, PartnerSecret, StaticToken, TokenFile
from reach_mcp.api.errors import (
    BadRequest,
    BodyTooLarge,
    CredentialMissing,
    Forbidden,
    InvalidArgument,
    NoConnection,
    NotFound,
    RateLimited,
    ReachError,
    Redirected,
    Refused,
    ServerFailed,
    TimedOut,
    TLSFailed,
    Unauthorized,
    UnexpectedStatus,
)
from reach_mcp.settings import ConfigurationError
from tests.builders import batch, page

pytestmark = pytest.mark.anyio

TOKEN = "the-token-that-must-not-show"
GOOD = page(batch("b1"))
Answer = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Reach(httpx.MockTransport):
    """A Reach API that gives one answer after the other, the last of them for ever, and keeps what it was asked."""

    def __init__(self, *answers: Exception | Answer) -> None:
        super().__init__(self._answer)
        self._answers = answers
        self.requests: list[httpx.Request] = []

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        response = answer(request)
        return streamed(await response if inspect.isawaitable(response) else response)


def streamed(response: httpx.Response) -> httpx.Response:
    """The response as it comes over a network: not read yet."""
    if not response.is_closed:
        return response
    return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content))


def good(**headers: str) -> Answer:
    return lambda _: httpx.Response(200, json=GOOD, headers=headers)


def says(status: int, body: Any = None, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return lambda _: httpx.Response(status, content=content, headers=names)


async def never(_: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError("for ever is over")


async def ask(
    reach: httpx.AsyncBaseTransport,
    query: BatchQuery | None = None,
    *,
    credential: Credential | None = None,
    tenant: str | None = None,
    seconds: float = 30,
    url: str = "https://reach.test/root",
    **options: Any,
) -> list[str]:
    """The ids of one page."""
    credential = credential or StaticToken(SecretStr(TOKEN))
    async with ReachClient(url, credential, transport=reach, **options) as client:
        page = await client.list_batches(query or BatchQuery(), tenant=tenant, deadline=Deadline(seconds))
    return [batch["batchId"] for batch in page.batches]


async def failure(reach: httpx.AsyncBaseTransport, **options: Any) -> Any:
    with pytest.raises(ReachError) as raised:
        await ask(reach, **options)
    return raised.value


# What is sent


async def test_bare_query_sends_no_parameter() -> None:
    """What is not said is left to the API's own defaults."""
    reach = Reach(good())

    await ask(reach)

    [request] = reach.requests
    assert str(request.url) == "https://reach.test/root/api/batches"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "reach-tenant-id" not in request.headers


@pytest.mark.parametrize(
    ("batch_id", "path"),
    [
        ("b1", "/api/batches/b1"),
        ("a/../b?c#d", "/api/batches/a%2F..%2Fb%3Fc%23d"),
        ("ü %2F", "/api/batches/%C3%BC%20%252F"),
        ("half \ud83d", "/api/batches/half%20%3F"),
    ],
)
async def test_batch_id_stays_one_segment_of_the_path(batch_id: str, path: str) -> None:
    """An id that a model was talked into can't lead to another endpoint."""
    reach = Reach(says(200, {"success": True, "data": batch("b1")}))

    async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach) as client:
        found, malformed = await client.get_batch(batch_id, tenant=None, deadline=Deadline(5))

    assert (found["batchId"], malformed) == ("b1", [])
    assert reach.requests[0].url.raw_path.decode() == path


async def test_pending_details_of_one_batch_are_asked_for_by_name() -> None:
    """Without the parameter the API leaves the rows out."""
    reach = Reach(says(200, {"success": True, "data": batch("b1")}))

    async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach) as client:
        await client.get_batch("b1", tenant=None, deadline=Deadline(5), include_pending_details=True)

    assert dict(reach.requests[0].url.params) == {"includePendingDetails": "true"}


@pytest.mark.parametrize("batch_id", ["", " ", ".", ".."])
async def test_batch_id_that_names_another_endpoint_is_refused(batch_id: str) -> None:
    """`..` would ask for `/api`, and an empty id for the whole list."""
    reach = Reach(good())

    async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach) as client:
        with pytest.raises(InvalidArgument, match="batch_id must name one batch"):
            await client.get_batch(batch_id, tenant=None, deadline=Deadline(5))

    assert reach.requests == []


@pytest.mark.parametrize("tenant", ["", " t", "t\r\nX-Injected: 1", "tenänt", "half \ud83d"])
async def test_tenant_that_no_header_can_hold_is_refused(tenant: str) -> None:
    """A line break in it would be a header of its own; nothing is sent."""
    reach = Reach(good())

    error = await failure(reach, tenant=tenant)

    assert str(error) == "tenant_id must be plain ASCII without spaces around it: it is sent in a header."
    assert isinstance(error, InvalidArgument)
    assert reach.requests == []


@pytest.mark.parametrize("cursor", ["c" * 70_000, "half \ud83d"])
async def test_cursor_that_no_url_can_hold_is_refused(cursor: str) -> None:
    """It is the argument that is wrong, not the network: nothing is tried again."""
    error = await failure(Reach(good()), query=BatchQuery(cursor=cursor))

    assert isinstance(error, InvalidArgument)
    assert str(error) == "An argument is too long for a URL, or is no text."


PUBLIC = [
    name
    for name, method in inspect.getmembers(ReachClient, inspect.iscoroutinefunction)
    if not name.startswith("_") and name != "aclose"
]
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "query": st.builds(
        BatchQuery,
        cursor=st.none() | st.text(string.printable),
        limit=st.none() | st.integers(),
        batch_type=st.none() | st.sampled_from(get_args(BatchType)),
        sort_by=st.none() | st.sampled_from(get_args(SortBy)),
        sort_direction=st.none() | st.sampled_from(get_args(SortDirection)),
        include_pending_details=st.none() | st.booleans(),
        only_batches_with_pending_resources=st.none() | st.booleans(),
    ),
    "batch_id": st.text(),
    "tenant": st.none() | st.text(string.printable),
    "deadline": st.builds(Deadline, st.just(30.0)),
    "include_pending_details": st.booleans(),
}


@pytest.mark.parametrize("name", PUBLIC)
@given(data=st.data())
def test_only_get_is_ever_sent_and_only_below_api_batches(name: str, data: st.DataObject) -> None:
    """Read-only by construction: whatever is called with whatever arguments, and whatever is answered.

    A method without arguments known here fails the test, so that a new one can't pass it by.
    """
    wanted = list(inspect.signature(getattr(ReachClient, name)).parameters)[1:]
    arguments = {argument: data.draw(ARGUMENTS[argument], label=argument) for argument in wanted}
    status = data.draw(st.sampled_from([200, 302, 307, 400, 401, 429, 503]))
    reach = Reach(says(status, {"success": True, "data": batch("b1")}, location="https://elsewhere.test/"))

    async def call() -> None:
        async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach) as client:
            with contextlib.suppress(ReachError):
                await getattr(client, name)(**arguments)

    anyio.run(call)

    for request in reach.requests:
        assert (request.method, request.url.host, request.content) == ("GET", "reach.test", b"")
        assert request.url.raw_path.startswith(b"/api/batches")
        assert request.url.raw_path != b"/api/batches/"


def test_every_public_method_is_called_by_the_test_above() -> None:
    """An empty list of methods would pass it, too."""
    assert {"get_batch", "list_batches"} <= set(PUBLIC)


# What each answer is told as


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (
            400,
            BadRequest,
            "Reach refused the request as invalid (400). Correct the argument that it names; a cursor is only good for "
            "the filters that it came with.",
        ),
        (
            401,
            Unauthorized,
            "Reach did not accept the credential (401). Give a fresh JWT (they last about an hour), or set "
            "REACH_PARTNER_ID with REACH_JWT_SECRET.",
        ),
        (
            403,
            Forbidden,
            "The credential may not read this tenant's batches (403). Check tenant_id, and that the JWT is scoped to "
            "this tenant or to its partner.",
        ),
        (
            404,
            NotFound,
            "Reach knows no such thing (404). Check the batch id and tenant_id; for a whole endpoint, check "
            "REACH_API_URL.",
        ),
        (
            302,
            Redirected,
            "Reach's address redirects elsewhere (302), which was not followed. Check REACH_API_URL and the token: a "
            "redirect to a sign-in page means that one of them is wrong.",
        ),
        (
            418,
            UnexpectedStatus,
            "Reach answered with status 418. Check REACH_API_URL; a proxy may have answered in Reach's place.",
        ),
        (
            204,
            UnexpectedStatus,
            "Reach answered with status 204. Check REACH_API_URL; a proxy may have answered in Reach's place.",
        ),
    ],
)
async def test_final_status_has_its_own_text_and_is_asked_once(status: int, kind: type[ReachError], text: str) -> None:
    """Asking again would bring the same; the words of the API and its request id stand apart."""
    reach = Reach(says(status, {"message": "so", "errors": ["and so"]}, X_Request_ID="req-7"))

    error = await failure(reach)

    assert (type(error), str(error)) == (kind, text)
    assert (error.quotes, error.request_id, error.retry_after) == (("so", "and so"), "req-7", None)
    assert len(reach.requests) == 1


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (httpx.ConnectError("refused"), NoConnection.message),
        (httpx.ProxyError("407"), NoConnection.message),
        (httpx.ConnectTimeout("slow"), "The Reach API can't be reached: connecting took over 10 s."),
        (
            caused(httpx.ConnectTimeout("slow"), ssl.SSLWantReadError("no hello yet")),
            "The Reach API can't be reached: connecting took over 10 s.",
        ),
        (httpx.ReadError("reset"), "The connection to Reach broke off before the answer was whole."),
        (httpx.WriteError("reset"), "The connection to Reach broke off before the answer was whole."),
        (httpx.RemoteProtocolError("cut"), "The connection to Reach broke off before the answer was whole."),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_fault_of_the_network_is_tried_again_and_then_told(fault: Exception, text: str) -> None:
    """Each says what is known: not reached, or broken off."""
    reach = Reach(fault)

    error = await failure(reach)

    assert (type(error), error.message, len(reach.requests)) == (NoConnection, text, 4)
    assert await ask(Reach(fault, good())) == ["b1"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")), TLSFailed.message),
        (
            caused(httpx.ConnectError("x"), ssl.SSLError("wrong version number")),
            "No secure connection to the Reach API can be agreed on.",
        ),
        (ssl.SSLError("bad record mac"), "No secure connection to the Reach API can be agreed on."),
    ],
)
async def test_fault_of_tls_is_not_tried_again(fault: Exception, text: str) -> None:
    """A certificate that was not accepted won't be in a second, and a strange server is not to be asked four times."""
    reach = Reach(fault)

    error = await failure(reach)

    assert (type(error), error.message, len(reach.requests)) == (TLSFailed, text, 1)


async def test_connection_that_ends_within_tls_broke_off_like_any_other() -> None:
    """Python calls it an SSLError, but no certificate is at fault."""
    reach = Reach(caused(httpx.ReadError("x"), ssl.SSLEOFError("EOF")), good())

    assert await ask(reach) == ["b1"]


async def test_refusal_under_200_is_told_and_not_tried_again() -> None:
    """The API has answered; what it says is the answer."""
    reach = Reach(says(200, {"success": False, "message": "paused"}))

    error = await failure(reach)

    assert (type(error), error.quotes, len(reach.requests)) == (Refused, ("paused",), 1)


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "x-amzn-requestid", "cf-ray"])
async def test_request_id_is_kept_and_bounded(name: str) -> None:
    """It is what Reach's support asks for; it is foreign text as well."""
    error = await failure(Reach(lambda _: httpx.Response(404, headers={name: "r" * 500})))

    assert error.request_id == "r" * 80


async def test_error_body_that_cannot_be_read_does_not_hide_the_status() -> None:
    """The status is the news; a body that is huge, breaks off or is badly packed is not."""

    async def breaks() -> AsyncIterator[bytes]:
        yield b'{"message": "so'
        raise httpx.ReadError("reset")

    answers: list[Answer] = [
        lambda _: httpx.Response(403, content=b"x" * 70_000),
        lambda _: httpx.Response(403, content=breaks()),
        lambda _: httpx.Response(403, content=b"", headers={"content-encoding": "gzip"}),
        lambda _: httpx.Response(403, content=b"", headers={"content-encoding": "br"}),
    ]
    for answer in answers:
        error = await failure(Reach(answer))

        assert (type(error), error.quotes) == (Forbidden, ())


# Waiting


def as_seconds(wait: int) -> str:
    return str(wait)


def as_date(wait: int) -> str:
    return email.utils.formatdate(time.time() + wait, usegmt=True)


FORMS = pytest.mark.parametrize("form", [as_seconds, as_date])


@FORMS
@pytest.mark.parametrize("status", [429, 503])
async def test_wait_longer_than_the_deadline_is_told_and_not_slept(status: int, form: Callable[[int], str]) -> None:
    """The model can wait and come back; a call that sleeps until it is cut brings nothing."""
    reach = Reach(says(status, Retry_After=form(90)))

    error = await failure(reach, seconds=20)

    assert type(error) is (RateLimited if status == 429 else ServerFailed)
    assert error.retry_after == pytest.approx(90, abs=2)
    assert len(reach.requests) == 1


@FORMS
@pytest.mark.parametrize("wait", [0, 2])
async def test_wait_within_the_deadline_is_waited_and_the_page_comes(wait: int, form: Callable[[int], str]) -> None:
    """Short limits are the API's way to say 'not so fast', not 'no'."""
    assert await ask(Reach(says(429, Retry_After=form(wait)), good()), seconds=20) == ["b1"]


async def test_date_that_has_passed_is_no_wait() -> None:
    """A cache may have kept the answer for longer than the wait it names."""
    error = await failure(Reach(says(429, Retry_After="Mon, 01 Jan 2024 00:00:00 GMT")))

    assert error.retry_after == 0


async def test_date_of_retry_after_is_held_against_the_clock_of_reach() -> None:
    """Our clock may be an hour off; the difference of two of its dates is right all the same."""
    reach = Reach(says(429, Retry_After="Mon, 01 Jan 2024 00:02:00 GMT", Date="Mon, 01 Jan 2024 00:00:30 GMT"))

    assert (await failure(reach, seconds=20)).retry_after == 90


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "Mon, 99 Jan 2024", "Mon, 01 Jan 99999 00:00:00 GMT"])
async def test_wait_that_cannot_be_read_is_as_none(value: str) -> None:
    """Then the client's own backoff stands."""
    error = await failure(Reach(says(429, Retry_After=value)))

    assert error.retry_after is None


async def test_date_without_a_zone_is_read_as_utc() -> None:
    """`-0000` says that the zone is not known; HTTP knows none but GMT."""
    reach = Reach(says(429, Retry_After="01 Jan 2024 00:02:00 -0000", Date="01 Jan 2024 00:00:30 GMT"))

    assert (await failure(reach, seconds=20)).retry_after == 90


async def test_deadline_that_has_passed_sends_nothing() -> None:
    """The last page of a long walk may come to its turn too late."""
    reach = Reach(good())

    assert type(await failure(reach, seconds=0)) is TimedOut
    assert reach.requests == []


async def test_deadline_that_passes_between_two_tries_tells_why_it_was_tried_again() -> None:
    """'Reach answered 503' helps; 'it did not answer' would be untrue."""
    with stamina.set_testing(False):
        error = await failure(Reach(says(503)), seconds=0.1)

    assert str(error).startswith("Reach answered with status 503.")


async def test_deadline_that_passes_in_a_later_try_is_told_as_such() -> None:
    """What failed before was overtaken."""
    assert type(await failure(Reach(says(503), never), seconds=0.05)) is TimedOut


async def test_requests_in_flight_are_bounded() -> None:
    """All calls of the process share the bound, so that a fleet of agents is no attack."""
    flying = most = 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await anyio.lowlevel.checkpoint()
        flying -= 1
        return httpx.Response(200, json=GOOD)

    reach = Reach(answer)
    async with (
        ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach, max_requests=3) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(12):
            group.start_soon(lambda: client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(5)))

    assert (most, len(reach.requests)) == (3, 12)


# Redirects and origins


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/api/batches?page=2", "https://elsewhere.test/", "https://elsewhere.test:port/", ""]
)
async def test_redirect_is_never_followed(status: int, location: str) -> None:
    """The credential is for one origin; wherever a redirect leads, and whether it leads anywhere, it is named."""
    reach = Reach(says(status, location=location))

    error = await failure(reach)

    assert (type(error), error.message) == (
        Redirected,
        f"Reach's address redirects elsewhere ({status}), which was not followed.",
    )
    assert [request.url.host for request in reach.requests] == ["reach.test"]


async def test_cookie_of_one_answer_is_not_sent_with_the_next_request() -> None:
    """The client serves many callers; nothing of one may reach the other."""
    reach = Reach(lambda _: httpx.Response(200, json=GOOD, headers={"set-cookie": "session=1; Path=/"}))

    async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach) as client:
        for _ in range(2):
            await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(5))

    assert ["cookie" in request.headers for request in reach.requests] == [False, False]


# Bodies


def packed(body: bytes, encoding: str = "gzip", status: int = 200) -> Answer:
    return lambda _: httpx.Response(status, stream=httpx.ByteStream(body), headers={"content-encoding": encoding})


PLAIN = json.dumps(GOOD).encode()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(PLAIN), "gzip"),
        (gzip.compress(PLAIN), "X-GZIP"),
        (zlib.compress(PLAIN), "deflate"),
        (PLAIN, "identity"),
    ],
)
async def test_compressed_page_is_read(body: bytes, encoding: str) -> None:
    """Pages with pending details are up to 10 MB; packed they are a tenth."""
    assert await ask(Reach(packed(body, encoding))) == ["b1"]


@pytest.mark.parametrize("body", [gzip.compress(PLAIN)[:-9], b"", b"not gzip at all"])
async def test_packed_page_that_breaks_off_is_tried_again(body: bytes) -> None:
    """As a page that breaks off unpacked is."""
    reach = Reach(packed(body))

    error = await failure(reach)

    assert (type(error), error.message) == (NoConnection, "The compressed answer broke off or is damaged.")
    assert len(reach.requests) == 4


async def test_packing_that_was_not_asked_for_is_named() -> None:
    """Only gzip is asked for; what can't be unpacked is not called JSON that is not valid."""
    error = await failure(Reach(packed(b"...", "br")))

    assert (type(error), error.message) == (
        UnexpectedStatus,
        "The answer is compressed in a way that was not asked for.",
    )


@pytest.mark.parametrize("pack", [lambda body: body, gzip.compress])
async def test_page_above_the_limit_is_refused(pack: Callable[[bytes], bytes]) -> None:
    """Memory is bounded whatever comes, packed or not; the limit and the way out are named."""
    body = json.dumps(page(*(batch(f"b{number}") for number in range(100)))).encode()
    encoding = "identity" if pack(body) == body else "gzip"

    error = await failure(Reach(packed(pack(body), encoding)), max_body=len(body) - 1)

    assert type(error) is BodyTooLarge
    assert error.message == f"The answer is larger than the limit of {(len(body) - 1) / 1e6:g} MB."
    assert len(await ask(Reach(packed(pack(body), encoding)), max_body=len(body))) == 100


async def test_body_that_grows_beyond_reason_when_unpacked_is_refused() -> None:
    """A bomb of a few kilobytes is stopped by its ratio long before the limit on size."""
    error = await failure(Reach(packed(gzip.compress(b" " * 2_000_000))), max_body=1_000_000)

    assert str(error) == (
        "The answer is compressed more than 200-fold, as no answer of Reach is. "
        "Check REACH_API_URL; a proxy may have answered in Reach's place."
    )


# The credential


def signed(**claims: Any) -> StaticToken:
    return StaticToken(SecretStr(jwt.encode(claims, "k" * 32, algorithm="HS256")))


@pytest.mark.parametrize(
    ("ago", "text"),
    [(30, "30 s"), (120, "2 min"), (7200, "2 h"), (3 * 86_400, "3 d")],
)
async def test_refused_token_that_has_ended_is_told_with_the_time(ago: int, text: str) -> None:
    """A JWT in a config file is dead an hour later: the commonest fault of all has to name itself."""
    reach = Reach(says(401, Date="Mon, 23 Nov 2026 12:00:00 GMT"))
    moment = 1_795_435_200

    error = await failure(reach, credential=signed(exp=moment - ago))

    assert str(error).startswith(f"Reach did not accept the credential (401): it ended {text} ago. Give a fresh JWT")


@pytest.mark.parametrize("claims", [{"exp": 4_000_000_000}, {}])
async def test_refused_token_that_has_not_ended_is_told_without_a_time(claims: dict[str, Any]) -> None:
    """Then the cause is another one: wrong secret, wrong claims."""
    error = await failure(Reach(says(401)), credential=signed(**claims))

    assert error.message == "Reach did not accept the credential (401)."


async def test_end_of_a_token_is_told_by_our_clock_where_reach_names_no_time() -> None:
    """Not every proxy in between lets a Date through."""
    error = await failure(Reach(says(401)), credential=signed(exp=int(time.time()) - 86_400))

    assert error.message.endswith("it ended 1 d ago.")


async def test_partner_jwt_that_is_refused_is_signed_anew_by_the_clock_of_reach() -> None:
    """Once; the second refusal is final."""
    date = "Mon, 23 Nov 2026 12:00:00 GMT"
    credential = PartnerSecret("p", lambda: "s" * 32, lambda: 0.0)
    reach = Reach(says(401, Date=date), good())

    assert await ask(reach, credential=credential) == ["b1"]

    sent = [request.headers["authorization"].removeprefix("Bearer ") for request in reach.requests]
    ends = [jwt.decode(token, options={"verify_signature": False})["exp"] for token in sent]
    assert ends == [3600, 1_795_435_200 + 3600]

    reach = Reach(says(401, Date=date))
    assert type(await failure(reach, credential=PartnerSecret("p", lambda: "s" * 32, lambda: 0.0))) is Unauthorized
    assert len(reach.requests) == 2


async def test_requests_that_are_refused_together_all_come_through() -> None:
    """One of them renews; the others must not take the renewed token for the refused one."""
    credential = PartnerSecret("p", lambda: "s" * 32, lambda: 0.0)
    refused = credential.token()

    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        stale = request.headers["authorization"] == f"Bearer {refused}"
        return httpx.Response(401 if stale else 200, json=GOOD, headers={"date": "Mon, 23 Nov 2026 12:00:00 GMT"})

    reach = Reach(answer)
    async with (
        ReachClient("https://reach.test", credential, transport=reach) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(4):
            group.start_soon(lambda: client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(5)))

    assert len(reach.requests) == 8


async def test_token_file_that_changed_is_read_after_a_refusal(tmp_path: Path) -> None:
    """Whoever renews it may be a moment late."""
    file = tmp_path / "token"
    file.write_text("old")

    def answer(request: httpx.Request) -> httpx.Response:
        fresh = request.headers["authorization"] == "Bearer new"
        file.write_text("new")
        return httpx.Response(200 if fresh else 401, json=GOOD)

    assert await ask(Reach(answer), credential=TokenFile(file)) == ["b1"]


async def test_without_a_credential_nothing_is_sent() -> None:
    """The call says what to set; Reach is not asked for a refusal that is certain."""
    reach = Reach(good())

    assert type(await failure(reach, credential=Credential())) is CredentialMissing
    assert reach.requests == []


@pytest.mark.parametrize(
    "token", ["", f"Bearer {TOKEN}", f"{TOKEN}\n{TOKEN}", f"{TOKEN}ä", f"{TOKEN}\ud83d", f"{TOKEN}\0"]
)
async def test_credential_that_no_header_can_hold_is_not_sent_and_not_shown(token: str) -> None:
    """Pasted with its scheme or over two lines, it would fail deep in the HTTP library, whose message repeats it."""
    reach = Reach(good())

    error = await failure(reach, credential=StaticToken(SecretStr(token)))

    assert str(error) == (
        "The Reach credential is not a token. "
        "A JWT is one line without spaces: set it without 'Bearer', quotes or line breaks."
    )
    assert reach.requests == []
    assert TOKEN not in "".join(traceback.format_exception(error))


FAULTS: list[Exception | Answer] = [
    says(400, {"message": "bad"}),
    says(401),
    says(500),
    says(302, location="https://elsewhere.test/"),
    says(200, b"<html>"),
    httpx.ConnectError("refused"),
    ssl.SSLError("no"),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_secret_shows_in_errors_logs_or_reprs(
    fault: Exception | Answer, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are shipped and errors are read by models: everything that they hold is as good as published."""
    caplog.set_level(logging.DEBUG)
    credential = StaticToken(SecretStr(TOKEN))
    client = ReachClient("https://reach.test", credential, transport=Reach(fault))

    async with client:
        with pytest.raises(ReachError) as raised:
            await client.list_batches(BatchQuery(cursor="c"), tenant="t7", deadline=Deadline(5))

    shown = [*traceback.format_exception(raised.value), repr(raised.value), repr(client), repr(vars(client))]
    assert TOKEN not in "\n".join([*shown, caplog.text])


# Settings that the HTTP library reads


@pytest.mark.usefixtures("bare_network")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SSL_CERT_FILE", "/no/such/bundle.pem", "SSL_CERT_FILE or SSL_CERT_DIR names no readable CA bundle."),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE or SSL_CERT_DIR names no readable CA bundle."),
        ("HTTPS_PROXY", "ftp://proxy.test", "proxy variable"),
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "SOCKS is not supported"),
        ("HTTPS_PROXY", "http://proxy.test:port", "proxy variable"),
    ],
)
async def test_wrong_setting_of_the_environment_is_named(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies and CA bundles come from the environment; what is wrong there is no bug of ours and no silence."""
    monkeypatch.setenv(name, value)

    async with ReachClient("https://127.0.0.1:9", StaticToken(SecretStr("t"))) as client:
        with pytest.raises(ConfigurationError, match=message):
            await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(5))


async def test_client_that_was_never_asked_closes_without_a_connection() -> None:
    """Reading the CA bundle is left to the first request, so a server that is only listed starts at once."""
    reach = Reach(never)
    async with ReachClient("https://reach.test", StaticToken(SecretStr("t")), transport=reach):
        pass

    assert reach.requests == []


def test_deadline_never_runs_below_zero() -> None:
    """Whoever waits for what is left must not be told to wait for less than nothing."""
    assert Deadline(-1).left() == 0
    assert 9 < Deadline(10).left() <= 10


@given(st.text(max_size=40))
def test_whatever_retry_after_says_a_wait_is_known_or_not(value: str) -> None:
    """The header is foreign: no text in it may end in a traceback."""
    headers = [(b"retry-after", value.encode("utf-8", "replace"))]

    wait = module._retry_after(httpx.Response(429, headers=headers))

    assert wait is None or wait >= 0
