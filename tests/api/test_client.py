"""ReachClient over the scripted transport: requests, errors, retries, secrets, slots."""

from __future__ import annotations

import base64
import json
import logging
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote

import anyio
import anyio.lowlevel
import httpx
import jwt
import pytest

from reach_mcp.api import errors
from reach_mcp.api.auth import Credential, PartnerSecret
from reach_mcp.api.client import ReachClient, build_client
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.query import BatchQuery
from reach_mcp.demo.story import build_story
from reach_mcp.settings import ConfigurationError, load_settings
from tests.builders import batch, detail, page, pending
from tests.fakes import Answer, Handler, ScriptedTransport

pytestmark = pytest.mark.anyio

TOKEN = "static-token/with+odd.chars"
NOW = 1_795_000_000.0
GOOD = page(batch("b1"), total=1)
SECRET = "partner secret that is shared"


def client_of(
    transport: httpx.AsyncBaseTransport, credential: Credential | None = None, *, requests: int = 4, body: int = 50_000
) -> ReachClient:
    return ReachClient(
        "https://reach.test/base",
        credential or Credential(lambda: TOKEN),
        transport=transport,
        max_requests=requests,
        max_body=body,
        clock=lambda: NOW,
    )


async def ask(
    *script: Answer | Handler, deadline: Deadline | None = None, credential: Credential | None = None
) -> tuple[Page, ScriptedTransport]:
    transport = ScriptedTransport(*script)
    async with client_of(transport, credential) as client:
        found = await client.list_batches(BatchQuery(), tenant=None, deadline=deadline or Deadline(30))
    return found, transport


async def fail(
    kind: type[ReachError], *script: Answer | Handler, deadline: Deadline | None = None, seconds: float = 30
) -> tuple[ReachError, int]:
    """The error of a call and how many requests it took."""
    spent = deadline or Deadline(seconds)
    with pytest.raises(kind) as raised:
        await ask(*script, deadline=spent)
    assert type(raised.value) is kind
    return raised.value, spent.requests


async def get_one(client: ReachClient, batch_id: str) -> Batch:
    return await client.get_batch(batch_id, tenant=None, deadline=Deadline(30))


def reply(status: int, body: object = None, **headers: str) -> httpx.Response:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, content=content)


def http_time(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


# Requests


async def test_a_query_sends_only_its_set_parameters_as_strings() -> None:
    full = BatchQuery("c 1", 50, "PARTNER_RESOURCE_JSON_INGEST", "startedAt", "asc", True, False)
    transport = ScriptedTransport(GOOD, GOOD)
    async with client_of(transport) as client:
        await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(30))
        await client.list_batches(full, tenant="Tenant 7", deadline=Deadline(30))
    first, second = transport.requests
    assert (str(first.url), first.method) == ("https://reach.test/base/api/batches", "GET")
    assert "reach-tenant-id" not in first.headers
    assert second.headers["reach-tenant-id"] == "Tenant 7"
    assert transport.tokens == [TOKEN, TOKEN]
    assert transport.queries[1] == {
        "cursor": "c 1",
        "limit": "50",
        "batchType": "PARTNER_RESOURCE_JSON_INGEST",
        "sortBy": "startedAt",
        "sortDirection": "asc",
        "includePendingDetails": "true",
        "onlyBatchesWithPendingResources": "false",
    }


@pytest.mark.parametrize("batch_id", ["b1", "a/../b", "ü ?#%", "../../admin", "x\ud83d"])
async def test_a_batch_id_stays_one_segment_of_the_path(batch_id: str) -> None:
    name = batch_id.encode("utf-8", "replace").decode()
    transport = ScriptedTransport(detail(batch(batch_id)))
    async with client_of(transport) as client:
        with pytest.raises(errors.UnexpectedAnswer) if name != batch_id else anyio.CancelScope():
            await get_one(client, batch_id)
    raw = transport.requests[0].url.raw_path.decode()
    assert raw == f"/base/api/batches/{quote(name, safe='')}?includePendingDetails=true"


@pytest.mark.parametrize("batch_id", ["", " ", ".", ".."])
async def test_a_batch_id_that_names_another_endpoint_is_refused(batch_id: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="batch_id"):
        await get_one(client_of(ScriptedTransport()), batch_id)


@pytest.mark.parametrize("tenant", ["", " t", "t ", "t\r\nX: y", "ü", "x" * 300])
async def test_a_tenant_that_no_header_can_hold_is_refused(tenant: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="tenant_id"):
        await client_of(ScriptedTransport()).list_batches(BatchQuery(), tenant=tenant, deadline=Deadline(30))


