"""32 callers of `list_batches` at once, compared with a hello-world server: `python -m benchmarks.callers`.

With equal calls, which share an answer, and with a tenant each, where none can. The servers are
asked in turns for the same time. Then `--calls` more calls go to ours alone, and its memory is read after each tenth of
them. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from time import perf_counter

import httpx

from benchmarks.api import running_api
from benchmarks.measure import Process, middle, p99, print_table, request, running_hello, running_server

TURNS = 3
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


async def load(
    server: Process, tool: str, callers: int, *, tenants: bool = False, seconds: float = 1e9, calls: int = 10**9
) -> list[float]:
    """Seconds that each call took, of so many callers for so long, or of so many calls. Raises where one fails.

    With `tenants` each caller asks for a tenant of its own.
    """
    found: list[float] = []
    end = perf_counter() + seconds

    async def call(client: httpx.AsyncClient, number: int) -> None:
        headers, body = request(tool, {"tenant_id": f"tenant-{number}"} if tenants else {})
        while perf_counter() < end and len(found) < calls:
            start = perf_counter()
            response = await client.post(server.url, headers=headers, content=body)
            response.raise_for_status()
            found.append(perf_counter() - start)

    async with httpx.AsyncClient(timeout=60, limits=LIMITS) as client:
        await asyncio.gather(*(call(client, number) for number in range(callers)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.callers", description=__doc__)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5, help="of each of three turns of each server")
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    with running_api(rows=3_000) as api, running_server(api) as ours, running_hello() as hello:
        runs = {
            "hello": partial(load, hello, "hello"),
            "list_batches, equal calls": partial(load, ours, "list_batches"),
            "list_batches, a tenant each": partial(load, ours, "list_batches", tenants=True),
        }
        took: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(TURNS):
            for name, run in runs.items():
                took[name] += asyncio.run(run(options.callers, seconds=options.seconds))
        rows = [
            [
                name,
                f"{len(found) / TURNS / options.seconds:.0f}/s",
                f"{len(found) / len(took['hello']):.2f}",
                f"{1000 * middle(found):.0f} ms",
                f"{1000 * p99(found):.0f} ms",
                f"{p99(found) / p99(took['hello']):.1f}",
            ]
            for name, found in took.items()
        ]
        print_table(("tool", "rate", "of hello's", "p50", "p99", "of hello's"), rows)
        memory = [ours.memory]
        for _ in range(10 if options.calls else 0):
            asyncio.run(load(ours, "list_batches", options.callers, calls=options.calls // 10))
            memory.append(ours.memory)
        print("\nMB after each tenth of the calls:", *(f"{one:.0f}" for one in memory))


if __name__ == "__main__":
    main()
