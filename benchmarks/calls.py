"""Calls of one caller over HTTP, compared with a hello-world server of the same SDK: `python -m benchmarks.calls`.

`list_batches` shows 20 batches of an API that answers at once. `fresh` reads them at each call. Calls alternate between
the servers. CPU is that of the server process over all its calls.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import httpx

from benchmarks.api import running_api
from benchmarks.measure import Process, middle, p99, ping, print_table, request, running_hello, running_server, timed
from benchmarks.tenant import Json

CALLS: tuple[tuple[str, str, Json], ...] = (
    ("list_batches", "list_batches", {}),
    ("list_batches, fresh", "list_batches", {"fresh": True}),
    ("explain, kept snapshot", "explain_pending_dependencies", {}),
)


@dataclass(frozen=True)
class Measured:
    """Latencies of one kind of request and the CPU that each took."""

    seconds: list[float]
    cpu: float


def compare(ours: Process, hello: Process, tool: str | None, arguments: Json, calls: int) -> tuple[Measured, Measured]:
    """The same number of requests to both, one after the other. `tool=None` compares the lightest request."""
    mine, theirs = (ping(), ping()) if tool is None else (request(tool, arguments), request("hello"))
    with httpx.Client(timeout=60) as client:
        for _ in range(10):
            timed(client, ours.url, mine)
            timed(client, hello.url, theirs)
        before = ours.cpu, hello.cpu
        pairs = [(timed(client, ours.url, mine), timed(client, hello.url, theirs)) for _ in range(calls)]
    used = (ours.cpu - before[0]) / calls, (hello.cpu - before[1]) / calls
    return Measured([pair[0] for pair in pairs], used[0]), Measured([pair[1] for pair in pairs], used[1])


def row(name: str, ours: Measured, hello: Measured) -> list[str]:
    mine, theirs = middle(ours.seconds), middle(hello.seconds)
    return [
        name,
        f"{1000 * theirs:.1f} ms",
        f"{1000 * mine:.1f} ms",
        f"{mine / theirs:.2f}",
        f"{1000 * p99(ours.seconds):.1f} ms",
        f"{1000 * hello.cpu:.1f} ms",
        f"{1000 * ours.cpu:.1f} ms",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rows", type=int, default=3_000, help="pending resources")
    options = parser.parse_args()
    rows = []
    with running_api(rows=options.rows) as api, running_server(api) as ours, running_hello() as hello:
        rows.append(row("server/discover", *compare(ours, hello, None, {}, options.calls)))
        for name, tool, arguments in CALLS:
            rows.append(row(name, *compare(ours, hello, tool, arguments, options.calls)))
    columns = ("request", "hello p50", "ours p50", "ratio", "ours p99", "hello CPU a call", "ours CPU a call")
    print_table(columns, rows)


if __name__ == "__main__":
    main()
