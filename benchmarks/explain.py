"""Explaining a big tenant beside merely fetching it: `python -m benchmarks.explain` prints medians, taken in turn."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from statistics import median

import anyio

from benchmarks.measure import SERVER, Explained, Floor, measure_explain, measure_floor, running_api

MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("--batches", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=200_000, help="pending resources")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=0, help="that the API waits before each answer")
    parser.add_argument("--arguments", type=json.loads, default={}, help="of the tool, as a JSON object")
    parser.add_argument("--server", type=shlex.split, default=SERVER, help="command line that speaks MCP on stdio")
    parser.add_argument("--floor-only", action="store_true", help="measure what it takes to fetch, and no more")
    options = parser.parse_args()

    floors: list[Floor] = []
    explained: list[Explained] = []
    with running_api(batches=options.batches, rows=options.rows, latency_ms=options.latency_ms) as url:
        for run in range(1, options.runs + 1):
            floors.append(measure_floor(url))
            print(f"run {run}: floor {floors[-1].seconds:.2f} s", end="", flush=True)
            if not options.floor_only:
                explained.append(explain(url, options.arguments, options.server))
                print(f", explain {explained[-1].seconds:.2f} s, peak {_megabytes(explained[-1].peak)}", end="")
            print()
    print(summary(floors, explained))


def explain(url: str, arguments: dict[str, object], server: Sequence[str]) -> Explained:
    async def call() -> Explained:
        return await measure_explain(url, arguments=arguments, server=server)

    return anyio.run(call)


def summary(floors: Sequence[Floor], explained: Sequence[Explained]) -> str:
    """Medians of all runs, each median by itself, and the ratio of the two."""
    floor = median(run.seconds for run in floors)
    loading = median(run.loading for run in floors)
    last = floors[-1]
    lines = [
        f"\nread      {last.pages} pages, {last.rows:,} pending resources, {last.bytes / MB:.1f} MB",
        f"floor     {floor:.2f} s, of which json.loads {loading:.2f} s",
    ]
    if explained:
        seconds = median(run.seconds for run in explained)
        peaks = [run.peak for run in explained if run.peak is not None]
        lines += [
            f"explain   {seconds:.2f} s, {seconds / floor:.2f} times the floor",
            f"peak      {_megabytes(max(peaks, default=None))} in the server process",
            f"answer    {len(explained[-1].text):,} characters: {explained[-1].first_line}",
        ]
    return "\n".join(lines)


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / MB:.0f} MB"


if __name__ == "__main__":
    main()