@pytest.mark.parametrize("cursor", ["x" * 70_000, "\ud83d"])
async def test_a_cursor_that_no_url_can_hold_is_refused(cursor: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="too long for a URL"):
        async with client_of(ScriptedTransport(GOOD)) as client:
            await client.list_batches(BatchQuery(cursor=cursor), tenant=None, deadline=Deadline(30))


async def test_an_answer_about_another_batch_is_an_error() -> None:
    async with client_of(ScriptedTransport(detail(batch("theirs")), detail(batch("MINE")))) as client:
        with pytest.raises(errors.UnexpectedAnswer) as raised:
            await get_one(client, "mine")
        assert raised.value.quotes == ["theirs"]
        assert (await get_one(client, "mine")).batch_id == "MINE"


async def test_a_large_body_is_decoded_off_the_event_loop() -> None:
    body = page(batch("b1", *(pending(f"t:{n}", "c:1") for n in range(1_500))))
    turns = 0

    async def count(scope: anyio.CancelScope) -> None:
        nonlocal turns
        while not scope.cancel_called:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with client_of(ScriptedTransport(body, GOOD), body=10**7) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(count, tasks.cancel_scope)
        found = await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(30))
        tasks.cancel_scope.cancel()
    assert len(found.batches[0].pending_resources or ()) == 1_500
    assert turns > 3


# Statuses


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (404, errors.UnexpectedStatus),
        (418, errors.UnexpectedStatus),
    ],
)
async def test_a_final_status_is_asked_once_and_quoted(status: int, kind: type[ReachError]) -> None:
    body = {"success": False, "message": "limit is wrong", "errors": ["limit: at most 100"]}
    error, requests = await fail(kind, reply(status, body, X_Request_Id="req-7" * 50, Location="http://["))
    assert (error.quotes, requests) == (["limit is wrong", "limit: at most 100"], 1)
    assert (error.request_id or "")[:10] == "req-7req-7"
    assert len(error.request_id or "") == 80
    assert str(status) in error.message
    assert error.advice


@pytest.mark.parametrize(
    ("body", "kind"), [({"message": "no batch"}, errors.BatchNotFound), (b"<html>", errors.UnexpectedStatus)]
)
async def test_an_unknown_batch_is_told_apart_from_a_wrong_base_url(body: object, kind: type[ReachError]) -> None:
    async with client_of(ScriptedTransport(reply(404, body))) as client:
        with pytest.raises(ReachError) as raised:
            await get_one(client, "b1")
    assert type(raised.value) is kind


async def test_a_404_of_the_list_with_a_message_may_be_about_the_tenant() -> None:
    error, _ = await fail(errors.UnexpectedStatus, reply(404, {"message": "no tenant"}))
    assert (error.quotes, error.advice) == (["no tenant"], "Check tenant_id, then REACH_API_URL.")
    error, _ = await fail(errors.UnexpectedStatus, reply(404, b"<html>"))
    assert "without a path" in error.advice


async def test_a_404_under_a_base_url_with_a_path_names_the_path() -> None:
    settings = load_settings(api_url="https://reach.test/api/batches", api_token=TOKEN)
    async with build_client(settings, ScriptedTransport(reply(404, {"message": "Not Found"}))) as client:
        with pytest.raises(errors.UnexpectedStatus, match=r"REACH_API_URL ends in /api/batches, .* leave it out"):
            await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(30))


@pytest.mark.parametrize(
    ("tenant", "advice"),
    [
        (None, "Name the tenant in tenant_id, or set REACH_TENANT_ID."),
        ("acme", "Check tenant_id and REACH_TENANT_ID."),
    ],
)
async def test_a_400_about_the_tenant_says_where_to_name_it(tenant: str | None, advice: str) -> None:
    async with client_of(ScriptedTransport(reply(400, {"message": "Tenant is required"}))) as client:
        with pytest.raises(errors.BadRequest) as raised:
            await client.list_batches(BatchQuery(), tenant=tenant, deadline=Deadline(30))
    assert raised.value.advice == advice


