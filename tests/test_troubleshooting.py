"""Each message that `docs/troubleshooting.md` explains is produced, and the page quotes it exactly."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner

from docs.distribution import ROOT
from reach_mcp.api.deadline import Deadline
from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from tests.builders import batch, page
from tests.cli.helpers import run
from tests.fakes import ScriptedTransport
from tests.helpers import LIST, TOKEN, api_of, http_client, refused, serve
from tests.processes import slow_api

PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `([A-Za-z][^`]{20,})` \|", PAGE, re.MULTILINE)


def answered(answer: Any, *arguments: str, **environment: str) -> str:
    result = run(*(arguments or ("list",)), transport=ScriptedTransport(lambda _: answer), **environment)
    return result.stdout + result.stderr


def asked_over_the_network(url: str) -> str:
    known = {"REACH_API_URL": url, "REACH_API_TOKEN": TOKEN, "REACH_MCP_DEADLINE": "2", "NO_PROXY": "*"}
    return CliRunner().invoke(cli, ["list"], obj=Session(), env=known).stderr


def asked_by_tls_of_plain_http() -> str:
    with slow_api() as api:
        api.release.set()
        return asked_over_the_network(api.url.replace("http:", "https:"))


def read_in_part() -> str:
    first = page(batch("b1", status="success"), cursor="next", total=2)
    return run("list", transport=ScriptedTransport(first, *[403] * 9)).stdout


def called_as_another_host() -> str:
    async def post() -> str:
        async with http_client(serve(api_of([]))) as client:
            return (await client.post("/mcp", headers={"host": "mcp.example.com"})).text

    return anyio.run(post)


def called_while_busy() -> str:
    async def call() -> str:
        server = serve(api_of([]), max_calls=1)
        server.context.limiter.usual = 1_000
        async with server.context.limiter.slot("", Deadline(60)):
            return await refused(server, LIST)

    return anyio.run(call)


def signed_by_a_slow_clock() -> str:
    ahead = httpx.Response(401, headers={"date": formatdate(time.time() + 3 * 3600, usegmt=True)})
    partner = {"REACH_API_TOKEN": "", "REACH_PARTNER_ID": "p", "REACH_JWT_SECRET": "a-secret-of-the-partner"}
    return answered(ahead, **partner)


PRODUCED: list[tuple[str, Callable[[], str]]] = [
    ("No Reach credential is set", lambda: answered(200, REACH_API_TOKEN="")),
    ("Unfilled placeholder", lambda: answered(200, REACH_API_TOKEN="${REACH_API_TOKEN}")),
    ("401", lambda: answered(401)),
    ("403", lambda: answered(403)),
    ("no such batch", lambda: answered(404, "batch", "nosuch")),
    ("status 404", lambda: answered(404)),
    ("can't be reached", lambda: asked_over_the_network("http://127.0.0.1:9")),
    ("TLS", asked_by_tls_of_plain_http),
    ("Incomplete", read_in_part),
    ("Host header", called_as_another_host),
    ("is no setting", lambda: answered(200, REACH_MCP_AUTH_TOKN="x")),
    ("clock", signed_by_a_slow_clock),
    ("too many calls", called_while_busy),
]


@pytest.mark.parametrize(("part", "produce"), PRODUCED, ids=[part for part, _ in PRODUCED])
def test_the_page_quotes_a_message_as_it_is(part: str, produce: Callable[[], str]) -> None:
    quoted = [message for message in QUOTED if part in message]

    assert len(quoted) == 1
    assert quoted[0] in produce()


def test_every_message_of_the_page_is_produced() -> None:
    assert len(QUOTED) == len(PRODUCED) >= 10
