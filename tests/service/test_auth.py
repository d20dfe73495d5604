"""Over real sockets, in both protocols: nothing of a tenant reaches a caller that may not see it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest

from tests.builders import page
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import ERAS, EXPLAIN, GET, LIST, TOKEN, read_events, rpc
from tests.service.serving import (
    ALLOWED,
    TENANTS,
    TOKENS,
    bearer,
    callers_file,
    post,
    reach,
    service,
    text_of,
)

pytestmark = pytest.mark.anyio

LIST_CALL = {"name": LIST, "arguments": {}}
NAMED = [
    (None, None),
    *((name, None) for name in TENANTS),
    *((None, name) for name in TENANTS),
    ("acme", "acme"),
    ("acme", "globex"),
    ("globex", "acme"),
    ("acme", "ACME"),
]
"""Header and argument of a request."""


def requests_for(tenant: str | None) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every request that can bring data of a tenant, with the tenant as an argument where there is one."""
    named = {} if tenant is None else {"tenant_id": tenant}
    calls: list[tuple[str, dict[str, Any]]] = [
        (LIST, {}),
        (LIST, {"scope": "all"}),
        (LIST, {"limit": 1, "cursor": "globex-cursor"}),
        (GET, {"batch_id": "b1"}),
        (GET, {"batch_id": "../batches/b1?reach-tenant-id=globex"}),
        (EXPLAIN, {"view": "blockers"}),
    ]
    for tool, arguments in calls:
        yield "tools/call", {"name": tool, "arguments": arguments | named}
    if tenant is None:
        yield "resources/read", {"uri": "reach://batches/b1"}
    argument, prompt = {"name": "batch_id", "value": ""}, {"type": "ref/prompt", "name": "customer_message"}
    yield "completion/complete", {"ref": prompt, "argument": argument, "context": {"arguments": named}}


def expected(caller: str, header: str | None, argument: str | None) -> str | None:
    """The tenant that a caller gets, None where it is refused."""
    found = {header, argument} - {None} or (set(ALLOWED[caller]) if len(ALLOWED[caller]) == 1 else set())
    return found.pop() if len(found) == 1 and found <= set(ALLOWED[caller]) else None


@pytest.mark.parametrize("era", ERAS)
async def test_no_request_brings_data_of_another_tenant(era: str, tmp_path: Path) -> None:
    """One server, so that each caller meets the snapshots of the others."""
    api = reach()
    async with service(api, callers_file=callers_file(tmp_path)) as client:
        for caller, (header, argument) in product(TOKENS, NAMED):
            tenant = expected(caller, header, argument)
            headers = [bearer(caller)] + ([("reach-tenant-id", header)] if header else [])
            for method, params in requests_for(argument):
                before = len(api.requests)
                response = await post(client, era, method, params, *headers)
                asked = {request.headers.get("reach-tenant-id") for request in api.requests[before:]}
                if caller == "any" and {header, argument} == {None}:
                    assert asked <= {None}  # a tenant-scoped credential needs no name
                    continue
                seen = set(re.findall("(acme|globex|initech)-secret", response.text))
                context = (caller, header, argument, method, params, response.text)
                assert asked <= {tenant} - {None}, context
                assert seen <= {tenant} - {None}, context
                refused = tenant is None or "../" in str(params)
                assert bool(seen) is not refused, context
                if tenant is None:
                    others = set(TENANTS) - set(ALLOWED[caller]) - {header, argument}
                    assert not [name for name in others if name in response.text], context


@pytest.mark.parametrize("era", ERAS)
async def test_since_token_of_another_tenant_is_refused(era: str, tmp_path: Path) -> None:
    async with service(reach(), callers_file=callers_file(tmp_path)) as client:

        async def explain(caller: str, tenant: str, since: str) -> httpx.Response:
            arguments = {"since": since, "tenant_id": tenant}
            return await post(client, era, "tools/call", {"name": EXPLAIN, "arguments": arguments}, bearer(caller))

        start = await explain("two", "globex", "start")
        token = re.findall(r"s4[\w-]{20,}", start.text)[0]
        answers = [await explain("one", "acme", token), await explain("two", "acme", token)]

    assert all("made for another tenant" in text_of(answer) for answer in answers)
    assert not any("globex" in answer.text for answer in answers)