def test_every_error_has_two_sentences_and_a_stable_kind() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ReachError)]
    for each in kinds:
        assert each.message.endswith(".")
        assert each.advice.endswith(".") or each is errors.InvalidArgument
        assert each.__name__ in (errors.__doc__ or "")
    assert (errors.NotJSON().kind, errors.TLSFailed().kind, errors.TimedOut().kind) == (
        "not_json",
        "tls_failed",
        "timed_out",
    )


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [
        (httpx.ConnectTimeout("slow"), errors.NoConnection, 4),
        (httpx.ReadTimeout("silent"), errors.Stalled, 1),
        (ssl.SSLCertVerificationError("unknown authority"), errors.TLSFailed, 1),
        (ssl.SSLError("wrong version"), errors.TLSFailed, 1),
        (ssl.SSLEOFError("ended"), errors.NoConnection, 4),
    ],
    ids=repr,
)
async def test_a_transport_failure_has_its_own_error(fault: Exception, kind: type[ReachError], attempts: int) -> None:
    _, requests = await fail(kind, *[fault] * attempts)
    assert requests == attempts


# Bodies


async def test_an_error_body_that_is_too_large_or_broken_does_not_hide_the_status() -> None:
    for body, encoding in ((b"x" * 100_000, "identity"), (b"no gzip", "gzip"), (b"x", "br")):
        response = httpx.Response(403, headers={"Content-Encoding": encoding}, stream=Raw(body))
        error, _ = await fail(errors.Forbidden, response)
        assert error.quotes == []


