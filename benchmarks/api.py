"""A Reach-like API over a seeded tenant, in a process of its own: `python -m benchmarks.api` prints its URL first.

Each batch is written as JSON once, when the process starts; a page is made by joining bytes, so that what a client
measures is the client. It answers `GET /api/batches` with all its query parameters and `GET /api/batches/{batchId}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

import uvicorn

from benchmarks.tenant import Json, build_tenant

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Answer: TypeAlias = tuple[int, bytes]

BATCHES = "/api/batches"
CHOICES = {
    "batchType": (
        "PARTNER_RESOURCE_JSON_INGEST",
        "PARTNER_RESOURCE_BATCH_DELETE",
        "PARTNER_RESOURCE_BATCH_PATCH",
    ),
    "sortBy": ("createdAt", "startedAt", "completedAt"),
    "sortDirection": ("asc", "desc"),
    "includePendingDetails": ("true", "false"),
    "onlyBatchesWithPendingResources": ("true", "false"),
}


class BadRequest(Exception):
    """What is answered with 400."""


@dataclass(frozen=True)
class Batch:
    """A batch written as JSON, and what it is filtered and sorted by."""

    id: str
    type: str
    pending: int
    times: Mapping[str, str]
    plain: bytes
    detailed: bytes

    @classmethod
    def write(cls, body: Json) -> Batch:
        plain = {name: value for name, value in body.items() if name != "pendingResources"}
        return cls(
            id=body["batchId"],
            type=body["batchType"],
            pending=body["progress"]["pendingRecords"],
            times={name: body.get(name, "") for name in CHOICES["sortBy"]},
            plain=_json(plain),
            detailed=_json(body),
        )


class Tenant:
    """Every batch, and the pages that can be asked for."""

    def __init__(self, bodies: Iterable[Json], *, cap: int) -> None:
        self.batches = [Batch.write(body) for body in bodies]
        self.by_id = {batch.id: batch for batch in self.batches}
        self.cap = cap
        self.select = cache(self._select)

    def page(self, asked: Mapping[str, str]) -> bytes:
        """The page that these query parameters ask for. A limit above the cap is lowered without a word."""
        for name, choices in CHOICES.items():
            if name in asked and asked[name] not in choices:
                raise BadRequest(f"{name} must be one of {', '.join(choices)}")
        found = self.select(
            asked.get("batchType"),
            asked.get("sortBy", "createdAt"),
            asked.get("sortDirection", "desc"),
            asked.get("onlyBatchesWithPendingResources") == "true",
        )
        start = _number("cursor", asked.get("cursor", "c0").removeprefix("c"), least=0)
        end = start + min(_number("limit", asked.get("limit", "20"), least=1), self.cap)
        detailed = asked.get("includePendingDetails") == "true"
        results = b",".join(batch.detailed if detailed else batch.plain for batch in found[start:end])
        more = end < len(found)
        pagination = {"hasNextPage": more, "cursor": f"c{end}" if more else None, "total": len(found)}
        return b'{"success":true,"data":{"results":[%b],"pagination":%b}}' % (results, _json(pagination))

    def one(self, batch_id: str, asked: Mapping[str, str]) -> Answer:
        """One batch, or 404."""
        if (batch := self.by_id.get(batch_id)) is None:
            return 404, _failure("No batch bears this id")
        body = batch.detailed if asked.get("includePendingDetails") == "true" else batch.plain
        return 200, b'{"success":true,"data":%b}' % body

    def _select(self, type: str | None, sort_by: str, direction: str, only_pending: bool) -> list[Batch]:
        found = [
            batch for batch in self.batches if type in (None, batch.type) and (batch.pending > 0 or not only_pending)
        ]
        found.sort(key=lambda batch: (batch.times[sort_by], batch.id), reverse=direction == "desc")
        return found


class Api:
    """The ASGI app. Whoever asks gets an answer: credentials are not looked at."""

    def __init__(self, tenant: Tenant, *, latency: float, faults: float = 0) -> None:
        self.tenant = tenant
        self.latency = latency
        self.faults = faults
        self.random = Random(1)

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        status, body = self.answer(scope["method"], scope["path"], scope["query_string"].decode())
        size = len(body)
        if self.random.random() < self.faults:
            status, size, body = self.random.choice(
                [(500, 2, b"{}"), (429, 2, b"{}"), (200, size // 2, body[: size // 2]), (200, size, body[: size // 2])]
            )  # at the last, uvicorn closes the connection
        headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def answer(self, method: str, path: str, query: str) -> Answer:
        asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        if method != "GET":
            return 405, _failure("Only GET is answered")
        try:
            if path == BATCHES:
                return 200, self.tenant.page(asked)
            if path.startswith(f"{BATCHES}/"):
                return self.tenant.one(unquote(path.removeprefix(f"{BATCHES}/")), asked)
        except BadRequest as refused:
            return 400, _failure(str(refused))
        return 404, _failure("Nothing is at this path")


def _number(name: str, text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise BadRequest(f"{name} is not valid")
    return int(text)


def _failure(message: str) -> bytes:
    return _json({"success": False, "message": message})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--batches", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=200_000, help="pending resources")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0, help="waited before each answer")
    parser.add_argument("--faults", type=float, default=0, help="share of answers that are errors or cut off")
    parser.add_argument("--cap", type=int, default=200, help="the largest limit that is honoured")
    options = parser.parse_args()

    bodies = build_tenant(options.batches, options.rows, seed=options.seed, now=datetime.now(UTC))
    api = Api(Tenant(bodies, cap=options.cap), latency=options.latency_ms / 1000, faults=options.faults)
    del bodies
    listener = socket.create_server(("127.0.0.1", options.port))
    # asyncio sets this on sockets that it made itself; without it some answers wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(api, log_level="warning", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
