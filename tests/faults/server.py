"""A Reach API that misbehaves on command: raw sockets, in a process of its own.

    python -m tests.faults.server CERTIFICATE

It prints its ports as one line of JSON, serves until its stdin ends, and listens on loopback alone. The base URL says
what to do:

    http://127.0.0.1:PORT/{key}/{times}/{fault}[={argument}]

The first `times` requests under that key meet the fault, all later ones are answered as they should be; `2-4` stands
for the second to the fourth. A key is any word; `GET /tally/{key}` tells what was asked under it. The plain port is a
proxy as well, for `http` and for `CONNECT` to the TLS port.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gzip
import json
import socket
import ssl
import struct
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from tests.builders import Json, batch, page, pending

BATCHES = [batch(f"b{n}", pending(f"transactions/t{n}", f"customers/c{n}"), created=-float(n)) for n in range(10)]
LIMIT = 3
HTML = b"<!doctype html><html><title>Sign in</title><body>Please sign in.</body></html>"


class HungUp(Exception):
    """The connection has ended, by our doing or by the client's."""


@dataclass
class Tally:
    """What came in under one key."""

    requests: int = 0
    elsewhere: int = 0
    proxied: int = 0
    methods: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


@dataclass
class Exchange:
    """One request and the connection to answer it on."""

    method: str
    target: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ports: dict[str, int]
    number: int = 0
    argument: str = ""

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def batch_id(self) -> str:
        return urlsplit(self.target).path.partition("/api/batches")[2].strip("/")

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, body: bytes, *headers: str, status: int = 200, length: int | None = None) -> None:
        await self.send(head(len(body) if length is None else length, *headers, status=status), body)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client hangs up meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.reader.read(1), seconds)
            raise HungUp

    def reset(self) -> None:
        """End the connection with a RST: what was sent and not yet read is lost."""
        with contextlib.suppress(OSError):  # the client was faster
            linger = struct.pack("ii", 1, 0)
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        raise HungUp


Fault: TypeAlias = Callable[[Exchange], Awaitable[None]]
FAULTS: dict[str, Fault] = {}


def fault(act: Fault) -> Fault:
    FAULTS[getattr(act, "__name__").replace("_", "-")] = act  # noqa: B009 - a Callable need not have a name
    return act


def head(length: int | None, *headers: str, status: int = 200) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    date = f"Date: {email.utils.formatdate(time.time(), usegmt=True)}"
    return "\r\n".join((f"HTTP/1.1 {status} Whatever", date, framing, *headers, "", "")).encode()


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def whole(exchange: Exchange, batches: list[Json] | None = None) -> Json:
    """The right answer to the request: one batch, or the page that its cursor and its limit name."""
    batches = BATCHES if batches is None else batches
    if exchange.batch_id:
        return {"success": True, "data": batches[0]}
    limit = int(exchange.query.get("limit", LIMIT))
    start = int(exchange.query.get("cursor", "0"))
    end = start + limit
    return page(*batches[start:end], cursor=str(end) if end < len(batches) else None, total=len(batches))


# Time


@fault
async def good(exchange: Exchange) -> None:
    await exchange.answer(encoded(whole(exchange)), "Content-Type: application/json")


@fault
async def slow_head(exchange: Exchange) -> None:
    await exchange.pause(float(exchange.argument))
    await good(exchange)


