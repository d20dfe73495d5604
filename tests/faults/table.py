"""The faults that a whole call is put through, and the page that tells what becomes of it: `docs/faults.md`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp import Client
from mcp_types import CallToolResult, TextContent

from reach_mcp.server import build_server
from reach_mcp.settings import load_settings
from tests.builders import NOW
from tests.conftest import NETWORK
from tests.faults.site import Site
from tests.tools.harness import LIST

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
WALK = {"scope": "all", "limit": 3, "include_pending_details": True}
SLACK = 4.0
"""Seconds that a call may take beyond its deadline: this machine may be busy."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, at which requests of the call, and in which surroundings."""

    name: str
    command: str = "good"
    at: str = "1-99"
    deadline: float = 20
    port: str = "plain"
    scheme: str = "http"
    host: str = "127.0.0.1"
    environment: Mapping[str, str] = field(default_factory=dict)
    """Names of variables, and which port (or `authority`, the certificate) each is to name."""

    def url(self, site: Site) -> str:
        origin = "http://reach.invalid" if self.host == "-" else None
        return site.url(
            self.command, times=self.at, origin=origin or site.origin(self.port, scheme=self.scheme, host=self.host)
        )


def _throughout(name: str, command: str, *, deadline: float = 20) -> list[Fault]:
    """From the first page on, and from the second on."""
    return [
        Fault(f"{name}, from the first page on", command, "1-99", deadline),
        Fault(f"{name}, from the second page on", command, "2-99", deadline),
    ]


FAULTS = [
    *_throughout("first byte after 30 s", "slow-head=30", deadline=0.6),
    *_throughout("body over 30 s", "slow-body=30", deadline=0.6),
    Fault("connection reset before the answer, once", "reset-before", "1-1"),
    *_throughout("connection reset before the answer", "reset-before"),
    Fault("connection reset within the answer, once", "reset-middle", "2-2"),
    *_throughout("connection reset within the answer", "reset-middle"),
    *_throughout("JSON cut short", "truncated"),
    Fault("Content-Length too long, once", "length-too-long", "2-2"),
    *_throughout("Content-Length too long", "length-too-long"),
    *_throughout("Content-Length too short", "length-too-short"),
    *_throughout("an HTML page", "html"),
    *_throughout("an empty body", "empty"),
    Fault("status 200 that says `success: false`", "refused"),
    Fault("JSON of another shape", "shape"),
    *(Fault(f"status {status}", f"status={status}") for status in (400, 401, 403, 404, 418)),
    Fault("status 403, from the second page on", "status=403", "2-99"),
    Fault("status 503, three times", "status=503", "2-4"),
    *_throughout("status 500", "status=500"),
    *_throughout("status 503", "status=503"),
    Fault("status 429 without Retry-After, three times", "status=429", "2-4"),
    Fault("status 429, Retry-After: 1, once", "retry-seconds=1", "2-2"),
    *_throughout("status 429, Retry-After: 90", "retry-seconds=90"),
    *_throughout("status 429, Retry-After with a date in 90 s", "retry-date=90"),
    Fault("redirect within the origin", "redirect=same"),
    Fault("redirect to another origin", "redirect=other"),
    Fault("redirect to itself", "redirect=loop"),
    *_throughout("a body of 64 MB", "big=64"),
    *_throughout("64 MB of blanks, compressed a thousandfold", "bomb=64"),
    *_throughout("JSON nested 100,000 deep", "deep"),
    Fault("two cursors that lead to one another", "cursor-loop"),
    Fault("empty pages that always promise more", "empty-pages"),
    Fault("a new batch before each request", "drift"),
    Fault("a batch less before each request", "vanish"),
    Fault("each batch twice on its page, and on the next", "duplicates"),
    Fault("a total of 99 over 10 batches", "total"),
    Fault("null wherever a field may be, and where it may not", "nulls"),
    Fault("unknown status, type and fields", "unknown"),
    Fault("a batch and a row that break the contract", "malformed"),
    Fault("a certificate of an unknown authority", port="tls", scheme="https"),
    Fault("the same, named in SSL_CERT_FILE", port="tls", scheme="https", environment={"SSL_CERT_FILE": "authority"}),
    Fault("a network of IPv6 alone", port="six", host="[::1]"),
    Fault("a host that only HTTP_PROXY can reach", host="-", environment={"HTTP_PROXY": "plain"}),
    Fault("an HTTP_PROXY that nobody listens on", host="-", environment={"HTTP_PROXY": "nowhere"}),
]


@dataclass(frozen=True)
class Outcome:
    """What became of a call: what its caller is told, how many requests it cost, how long it took."""

    told: str
    requests: int
    seconds: float
    next_works: bool


async def meet(fault: Fault, site: Site) -> Outcome:
    """List all batches through the fault, then once more past it."""
    with _environment(fault, site):
        start = time.monotonic()
        result = await _call(fault.url(site), fault.deadline)
        seconds = time.monotonic() - start
    requests = site.tally()["requests"]
    after = await _call(Site(site.ports, site.authority).url("good"), 20)
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    told = text if result.is_error else f"*An answer:* {text.partition('. ')[2].splitlines()[0]}"
    return Outcome(re.sub(r"\b(89|90) s\b", "90 s", told), requests, seconds, not after.is_error)


async def _call(url: str, deadline: float) -> CallToolResult:
    settings = load_settings(api_url=url, api_token="the-token-that-must-not-travel", deadline=deadline)
    server = build_server(settings, clock=lambda: NOW, mark=lambda: "k72")
    async with Client(server) as client:
        return await client.call_tool(LIST, dict(WALK))


@contextmanager
def _environment(fault: Fault, site: Site) -> Iterator[None]:
    before = {name: os.environ.pop(name) for name in (*NETWORK, *map(str.lower, NETWORK)) if name in os.environ}
    for name, port in fault.environment.items():
        known = {"authority": str(site.authority), "nowhere": "http://127.0.0.1:9"}
        os.environ[name] = known.get(port) or site.origin(port)
    try:
        yield
    finally:
        for name in fault.environment:
            del os.environ[name]
        os.environ.update(before)


def row(fault: Fault, outcome: Outcome) -> str:
    """One line of the page. A walk of four pages costs four requests where nothing goes wrong."""
    told = " ".join(outcome.told.split()).replace("|", r"\|")
    asked = str(outcome.requests) if outcome.requests else "none arrived"
    return f"| {fault.name} | {told} | {asked} |"


def write_page(rows: Sequence[str]) -> str:
    return "\n".join([HEAD, *rows, ""])


HEAD = """# Faults, and what a caller is told of them

Written by `python -m tests.faults`, which puts `list_batches(scope=all, limit=3, include_pending_details=true)` through
each fault, over real sockets, against a Reach of 10 batches: four pages, so four requests where nothing goes wrong.
`tests/faults/test_table.py` does the same and fails where this page is not what happens. In every case the call ends
within its deadline, and the next call works. More requests than pages mean that some were sent again: connections that
break off, 408, 429 and 5xx are tried four times at most; nothing else is.

| fault | what the caller is told | requests |
|---|---|---|"""