@pytest.mark.parametrize("era", ERAS)
async def test_prompt_of_another_tenant_is_refused(era: str, tmp_path: Path) -> None:
    async with service(reach(), callers_file=callers_file(tmp_path)) as client:
        answers = {
            (caller, tenant): await post(
                client, era, "prompts/get",
                {"name": "triage_stuck_batches", "arguments": {"tenant_id": tenant}}, bearer(caller),
            )
            for caller, tenant in product(TOKENS, TENANTS)
        }  # fmt: skip

    assert {pair for pair, answer in answers.items() if "error" not in read_events(answer)} == {
        (caller, tenant) for caller in TOKENS for tenant in ALLOWED[caller]
    }


async def test_tenant_is_not_remembered_between_calls(tmp_path: Path) -> None:
    async with service(reach(), callers_file=callers_file(tmp_path)) as client:
        first = await post(client, "modern", "tools/call", LIST_CALL, bearer("two"), ("reach-tenant-id", "globex"))
        second = await post(client, "modern", "tools/call", LIST_CALL, bearer("two"))

    assert "globex" in text_of(first)
    assert "must name one of its tenants. They are 'acme', 'globex'." in text_of(second)


@pytest.mark.parametrize("caller", TOKENS)
async def test_pinned_tenant_holds_for_every_caller(caller: str, tmp_path: Path) -> None:
    api = reach()
    async with service(api, callers_file=callers_file(tmp_path), tenant_id="acme") as client:
        plain = await post(client, "modern", "tools/call", LIST_CALL, bearer(caller))
        other = await post(client, "modern", "tools/call", LIST_CALL, bearer(caller), ("reach-tenant-id", "globex"))
    async with service(api, callers_file=callers_file(tmp_path), tenant_id="initech") as client:
        foreign = await post(client, "modern", "tools/call", LIST_CALL, bearer(caller))

    assert "acme-secret" in plain.text
    assert "secret" not in other.text
    assert ("initech-secret" in foreign.text) is (caller == "any")