@fault
async def slow_body(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    await exchange.send(head(len(body)))
    step = len(body) // 10 + 1
    for start in range(0, len(body), step):
        await exchange.pause(float(exchange.argument) / 10)
        await exchange.send(body[start : start + step])


# Connections that end


@fault
async def reset_before(exchange: Exchange) -> None:
    exchange.reset()


@fault
async def close_before(exchange: Exchange) -> None:
    raise HungUp


@fault
async def reset_middle(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    await exchange.send(head(len(body)), body[: len(body) // 2])
    await exchange.pause(0.05)  # a reset overtakes what was sent; half of it has to arrive
    exchange.reset()


@fault
async def length_too_long(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    await exchange.answer(body, length=len(body) + 100)
    raise HungUp


@fault
async def length_too_short(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    await exchange.answer(body, length=len(body) // 2)


@fault
async def chunks_cut(exchange: Exchange) -> None:
    await exchange.send(head(None), b"10\r\n", encoded(whole(exchange))[:16], b"\r\n")
    raise HungUp


@fault
async def gzip_cut(exchange: Exchange) -> None:
    await exchange.answer(gzip.compress(encoded(whole(exchange)))[:-20], "Content-Encoding: gzip")


# Bodies


@fault
async def chunks(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    pieces = (body[start : start + 100] for start in range(0, len(body), 100))
    await exchange.send(head(None), *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")


@fault
async def gzipped(exchange: Exchange) -> None:
    await exchange.answer(gzip.compress(encoded(whole(exchange))), "Content-Encoding: gzip")


@fault
async def truncated(exchange: Exchange) -> None:
    body = encoded(whole(exchange))
    await exchange.answer(body[: len(body) // 2])


@fault
async def html(exchange: Exchange) -> None:
    await exchange.answer(HTML, "Content-Type: text/html")


@fault
async def empty(exchange: Exchange) -> None:
    await exchange.answer(b"")


@fault
async def refused(exchange: Exchange) -> None:
    await exchange.answer(encoded({"success": False, "message": "tenant is paused"}))


@fault
async def shape(exchange: Exchange) -> None:
    await exchange.answer(encoded({"success": True, "data": {"batches": []}}))


@fault
async def deep(exchange: Exchange) -> None:
    await exchange.answer(b'{"success":true,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@fault
async def big(exchange: Exchange) -> None:
    """A page of as many megabytes as the argument says."""
    body = encoded(whole(exchange))
    blank = b" " * 100_000
    count = int(exchange.argument) * 10
    await exchange.send(head(len(blank) * count + len(body)), *(blank for _ in range(count)), body)


@fault
async def bomb(exchange: Exchange) -> None:
    """As many megabytes of blanks as the argument says, packed into a thousandth of that."""
    await exchange.answer(b"".join(packed(int(exchange.argument))), "Content-Encoding: gzip")


def packed(megabytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for _ in range(megabytes):
        yield packer.compress(b" " * 1_000_000)
    yield packer.flush()


# Statuses


@fault
async def status(exchange: Exchange) -> None:
    words = {"success": False, "message": "limit is wrong", "errors": ["limit: at most 100"]}
    await exchange.answer(encoded(words), "X-Request-Id: req-7", status=int(exchange.argument))


@fault
async def retry_seconds(exchange: Exchange) -> None:
    await exchange.answer(b"", f"Retry-After: {exchange.argument}", status=429)


@fault
async def retry_date(exchange: Exchange) -> None:
    date = email.utils.formatdate(time.time() + float(exchange.argument), usegmt=True)
    await exchange.answer(b"", f"Retry-After: {date}", status=429)


@fault
async def redirect(exchange: Exchange) -> None:
    key = exchange.target.split("/")[1]
    location = {
        "same": f"/{key}/0/good/api/batches",
        "other": f"http://127.0.0.1:{exchange.ports['elsewhere']}/{key}/0/good/api/batches",
        "loop": exchange.target,
    }[exchange.argument]
    await exchange.answer(b"", f"Location: {location}", status=302)


# Pages that are read, and are odd


@fault
async def nulls(exchange: Exchange) -> None:
    """Null wherever a field is optional; the last batch has null where none may be."""
    rows = [{**pending("transactions/t1", "customers/c1"), "schemaName": None}]
    rows[0]["missingDependencies"][0]["schemaName"] = None
    names = ("completedAt", "startedAt", "createdAt", "schemaName", "schemaDefinitionId", "errors")
    body = page(
        {
            **BATCHES[0],
            **dict.fromkeys(names),
            "progress": dict.fromkeys(BATCHES[0]["progress"]),
            "pendingResources": rows,
        },
        {**BATCHES[1], "pendingResources": None, "errors": {"summary": None, "details": None, "message": None}},
        {**BATCHES[2], "progress": None},
    )
    body["message"] = body["data"]["pagination"]["total"] = None
    await exchange.answer(encoded(body))


@fault
async def unknown(exchange: Exchange) -> None:
    """Enum values and fields that nobody has heard of."""
    strange = {"status": "paused", "batchType": "PARTNER_RESOURCE_MERGE", "mood": {"calm": [True]}}
    await exchange.answer(encoded(page(*({**item, **strange} for item in BATCHES[:LIMIT])) | {"trace": 7}))


@fault
async def malformed(exchange: Exchange) -> None:
    """A batch and a row that break the contract, among good ones."""
    rows = [pending("transactions/t1", "customers/c1"), {"id": "pr_broken"}]
    await exchange.answer(encoded(page(BATCHES[0], {**BATCHES[1], "pendingResources": rows}, {"batchId": "b_broken"})))


@fault
async def half_pairs(exchange: Exchange) -> None:
    """Texts that were cut in the middle of an emoji."""
    cut = page(BATCHES[0], {**BATCHES[1], "batchId": "b\ud83d"}, BATCHES[2])
    await exchange.answer(encoded(cut))


# Pages that are odd one after the other


@fault
async def cursor_loop(exchange: Exchange) -> None:
    """The pages of 'one' and 'two' name each other as the next."""
    other = {"one": "two", "two": "one"}.get(exchange.query.get("cursor", ""), "one")
    await exchange.answer(encoded(page(*BATCHES[:LIMIT], cursor=other)))


@fault
async def empty_pages(exchange: Exchange) -> None:
    """There is always a next page, and it is always empty."""
    await exchange.answer(encoded(page(cursor=f"e{exchange.number}")))


@fault
async def drift(exchange: Exchange) -> None:
    """At each request a new batch stands at the top, the others have moved down by one, and all have progressed."""
    fresh = [batch(f"new{n}", created=1.0 * n) for n in range(exchange.number - 1, 0, -1)]
    moved = [
        {**item, "progress": {**item["progress"], "processedRecords": exchange.number}} for item in (*fresh, *BATCHES)
    ]
    await exchange.answer(encoded(whole(exchange, moved)))


@fault
async def vanish(exchange: Exchange) -> None:
    """At each request the topmost batch is gone and the others have moved up by one: one a page is never seen."""
    await exchange.answer(encoded(whole(exchange, BATCHES[exchange.number - 1 :])))


@fault
async def duplicates(exchange: Exchange) -> None:
    """Each page has each of its batches twice, and the last one of the page before."""
    body = whole(exchange)
    start = int(exchange.query.get("cursor", "0"))
    results = body["data"]["results"]
    body["data"]["results"] = [*BATCHES[max(0, start - 1) : start], *results, *results]
    await exchange.answer(encoded(body))


@fault
async def total(exchange: Exchange) -> None:
    """The total says that there is much more than the pages hold."""
    body = whole(exchange)
    body["data"]["pagination"]["total"] = 99
    await exchange.answer(encoded(body))


# The server


class Server:
    """Listens on every port, tallies what comes, and hands each request to its fault."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self._tallies: dict[str, Tally] = {}
        self._open: dict[asyncio.StreamWriter, str] = {}
        self._tunnels: list[str] = []

    async def listen(self, certificate: str) -> list[asyncio.Server]:
        """The servers, which live as long as they are held."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        return [
            await self._listen("plain", "127.0.0.1"),
            await self._listen("tls", "127.0.0.1", ssl=tls),
            await self._listen("elsewhere", "127.0.0.1"),
            await self._listen("six", "::1"),
            await self._listen("misnamed", "::1", ssl=tls),
        ]

    async def _listen(self, name: str, host: str, **options: Any) -> asyncio.Server:
        server = await asyncio.start_server(partial(self._serve, name), host, 0, **options)
        self.ports[name] = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = "nothing asked yet"
        try:
            while first := await reader.read(1):
                if not first.isalpha():  # a client that speaks TLS to a plain port
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    break
                await self._take(name, first + await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (HungUp, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _take(
        self, name: str, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = request.decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        self._open[writer] = target
        if method == "CONNECT":
            await self._tunnel(target, request, reader, writer)
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}"
        exchange = Exchange(method, path, headers, reader, writer, self.ports)
        if path.startswith("/tally/"):
            await exchange.answer(encoded(self._told(parts.path.rpartition("/")[2])))
        else:
            await self._act(name, exchange, proxied=bool(parts.netloc))

    async def _act(self, name: str, exchange: Exchange, *, proxied: bool) -> None:
        _, key, times, command, *_ = urlsplit(exchange.target).path.split("/")
        tally = self._tallies.setdefault(key, Tally())
        tally.requests += 1
        tally.elsewhere += name == "elsewhere"
        tally.proxied += proxied
        tally.methods.append(exchange.method)
        tally.tokens.append(exchange.headers.get("authorization", ""))
        exchange.number = tally.requests
        fault_name, _, exchange.argument = command.partition("=")
        first, _, last = times.rpartition("-")
        meets = int(first or 1) <= tally.requests <= int(last)
        await (FAULTS[fault_name] if meets else good)(exchange)

    def _told(self, key: str) -> Json:
        open_connections = [target for target in self._open.values() if not target.startswith("/tally/")]
        return vars(self._tallies.get(key, Tally())) | {"open": open_connections, "tunnels": self._tunnels}

    async def _tunnel(
        self, target: str, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry bytes to and fro until one side ends; to our own TLS port alone."""
        self._tunnels.append(request.decode("latin-1"))
        if target.rpartition(":")[2] != str(self.ports["tls"]):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            raise HungUp
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.ports["tls"])
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        ways = [asyncio.create_task(carry(reader, far_writer)), asyncio.create_task(carry(far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        far_writer.close()
        for way in ways:
            way.cancel()
        raise HungUp


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


async def main(certificate: str) -> None:
    server = Server()
    listening = await server.listen(certificate)
    print(json.dumps(server.ports), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    for each in listening:
        each.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