class Raw(httpx.AsyncByteStream):
    """A body as it arrives from the network."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for piece in self._pieces:
            yield piece


# Waits and clocks


async def test_a_wait_that_does_not_fit_is_returned() -> None:
    for status, kind in ((429, errors.RateLimited), (503, errors.ServerFailed)):
        error, requests = await fail(kind, reply(status, Retry_After="90"))
        assert (requests, error.retry_after) == (1, 90.0)


@pytest.mark.parametrize("wait", ["1", "0", "soon", "", "9" * 9, "9" * 400, "²", "-5", http_time(60)])
async def test_a_wait_that_fits_or_is_absurd_is_followed_by_a_retry(wait: str) -> None:
    limited = httpx.Response(429, headers=[(b"Retry-After", wait.encode())])
    _, transport = await ask(limited, GOOD)
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        (http_time(7_200), 7_200.0),
        (http_time(-300), -300.0),
        (http_time(30), 0.0),
        (http_time(10 * 86_400), 0.0),
        ("Thu, 26 Nov 2026 00:00:00 +99999999999999", 0.0),
    ],
)
async def test_a_skew_of_the_clocks_beyond_a_minute_is_noted(date: str, skew: float) -> None:
    deadline = Deadline(30)
    await ask(reply(200, GOOD, Date=date, X_Request_Id="req-1"), deadline=deadline)
    assert (deadline.clock_skew, deadline.request_id) == (skew, "req-1")
    assert (deadline.requests, deadline.size) == (1, len(json.dumps(GOOD)))


async def test_an_expired_deadline_sends_nothing() -> None:
    deadline = Deadline(0)
    error, requests = await fail(errors.TimedOut, deadline=deadline)
    assert (requests, deadline.expired, deadline.left(), error.kind) == (0, True, 0.0, "timed_out")


# Credentials


@pytest.mark.parametrize(("ago", "text"), [(40, "0:00:40"), (7_200, "2:00:00"), (200_000, "2 days"), (-60, "")])
async def test_a_refused_token_that_has_ended_is_told_with_its_age(ago: int, text: str) -> None:
    token = jwt.encode({"exp": int(NOW) - ago}, "k" * 40, algorithm="HS256")
    with pytest.raises(errors.Unauthorized) as raised:
        await ask(401, credential=Credential(lambda: token))
    assert ("ended" in raised.value.message) == bool(text)
    assert text in raised.value.message


async def test_a_signed_jwt_that_is_refused_is_signed_again_by_the_clock_of_the_api() -> None:
    partner = PartnerSecret("p1", lambda: SECRET, clock=lambda: NOW)
    deadline = Deadline(30)
    _, transport = await ask(reply(401, Date=http_time(-1_800)), GOOD, credential=partner, deadline=deadline)
    first, second = (jwt.decode(token, options={"verify_signature": False}) for token in transport.tokens)
    assert (second["iat"] < first["iat"], second["exp"] > NOW - 1_800, deadline.requests) == (True, True, 2)
    with pytest.raises(errors.Unauthorized, match="Check REACH_PARTNER_ID"):
        await ask(401, credential=partner)
    with pytest.raises(errors.Unauthorized, match="differ by about 2 h"):
        await ask(reply(401, Date=http_time(7_200)), credential=partner)


SIGNED = PartnerSecret("p1", lambda: SECRET, clock=lambda: NOW)
ENCODINGS: Sequence[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.urlsafe_b64encode(f"Bearer {text}".encode()).decode(),
    lambda text: base64.b64encode(f"x:{text}".encode()).decode(),
    lambda text: text.encode().hex(),
    lambda text: text.replace("/", "\\/"),
]


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize("credential", [Credential(lambda: TOKEN), SIGNED], ids=["static", "partner"])
async def test_no_secret_that_the_api_repeats_is_quoted(
    encode: Callable[[str], str], credential: Credential, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [credential.token()]
    secrets += credential.secrets()
    body = {"message": f"Invalid token {encode(secrets[0])}!", "errors": [f"<{encode(one)}>" for one in secrets]}
    with pytest.raises(errors.Forbidden) as raised:
        await ask(reply(403, body, X_Request_Id=encode(secrets[0])[:80]), credential=credential)
    told = f"{raised.value} {raised.value.quotes} {credential!r} {vars(raised.value)} {caplog.text}"
    for secret in secrets:
        assert secret not in told
        assert encode(secret).strip("=")[4:-4] not in told
    assert "Invalid token" in raised.value.quotes[0]
    assert "[redacted]" in raised.value.quotes[0]


async def test_no_secret_that_the_api_repeats_stands_in_a_page() -> None:
    found, _ = await ask(lambda request: page(batch("b1", message=f"by {request.headers['authorization']}")))
    assert found.batches[0].errors is not None
    assert found.batches[0].errors.message == "by Bearer [redacted]"


# Slots


async def hold_and_count(transport_requests: int, tenants: Sequence[str | None], *, pinned: str | None = None) -> int:
    """How many of several stalled calls are sent at once."""
    started = 0

    async def stall(_: httpx.Request) -> Answer:
        nonlocal started
        started += 1
        await anyio.sleep_forever()
        return 500  # pragma: no cover

    client = client_of(ScriptedTransport(stall), requests=transport_requests)
    client.pinned_tenant = pinned
    async with client, anyio.create_task_group() as tasks:
        for tenant in tenants:
            tasks.start_soon(lambda name: client.list_batches(BatchQuery(), tenant=name, deadline=Deadline(30)), tenant)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return started


async def test_one_tenant_cannot_take_all_slots() -> None:
    assert await hold_and_count(4, ["a"] * 6) == 2
    assert await hold_and_count(4, ["a"] * 6 + ["b"] * 6 + ["c"]) == 4
    assert await hold_and_count(1, ["a"] * 3) == 1
    assert await hold_and_count(4, [None] * 6) == 4
    assert await hold_and_count(4, ["p"] * 6, pinned="p") == 4


async def test_a_call_that_gets_no_slot_is_told_so_and_a_stalled_one_gives_its_slot_back() -> None:
    async def stall(request: httpx.Request) -> Answer:
        if request.url.params.get("cursor") == "stalls":
            await anyio.sleep_forever()
        return GOOD

    async with client_of(ScriptedTransport(stall), requests=1) as client, anyio.create_task_group() as tasks:

        async def call(cursor: str, seconds: float) -> Page:
            return await client.list_batches(BatchQuery(cursor), tenant=None, deadline=Deadline(seconds))

        tasks.start_soon(call, "stalls", 30)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(errors.Busy, match="slots"):
            await call("", 0.05)
        tasks.cancel_scope.cancel()
    async with client:
        with pytest.raises(errors.TimedOut):
            await call("stalls", 0.05)
        assert (await call("", 30)).batches


# Settings


async def test_the_client_of_the_settings() -> None:
    settings = load_settings(api_url="https://reach.test/", api_token=TOKEN, tenant_id="t1", max_body_mb=1)
    transport = ScriptedTransport(GOOD)
    async with build_client(settings, transport) as client:
        await client.list_batches(BatchQuery(), tenant=client.pinned_tenant, deadline=Deadline(30))
    assert transport.requests[0].headers["reach-tenant-id"] == "t1"
    assert str(transport.requests[0].url) == "https://reach.test/api/batches"
    async with build_client(settings):
        pass
    for name in build_story(datetime.now(UTC)):
        async with build_client(load_settings(demo=True, demo_tenant=name)) as client:
            await client.list_batches(BatchQuery(), tenant=client.pinned_tenant, deadline=Deadline(30))
    with pytest.raises(ConfigurationError, match=r"REACH_MCP_DEMO_TENANT .* one of northwind, healthy, empty"):
        load_settings(demo_tenant="zz")