# --- headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([bearer("one"), bearer("one")], 400),
        ([bearer("one"), bearer("any")], 400),
        ([("AUTHORIZATION", f"bearer {TOKENS['one']}")], 200),
        ([bearer("one"), ("Reach-Tenant-Id", "acme"), ("reach-tenant-id", "globex")], 400),
        ([bearer("one"), ("REACH-TENANT-ID", "acme")], 200),
        ([bearer("one"), ("reach_tenant_id", "globex"), ("x-reach-tenant-id", "globex")], 200),
        ([bearer("one"), ("x-forwarded-user", "any"), ("x-original-authorization", TOKENS["any"])], 200),
        ([bearer("one"), ("reach-tenant-id", "")], 400),
        ([bearer("one"), ("reach-authorization", f"Bearer {TOKEN}")], 400),
        ([("Authorization", f"Bearer {TOKENS['one']}, Bearer {TOKENS['any']}")], 401),
        ([("Authorization", f"Bearer {TOKENS['one']} x")], 401),
        ([("Authorization", TOKENS["one"])], 401),
        ([("Authorization", "Bearer")], 401),
        ([("X-Authorization", f"Bearer {TOKENS['any']}"), ("Cookie", f"token={TOKENS['any']}")], 401),
        ([bearer("one"), ("x-large", "x" * 70_000)], 431),
        ([bearer("one"), *((f"x-{number}", "x" * 100) for number in range(100))], 431),
    ],
)  # fmt: skip
async def test_odd_headers_change_no_rights(
    era: str, headers: list[tuple[str, str]], status: int, tmp_path: Path
) -> None:
    api = reach()
    async with service(api, callers_file=callers_file(tmp_path)) as client:
        response = await post(client, era, "tools/call", LIST_CALL, *headers)

    assert response.status_code == status
    assert {request.headers["reach-tenant-id"] for request in api.requests} == ({"acme"} if status == 200 else set())


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 2", "Content-Length: 200"],
        ["Content-Length: 2", "Transfer-Encoding: xchunked"],
        ["Authorization : Bearer {any}", "Content-Length: 2"],
        ["X: 1\x00", "Content-Length: 2"],
        ["X: 1\rAuthorization: Bearer {any}", "Content-Length: 2"],
    ],
)
async def test_requests_that_programs_read_differently_are_refused(lines: list[str], tmp_path: Path) -> None:
    api = reach()
    async with service(api, callers_file=callers_file(tmp_path)) as client:
        head = ["POST /mcp HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines]
        sent = "\r\n".join([*head, "", "{{}}"]).format(any=TOKENS["any"]).encode()
        async with await anyio.connect_tcp(client.base_url.host, client.base_url.port or 0) as stream:
            await stream.send(sent)
            answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert api.requests == []


@pytest.mark.parametrize("query", ["access_token={}", "a=b&TOKEN={}", "%74oken={}"])
async def test_token_in_the_address_is_refused(query: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "reach_mcp")
    async with service(reach(), callers_file=callers_file(tmp_path)) as client:
        address = f"/mcp?{query.format(TOKENS['one'])}"
        refused = await post(client, "modern", "tools/call", LIST_CALL, bearer("one"), url=address)
        served = await post(client, "modern", "tools/call", LIST_CALL, bearer("one"), url="/mcp?code=1")

    assert (refused.status_code, served.status_code) == (400, 200)
    assert TOKENS["one"] not in refused.text + caplog.text


async def test_without_oauth_there_is_nothing_to_register_with(tmp_path: Path) -> None:
    paths = ["oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"]
    async with service(reach(), callers_file=callers_file(tmp_path)) as client:
        refused = await post(client, "modern", "tools/list", {})
        wrong = await post(client, "modern", "tools/list", {}, ("authorization", "Bearer no-such-token"))
        found = [(await client.get(f"/.well-known/{path}")).status_code for path in paths]

    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert (
        "A static bearer token from this server's operator is expected; there is no OAuth registration." in refused.text
    )
    assert found == [404, 404, 404]


@pytest.mark.parametrize("era", ERAS)
async def test_rate_of_one_caller_is_limited_and_leaves_others_alone(era: str, tmp_path: Path) -> None:
    async with service(reach(), callers_file=callers_file(tmp_path), calls_per_minute=2) as client:
        answers = [await post(client, era, "tools/list", {}, bearer("one")) for _ in range(3)]
        other = await post(client, era, "tools/list", {}, bearer("two"))

    assert [answer.status_code for answer in [*answers, other]] == [200, 200, 429, 200]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30


# --- the credential for Reach ---------------------------------------------------------------------------------------


def reach_jwt(**claims: str) -> str:
    return jwt.encode({"partnerId": "p1", "type": "partner", **claims}, "k" * 32, algorithm="HS256")


OWN, OTHER = reach_jwt(n="1"), reach_jwt(n="2")


def partner(*valid: str) -> ScriptedTransport:
    """A Reach API that accepts some tokens, and repeats them in its errors."""
    api = reach()

    def respond(request: httpx.Request) -> Answer:
        shown = request.headers["authorization"]
        if shown.removeprefix("Bearer ") not in valid:
            return httpx.Response(401, json={"success": False, "message": f"{shown} is not valid"})
        answer = api._always
        assert callable(answer)
        return answer(request)  # type: ignore[return-value]  # never awaitable

    return ScriptedTransport(respond)


@pytest.mark.parametrize("era", ERAS)
async def test_callers_own_credential_goes_to_reach_and_is_never_replaced(era: str, tmp_path: Path) -> None:
    api = partner(OWN, TOKEN)
    async with service(api, callers_file=callers_file(tmp_path), credential="caller") as client:

        async def ask(*headers: tuple[str, str]) -> httpx.Response:
            arguments = {"name": LIST, "arguments": {"scope": "all"}}
            return await post(client, era, "tools/call", arguments, bearer("one"), *headers)

        own = await ask(("Reach-Authorization", f"Bearer {OWN}"))
        other = await ask(("reach-authorization", f"bearer  {OTHER}"))
        servers = await ask()
        wrong = [
            await ask(*(("reach-authorization", one) for one in values))
            for values in ([""], ["Bearer"], ["Bearer x"], [f"Basic {OWN}"], [OWN], [f"Bearer {OWN}"] * 2)
        ]

    assert api.tokens == [OWN, OTHER, TOKEN]  # a snapshot of one credential is none of another
    assert all("acme-secret" in answer.text for answer in (own, servers))
    assert "did not accept the credential" in text_of(other)
    assert {answer.status_code for answer in wrong} == {400}
    assert not any(part in other.text for part in (OTHER, OTHER.rpartition(".")[2], TOKEN, TOKENS["one"]))


@pytest.mark.parametrize("era", ERAS)
async def test_missing_credential_of_a_caller_is_named(era: str, tmp_path: Path) -> None:
    api = partner(TOKEN)
    flags: dict[str, Any] = {"callers_file": callers_file(tmp_path), "credential": "caller-required"}
    async with service(api, **flags) as client:
        answer = await post(client, era, "tools/call", LIST_CALL, bearer("one"))
        tools = await post(client, era, "tools/list", {}, bearer("one"))
    async with service(api, **flags, api_token=None) as client:
        ready = await client.get("/readyz")

    assert "Send the header `Reach-Authorization: Bearer <Reach JWT>`." in text_of(answer)
    assert (tools.status_code, ready.status_code, api.tokens) == (200, 200, [])


async def test_tenant_scoped_credential_of_another_tenant_is_refused(tmp_path: Path) -> None:
    fits, foreign = reach_jwt(tenantExternalId="acme"), reach_jwt(tenantExternalId="globex")
    api = partner(fits, foreign)
    async with service(api, callers_file=callers_file(tmp_path), credential="caller") as client:
        answers = [
            await post(
                client, "modern", "tools/call", LIST_CALL, bearer("one"), ("reach-authorization", f"Bearer {own}")
            )
            for own in (fits, foreign)
        ]

    assert "acme-secret" in answers[0].text
    assert "The credential for Reach is of another tenant" in text_of(answers[1])
    assert api.tokens == [fits]


async def test_since_token_belongs_to_the_tenant_of_a_callers_own_credential(tmp_path: Path) -> None:
    answers = []
    own = [reach_jwt(tenantExternalId=tenant) for tenant in ("acme", "acme", "globex")]
    own[1] = reach_jwt(tenantExternalId="acme", n="renewed")
    async with service(
        ScriptedTransport(lambda _: page()), callers_file=callers_file(tmp_path), credential="caller"
    ) as client:
        since = "start"
        for credential in own:
            call, sent = (
                {"name": EXPLAIN, "arguments": {"since": since}},
                ("reach-authorization", f"Bearer {credential}"),
            )
            answers.append(await post(client, "modern", "tools/call", call, bearer("any"), sent))
            since = (re.findall(r"s4[\w-]{20,}", answers[0].text) or [""])[0]

    assert ["made for another tenant" in answer.text for answer in answers] == [False, False, True]


async def test_tokens_and_credentials_are_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with service(partner(OWN), callers_file=callers_file(tmp_path), credential="caller") as client:
        for own in (OWN, OTHER):
            sent = ("reach-authorization", f"Bearer {own}")
            await client.post("/mcp", json=rpc("tools/call", LIST_CALL), headers=[bearer("one"), sent])

    logged = "\n".join(f"{each.getMessage()} {getattr(each, 'facts', '')}" for each in caplog.records)
    assert "'caller': 'one', 'tenant': 'acme'" in logged
    assert not any(secret in logged for secret in (OWN, OTHER, TOKENS["one"]))
