"""Serve batches as the Reach API: over a socket in a process of its own, or as an in-memory transport.

    python -m benchmarks.api --rows 200000       # prints its URL first

Each batch is encoded once. A page is made by joining bytes, so that a measurement of a client measures the client.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

import httpx
import uvicorn

from benchmarks.tenant import Json, Size, build_tenant

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Answer: TypeAlias = tuple[int, bytes]

ROOT = Path(__file__).parent.parent
BATCHES = "/api/batches"
SORTS = ("createdAt", "startedAt", "completedAt")


def size_of(rows: int, batches: int | None = None) -> Size:
    """The size of a benchmark's tenant: about 40 rows a batch and a third of the rows' number of missing records."""
    if rows <= 3_000:
        return Size(batches=batches or 400, rows=rows, missing=rows * 3 // 10)
    return Size(batches=batches or rows // 40, rows=rows, missing=rows // 3, holding=0.9, cycles=rows // 500)


@dataclass(frozen=True)
class StoredBatch:
    """A batch encoded as JSON, and the fields by which it is filtered and sorted."""

    id: str
    type: str
    pending: int
    times: Mapping[str, str]
    plain: bytes
    detailed: bytes

    @classmethod
    def encode(cls, body: Json) -> StoredBatch:
        plain = {name: value for name, value in body.items() if name != "pendingResources"}
        return cls(
            id=body["batchId"],
            type=body["batchType"],
            pending=body["progress"].get("pendingRecords") or 0,
            times={name: body.get(name) or "" for name in SORTS},
            plain=_json(plain),
            detailed=_json(body),
        )


class Api:
    """The ASGI app. Credentials are not checked, every tenant id sees the same batches."""

    def __init__(self, bodies: Iterable[Json], *, max_limit: int = 200, latency: float = 0) -> None:
        self.max_limit, self.latency = max_limit, latency
        self.requests = 0
        self.load(bodies)

    def load(self, bodies: Iterable[Json]) -> None:
        """Serve these batches from now on."""
        self.batches = [StoredBatch.encode(body) for body in bodies]
        self.by_id = {batch.id: batch for batch in self.batches}
        self.select = cache(self._select)

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        status, body = self.answer(scope["method"], scope["path"], scope["query_string"].decode())
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def transport(self) -> httpx.MockTransport:
        """The same API without a socket."""

        def respond(request: httpx.Request) -> httpx.Response:
            status, body = self.answer(request.method, request.url.path, request.url.query.decode())
            return httpx.Response(status, headers={"content-type": "application/json"}, stream=httpx.ByteStream(body))

        return httpx.MockTransport(respond)

    def answer(self, method: str, path: str, query: str) -> Answer:
        self.requests += 1
        params = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        if method != "GET":
            return 405, _failure("Only GET is supported")
        if path == BATCHES:
            return 200, self.page(params)
        return self.one(unquote(path.removeprefix(f"{BATCHES}/")), params)

    def page(self, params: Mapping[str, str]) -> bytes:
        """The page for these query parameters. A limit above the largest is lowered without a word."""
        batches = self.select(
            params.get("batchType"),
            params.get("sortBy", "createdAt"),
            params.get("sortDirection", "desc"),
            params.get("onlyBatchesWithPendingResources") == "true",
        )
        start = int(params.get("cursor", "c0").removeprefix("c"))
        end = start + min(int(params.get("limit", "20")), self.max_limit)
        detailed = params.get("includePendingDetails") == "true"
        results = b",".join(batch.detailed if detailed else batch.plain for batch in batches[start:end])
        more = end < len(batches)
        pagination = {"hasNextPage": more, "cursor": f"c{end}" if more else None, "total": len(batches)}
        return b'{"success":true,"data":{"results":[%b],"pagination":%b}}' % (results, _json(pagination))

    def one(self, batch_id: str, params: Mapping[str, str]) -> Answer:
        if (batch := self.by_id.get(batch_id)) is None:
            return 404, _failure("No batch has this id")
        body = batch.detailed if params.get("includePendingDetails") == "true" else batch.plain
        return 200, b'{"success":true,"data":%b}' % body

    def _select(self, type: str | None, sort_by: str, direction: str, only_pending: bool) -> list[StoredBatch]:
        chosen = [
            batch for batch in self.batches if type in (None, batch.type) and (batch.pending > 0 or not only_pending)
        ]
        return sorted(chosen, key=lambda batch: (batch.times[sort_by], batch.id), reverse=direction == "desc")


@contextmanager
def running_api(*, rows: int, batches: int | None = None, seed: int = 1, latency_ms: float = 0) -> Iterator[str]:
    """The URL of an API in a process of its own, which ends with the block."""
    options = ["--rows", str(rows), "--seed", str(seed), "--latency-ms", str(latency_ms)]
    if batches is not None:
        options += ["--batches", str(batches)]
    command = [sys.executable, "-m", "benchmarks.api", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _failure(message: str) -> bytes:
    return _json({"success": False, "message": message})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="pending resources")
    parser.add_argument("--batches", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0, help="delay before each answer")
    options = parser.parse_args()

    gc.disable()  # nothing is freed before the tenant is built
    tenant = build_tenant(size_of(options.rows, options.batches), seed=options.seed, now=datetime.now(UTC))
    api = Api(tenant.batches, latency=options.latency_ms / 1000)
    del tenant
    gc.enable()
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it answers wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen(128)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(api, log_level="warning", lifespan="off", access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main()
