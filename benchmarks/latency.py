"""A walk of many pages over a far API, one page after the other and as it is done: `python -m benchmarks.latency`.

Three walks in turn over the same API process, without pending details: a hundred batches a page from one end; the
largest page that the API gives, from one end; and that from both ends. The median of each, and what each part brings.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import anyio
from pydantic import SecretStr

from benchmarks.measure import running_api
from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.credentials import StaticToken
from reach_mcp.api.models import Batch
from reach_mcp.api.walk import walk
from reach_mcp.tools.list_batches import LIMITS

WALKS: dict[str, dict[str, Any]] = {
    "one page after the other": {"sizes": (100,)},
    "pages as large as given": {"sizes": LIMITS},
    "large pages, both ends": {"sizes": LIMITS, "both_ends": True},
    "100 a page, both ends": {"sizes": (100,), "both_ends": True},
}


@dataclass(frozen=True)
class Walked:
    """One walk, and what it took."""

    seconds: float
    requests: int
    batches: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--batches", type=int, default=5_000, help="100 of them are a page")
    parser.add_argument("--rows", type=int, default=20_000, help="pending resources")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, nargs="+", default=[100, 0], help="before each answer")
    options = parser.parse_args()

    for latency in options.latency_ms:
        with running_api(batches=options.batches, rows=options.rows, latency_ms=latency) as url:
            runs = [{name: _measure(url, how) for name, how in WALKS.items()} for _ in range(options.runs)]
        print(f"\n{options.batches:,} batches, {latency:g} ms before each answer, medians of {options.runs}")
        first = median(run[next(iter(WALKS))].seconds for run in runs)
        for name in WALKS:
            seconds, last = median(run[name].seconds for run in runs), runs[-1][name]
            print(f"{name:<26}{seconds:6.2f} s  {seconds / first:5.2f} times  {last.requests:3} requests")
            assert last.batches == options.batches, "every batch is read, whichever way"


def _measure(url: str, how: dict[str, Any]) -> Walked:
    async def run() -> Walked:
        deadline = Deadline(600)
        read: list[Batch] = []
        async with ReachClient(url, StaticToken(SecretStr("bench"))) as client:
            await client.list_batches(BatchQuery(limit=1), tenant=None, deadline=Deadline(60))  # the CA bundle is read
            start = perf_counter()
            coverage = await walk(client, BatchQuery(), tenant=None, deadline=deadline, fold=read.append, **how)
            seconds = perf_counter() - start
        if not coverage.complete:
            raise RuntimeError(f"The walk was not complete: {coverage}")
        return Walked(seconds, deadline.requests, coverage.batches)

    return anyio.run(run)


if __name__ == "__main__":
    main()
