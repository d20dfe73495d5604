"""How the cost of explaining grows with the tenant: `python -m benchmarks.scaling` prints each size and the fit."""

from __future__ import annotations

import argparse
import json
import shlex
from math import log
from statistics import linear_regression, median

from benchmarks.explain import explain
from benchmarks.measure import SERVER, measure_floor, running_api

SIZES = (2_000, 20_000, 200_000)
ROWS_A_BATCH = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="sizes, two at least")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--arguments", type=json.loads, default={}, help="of the tool, as a JSON object")
    parser.add_argument("--server", type=shlex.split, default=SERVER, help="command line that speaks MCP on stdio")
    options = parser.parse_args()

    floors: dict[int, float] = {}
    explains: dict[int, float] = {}
    print(f"{'rows':>9} {'floor':>9} {'explain':>9} {'a row':>9} {'ratio':>6} {'peak':>8}")
    for rows in options.rows:
        with running_api(batches=max(10, rows // ROWS_A_BATCH), rows=rows) as url:
            floors[rows] = median(measure_floor(url).seconds for _ in range(options.runs))
            runs = [explain(url, options.arguments, options.server) for _ in range(options.runs)]
        seconds = explains[rows] = median(run.seconds for run in runs)
        peak = max((run.peak or 0 for run in runs), default=0) / 1e6
        each = seconds / rows * 1e6
        ratio = seconds / floors[rows]
        print(f"{rows:>9,} {floors[rows]:>7.3f} s {seconds:>7.3f} s {each:>6.1f} µs {ratio:>6.2f} {peak:>5.0f} MB")
    print(f"\nover all sizes, time grows as rows to the power of {slope(explains):.2f} (floor: {slope(floors):.2f})")
    print(
        f"over the two largest, where fixed costs weigh least: {slope(largest(explains)):.2f} "
        f"(floor: {slope(largest(floors)):.2f})"
    )


def largest(seconds: dict[int, float]) -> dict[int, float]:
    return dict(sorted(seconds.items())[-2:])


def slope(seconds: dict[int, float]) -> float:
    """The power that fits best: least squares over the logarithms. 1 is linear; a fixed cost bends it below."""
    return linear_regression([log(rows) for rows in seconds], [log(time) for time in seconds.values()]).slope


if __name__ == "__main__":
    main()
