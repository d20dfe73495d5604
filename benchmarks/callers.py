"""32 callers of `list_batches` at once, compared with a hello-world server: `python -m benchmarks.callers`.

Both servers are asked in turns for the same time. Then `--calls` more calls go to ours alone, and its memory is read
after each tenth of them. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import asyncio
from time import perf_counter

import httpx

from benchmarks.api import running_api
from benchmarks.measure import Process, middle, p99, print_table, request, running_hello, running_server

TURNS = 3
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


async def load(server: Process, tool: str, callers: int, *, seconds: float = 1e9, calls: int = 10**9) -> list[float]:
    """Seconds that each call took, of so many callers for so long, or of so many calls. Raises where one fails."""
    headers, body = request(tool)
    found: list[float] = []
    end = perf_counter() + seconds

    async def call(client: httpx.AsyncClient) -> None:
        while perf_counter() < end and len(found) < calls:
            start = perf_counter()
            response = await client.post(server.url, headers=headers, content=body)
            response.raise_for_status()
            found.append(perf_counter() - start)

    async with httpx.AsyncClient(timeout=60, limits=LIMITS) as client:
        await asyncio.gather(*(call(client) for _ in range(callers)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.callers", description=__doc__)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5, help="of each of three turns of each server")
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    with running_api(rows=3_000) as api, running_server(api) as ours, running_hello() as hello:
        took: dict[str, list[float]] = {"hello": [], "list_batches": []}
        for _ in range(TURNS):
            for tool, server in (("hello", hello), ("list_batches", ours)):
                took[tool] += asyncio.run(load(server, tool, options.callers, seconds=options.seconds))
        rates = {tool: len(found) / TURNS / options.seconds for tool, found in took.items()}
        rows = [
            [tool, f"{rates[tool]:.0f}/s", f"{1000 * middle(found):.0f} ms", f"{1000 * p99(found):.0f} ms"]
            for tool, found in took.items()
        ]
        ratio = p99(took["list_batches"]) / p99(took["hello"])
        rows.append(["ratio", f"{rates['list_batches'] / rates['hello']:.2f}", "", f"{ratio:.1f}"])
        print_table(("tool", "rate", "p50", "p99"), rows)
        memory = [ours.memory]
        for _ in range(10 if options.calls else 0):
            asyncio.run(load(ours, "list_batches", options.callers, calls=options.calls // 10))
            memory.append(ours.memory)
        print("\nMB after each tenth of the calls:", *(f"{one:.0f}" for one in memory))


if __name__ == "__main__":
    main()
