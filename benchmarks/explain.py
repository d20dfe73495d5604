"""Explain a tenant, compared with fetching the same pages: `python -m benchmarks.explain`.

The floor is httpx plus json.loads of the pages that the server reads, in a process of its own. A cold explain is the
first tool call of a warmed-up server in another: it reads all pages through ReachClient over loopback HTTP, analyses
and renders. A follow-up is the same call on the kept snapshot. Runs alternate. Every figure is a median.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter, process_time

import anyio
import httpx

from benchmarks.api import BATCHES, ROOT, running_api
from benchmarks.measure import environment, print_table

SIZES = (3_000, 20_000, 100_000, 200_000)
TOOL = "explain_pending_dependencies"


@dataclass(frozen=True)
class Run:
    """Seconds of CPU and of wall clock, and MB at the peak."""

    cpu: float
    wall: float
    peak: float
    warm_cpu: float = 0.0
    """CPU of the follow-up."""


def clocks() -> tuple[float, float]:
    return process_time(), perf_counter()


def since(start: tuple[float, float]) -> tuple[float, float]:
    return process_time() - start[0], perf_counter() - start[1]


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_floor(url: str, limit: int = 100) -> Run:
    """Fetch every page and json.loads it. The first request, of one batch, is not timed."""
    params = {"limit": "1", "includePendingDetails": "true"}
    with httpx.Client(base_url=url, timeout=600) as client:
        json.loads(client.get(BATCHES, params=params).content)
        params["limit"] = str(limit)
        start, more = clocks(), True
        while more:
            pagination = json.loads(client.get(BATCHES, params=params).content)["data"]["pagination"]
            params["cursor"], more = pagination["cursor"], pagination["hasNextPage"]
        return Run(*since(start), peak())


def measure_explain(url: str) -> Run:
    """One cold call and one follow-up. Another server over an API in memory has imported everything before.

    The server's `call_tool` is called directly: an MCP client in this process would add the time in which it validates.
    """

    async def measure() -> Run:
        await _warm_up()
        server = _server(url)
        await server.call_tool("list_batches", {"limit": 1})
        start = clocks()
        result = await server.call_tool(TOOL, {})
        cold = since(start)
        if getattr(result, "is_error", True):
            raise RuntimeError(repr(result)[:2000])
        start = clocks()
        await server.call_tool(TOOL, {})
        return Run(*cold, peak(), since(start)[0])

    return anyio.run(measure)


async def _warm_up() -> None:
    from datetime import UTC, datetime

    from benchmarks.api import Api
    from benchmarks.tenant import Size, build_tenant

    api = Api(build_tenant(Size(batches=120, rows=300, missing=90), now=datetime.now(UTC)).batches)
    server = _server("http://reach.test", transport=api.transport())
    await server.call_tool(TOOL, {})
    await server.call_tool("list_batches", {})


def _server(url: str, transport: httpx.AsyncBaseTransport | None = None):  # type: ignore[no-untyped-def]  # of the SDK
    """The server as `serve` starts it, with its settings of the garbage collector."""
    from reach_mcp.logs import configure_logging
    from reach_mcp.server import build_server
    from reach_mcp.settings import load_settings

    settings = load_settings(api_url=url, api_token="bench", reuse_seconds=600, log_level="ERROR", deadline=600)
    configure_logging(settings)
    server = build_server(settings, transport=transport)
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    return server


def child(kind: str, url: str) -> Run:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.explain", "--child", kind, url]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def measure(rows: int, runs: int) -> list[str]:
    """A row of the table."""
    floors, explains = [], []
    with running_api(rows=rows) as url:
        for _ in range(runs):
            floors.append(child("floor", url))
            explains.append(child("explain", url))
    floor, wall = median(run.cpu for run in floors), median(run.wall for run in floors)
    cold, cold_wall = median(run.cpu for run in explains), median(run.wall for run in explains)
    return [
        f"{rows:,}",
        f"{floor:.2f} / {wall:.2f}",
        f"{cold:.2f} / {cold_wall:.2f}",
        f"{cold / floor:.2f}",
        f"{cold_wall / wall:.2f}",
        f"{1000 * median(run.warm_cpu for run in explains):.0f} ms",
        f"{max(run.peak for run in explains):.0f} MB",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="pending resources")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", nargs=2, metavar=("KIND", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        kind, url = options.child
        print(json.dumps(asdict(measure_floor(url) if kind == "floor" else measure_explain(url))))
        return
    columns = ("rows", "floor, s CPU / wall", "cold, s CPU / wall", "ratio CPU", "ratio wall", "follow-up", "peak")
    print_table(columns, (measure(rows, options.runs) for rows in options.rows))


if __name__ == "__main__":
    main()
