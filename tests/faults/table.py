"""The faults of a Reach API, and what becomes of a reading that meets each. `docs/faults.md` is generated from it.

A reading asks for 10 batches in pages of 3, so it sends four requests where nothing goes wrong. Connections that break
off, 408, 429 and 5xx are tried four times at most; nothing else is tried again.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass

from reach_mcp.api.auth import Credential
from reach_mcp.api.client import ReachClient
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError
from reach_mcp.api.pagination import BatchReader
from reach_mcp.api.query import BatchQuery
from tests.builders import batch, page
from tests.faults.server import BATCHES, CLOSE, DATE, HANG, RESET, Fault, FaultServer, Pieces, Request, good_body, reply

TOKEN = "the-token-that-must-not-travel"
MAX_BODY = 2_000_000


@dataclass(frozen=True)
class Case:
    """A fault, the requests that meet it, and the outcome of a reading.

    `outcome` is the kind of the error that is raised, or `complete`, or the stop reason and the error's kind.
    A complete reading ends with a request for the first batch.
    """

    name: str
    fault: Fault
    outcome: str
    requests: int
    first: int = 1
    last: int = 99
    deadline: float = 20


async def meet(case: Case) -> tuple[str, int, list[str]]:
    """Outcome, requests and batch ids of a reading through the fault. The next call must not notice it."""
    async with FaultServer(case.fault, first=case.first, last=case.last) as server:
        async with ReachClient(server.url, Credential(lambda: TOKEN), max_body=MAX_BODY) as client:
            reader = BatchReader(client, BatchQuery(limit=3), tenant=None, deadline=Deadline(case.deadline))
            ids: list[str] = []
            try:
                async for each in reader.pages():
                    ids += [one.batch_id for one in each.batches]
                coverage = reader.coverage
                stop = " ".join(filter(None, [coverage.stop, coverage.error.kind if coverage.error else ""]))
                outcome = "complete" if coverage.complete else stop or "incomplete"
            except ReachError as error:
                outcome = error.kind
            requests = len(server.requests)
            server.fault = None
            await client.get_batch("b0", tenant="t1", deadline=Deadline(20))
        await server.all_closed()
        assert {request.method for request in server.requests} == {"GET"}
        assert server.connections == len(server.requests)
    return outcome, requests, ids


def always(*pieces: bytes | object) -> Fault:
    """The same pieces for every request."""
    return lambda _request, _body: pieces  # type: ignore[return-value]


def instead(body: bytes, *headers: str, status: int = 200) -> Fault:
    """Another body or status."""
    return always(reply(body, f"Date: {DATE}", *headers, status=status))


def _half(_: Request, body: bytes) -> Pieces:
    return [reply(body)[: -len(body) // 2], RESET]


def _chunks(_: Request, body: bytes) -> Pieces:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, b"10\r\n%b\r\n" % body[:16], b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 16, body[16:])]


def _planted(_: Request, body: bytes) -> Pieces:
    """A second answer in the bytes after the first: it must not answer the next request."""
    return [reply(body) + reply(json.dumps(page(batch("planted"))).encode())]


def _short_length(_: Request, body: bytes) -> Pieces:
    planted = reply(json.dumps(page(batch("planted"))).encode())
    return [reply(body + planted, length=len(body))]


def _cursor_loop(request: Request, _: bytes) -> Pieces:
    other = {"one": "two", "two": "one"}.get(request.query.get("cursor", ""), "one")
    return [reply(json.dumps(page(*BATCHES[:3], cursor=other)).encode())]


def _drift(request: Request, _: bytes) -> Pieces:
    fresh = [batch(f"new{n}", created=1.0 * n) for n in range(request.number - 1, 0, -1)]
    return [reply(good_body(request, [*fresh, *BATCHES]))]


def _edit(old: bytes, new: bytes) -> Fault:
    """The right answer with a part of it replaced."""
    return lambda _, body: [reply(body.replace(old, new))]


def _gzipped(*, cut: int = 0, members: int = 1) -> Fault:
    def act(_: Request, body: bytes) -> Pieces:
        step = len(body) // members + 1
        packed = b"".join(gzip.compress(body[at : at + step]) for at in range(0, len(body), step))
        return [reply(packed[: len(packed) - cut], "Content-Encoding: gzip")]

    return act


def _throughout(name: str, fault: Fault, kind: str, *, tries: int = 1, deadline: float = 20) -> Iterator[Case]:
    """From the first page on (nothing is read), and from the second on (a part is)."""
    stop = "deadline" if kind == "timed_out" else "error"
    yield Case(f"{name}, from the first page on", fault, kind, tries, deadline=deadline)
    yield Case(f"{name}, from the second page on", fault, f"{stop} {kind}", tries + 1, 2, deadline=deadline)


def _once(name: str, fault: Fault) -> Case:
    return Case(f"{name}, once", fault, "complete", 6, 2, 2)


CASES = [
    *_throughout("no first byte", always(HANG), "timed_out", deadline=1),
    *_throughout("a body that does not end", lambda _, body: [reply(body)[:-9], HANG], "timed_out", deadline=1),
    _once("connection reset before the answer", always(RESET)),
    *_throughout("connection reset before the answer", always(RESET), "no_connection", tries=4),
    _once("connection reset within the answer", _half),
    *_throughout("connection reset within the answer", _half, "no_connection", tries=4),
    _once("Content-Length too long", lambda _, body: [reply(body, length=len(body) + 9), CLOSE]),
    _once("chunks that break off", lambda request, body: [*_chunks(request, body)[:2], CLOSE]),
    _once("gzip that breaks off", _gzipped(cut=9)),
    Case("chunks", _chunks, "complete", 5),
    Case("gzip", _gzipped(), "complete", 5),
    Case("gzip of three members", _gzipped(members=3), "complete", 5),
    Case("a byte order mark before the JSON", lambda _, body: [reply(b"\xef\xbb\xbf" + body)], "complete", 5),
    Case("a second answer after the first", _planted, "complete", 5),
    Case("Content-Length too short, an answer in the surplus", _short_length, "complete", 5),
    *_throughout("JSON cut short", lambda _, body: [reply(body[:-9])], "not_json"),
    *_throughout("JSON nested 100,000 deep", instead(b'{"data":' + b"[" * 100_000), "not_json"),
    *_throughout("an HTML page", instead(b"<!doctype html><title>Sign in</title>"), "not_json"),
    *_throughout("an empty body", instead(b""), "not_json"),
    *_throughout("status 200 without data", instead(b'{"success": true}'), "unexpected_answer"),
    *_throughout("JSON of another shape", instead(b'{"batches": []}'), "unexpected_answer"),
    *_throughout("status 200 that says `success: false`", instead(b'{"success": false}'), "server_failed"),
    *_throughout("a body over the size limit", lambda _, body: [reply(b" " * 3_000_000 + body)], "body_too_large"),
    *_throughout(
        "a body over the size limit when unpacked",
        instead(gzip.compress(b" " * 30_000_000), "Content-Encoding: gzip"),
        "body_too_large",
    ),
    *_throughout(
        "a page of 100,000 zeros", _edit(b'"results": [', b'"results": [' + b"0," * 100_000), "unexpected_answer"
    ),
    *_throughout("status 400", instead(b'{"message": "limit"}', status=400), "bad_request"),
    *_throughout("status 401", instead(b"", status=401), "unauthorized"),
    *_throughout("status 403", instead(b"", status=403), "forbidden"),
    *_throughout("status 404", instead(b"", status=404), "unexpected_status"),
    Case("status 503, three times", instead(b"", status=503), "complete", 8, 2, 4),
    *_throughout("status 500", instead(b"", status=500), "server_failed", tries=4),
    Case("status 429 without Retry-After, three times", instead(b"", status=429), "complete", 8, 2, 4),
    _once("status 429, Retry-After: 1", instead(b"", "Retry-After: 1", status=429)),
    _once("status 429, Retry-After of 400 digits", instead(b"", f"Retry-After: {'9' * 400}", status=429)),
    *_throughout("status 429, Retry-After: 90", instead(b"", "Retry-After: 90", status=429), "rate_limited"),
    Case("a redirect", instead(b"", "Location: http://127.0.0.1:9/", status=302), "unexpected_status", 1),
    Case("two cursors that lead to each other", _cursor_loop, "cursor_repeats", 3),
    Case(
        "empty pages that promise more",
        lambda request, _: [reply(json.dumps(page(cursor=f"e{request.number}")).encode())],
        "empty_page",
        1,
    ),
    Case("a new batch before each request", _drift, "incomplete", 5),
    Case("a total of 99 over 10 batches", _edit(b'"total": 10', b'"total": 99'), "incomplete", 4),
    Case("a counter of 1e400", _edit(b'"totalRecords": 1', b'"totalRecords": 1e400'), "complete", 5),
    Case("unknown status and type", _edit(b'"partial_success"', b'"paused"'), "complete", 5),
    Case("a batch without progress", _edit(b'"b4", "status": ', b'"b4", "mood": '), "incomplete", 4),
    Case("a pending resource without a time", _edit(b'"expiresAt"', b'"when"'), "incomplete", 4),
    Case("half of a surrogate pair", _edit(b'"transactions"', rb'"\ud83d"'), "complete", 5),
]
