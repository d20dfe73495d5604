"""A Reach API over raw sockets that misbehaves on command, in the event loop of the test.

    async with FaultServer(lambda good: [reply(good)[:40], RESET], first=2, last=2) as server:
        ...  # server.url, server.requests

Without a fault it answers as it should: 10 batches, in pages of `limit`. The plain port is a proxy as well, for `http`
and for `CONNECT` to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

from tests.builders import batch, page, pending

BATCHES = [batch(f"b{n}", pending(f"transactions:t{n}", f"customers:c{n}"), created=-float(n)) for n in range(10)]
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


class Act(Enum):
    """An act in the middle of an answer: silence until the client hangs up, a RST, or the end of the connection."""

    HANG, RESET, CLOSE = "hang", "reset", "close"


HANG, RESET, CLOSE = Act.HANG, Act.RESET, Act.CLOSE


@dataclass(frozen=True)
class Request:
    """One request as it arrived, and its number from 1."""

    method: str
    target: str
    headers: dict[str, str]
    number: int

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


Pieces: TypeAlias = Sequence[bytes | Act]
Fault: TypeAlias = Callable[[Request, bytes], Pieces]
"""The pieces of an answer to a request, given the body of the right answer."""


def reply(body: bytes, *headers: str, status: int = 200, length: int | None = None) -> bytes:
    """A whole HTTP answer."""
    framing = f"Content-Length: {len(body) if length is None else length}"
    return "\r\n".join((f"HTTP/1.1 {status} Any", *headers, framing, "", "")).encode() + body


def good_body(request: Request, batches: Sequence[object] = BATCHES) -> bytes:
    """The body of the right answer: one batch, or the page of the cursor and limit."""
    batch_id = urlsplit(request.target).path.partition("/api/batches/")[2]
    if batch_id:
        return json.dumps({"success": True, "data": BATCHES[int(batch_id[1:])]}).encode()
    cursor = request.query.get("cursor", "0")
    start, limit = int(cursor) if cursor.isdecimal() else 0, int(request.query.get("limit", "3"))
    end = start + limit
    following = str(end) if end < len(batches) else None
    return json.dumps(page(*batches[start:end], cursor=following, total=len(batches))).encode()  # type: ignore[arg-type]


class FaultServer:
    """Answers requests `first` to `last` by the fault and all others rightly. Use as async context manager."""

    def __init__(
        self, fault: Fault | None = None, *, first: int = 1, last: int = 99, tls: ssl.SSLContext | None = None
    ) -> None:
        self.fault = fault
        self._tls = tls
        self.faulty = range(first, last + 1)
        self._open: set[asyncio.StreamWriter] = set()
        self.requests: list[Request] = []
        self.connections = 0
        self.arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self.all_closed()

    async def all_closed(self) -> None:
        """Return when no connection is open."""
        await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._idle.clear()
        self.connections += 1
        try:
            while first := await reader.read(1):
                if not first.isalpha():  # a client that speaks TLS to a plain port
                    writer.write(reply(b"", status=400))
                    break
                await self._answer(first + await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            if not self._open:
                self._idle.set()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        request = Request(method, target, headers, len(self.requests) + 1)
        self.requests.append(request)
        self.arrived.set()
        if method == "CONNECT":
            writer.write(reply(b"", status=403))
            raise ConnectionAbortedError
        body = good_body(request)
        faulty = self.fault is not None and request.number in self.faulty
        for piece in self.fault(request, body) if self.fault is not None and faulty else [reply(body, f"Date: {DATE}")]:
            await _send(piece, reader, writer)


async def _send(piece: bytes | Act, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(piece, bytes):
        writer.write(piece)
        await writer.drain()
    elif piece is HANG:
        await reader.read()
        raise ConnectionAbortedError
    elif piece is CLOSE:
        raise ConnectionAbortedError
    else:
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        raise ConnectionAbortedError
