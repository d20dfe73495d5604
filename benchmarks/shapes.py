"""CPU seconds of the graph analyses on shapes that tempt an algorithm to be slow.

    python -m benchmarks.shapes [NAME ...]

Each shape is built as a snapshot. Measured are the default questions (waiting of all missing records, their
ranking, the best five, cycles, hours), then a plan over all missing records by gain and by urgency, and the order by
`frees`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from time import process_time
from typing import TypeAlias

from reach_mcp.analysis.blockers import find_frees, rank
from reach_mcp.analysis.cycles import StuckGraph, describe_cycle
from reach_mcp.analysis.expiry import describe_expiry, group_by_hour
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.keys import KeyIndex
from reach_mcp.analysis.plan import plan
from reach_mcp.analysis.schema_names import SchemaNames
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.snapshot import PendingRow, Snapshot
from reach_mcp.analysis.waiting import count_waiting
from reach_mcp.api.pagination import Coverage

NOW = 1_800_000_000.0

Edges: TypeAlias = Iterator[tuple[str, tuple[str, ...]]]
"""Rows: a record, and the records that it lists as missing."""


def chain(rows: int) -> Edges:
    """Each row lists the next one and a missing record of its own."""
    return ((f"k{row}", (f"k{row + 1}", f"m{row}")) for row in range(rows))


def ladder(rows: int) -> Edges:
    """Each step lists both rows of the next step, and a missing record of its own."""
    return (
        (f"{side}{step}", (f"a{step + 1}", f"b{step + 1}", f"m{side}{step}"))
        for step in range(rows // 2)
        for side in "ab"
    )


def wide_row(missing: int) -> Edges:
    """One row that lists very many missing records."""
    yield "row", tuple(f"m{number}" for number in range(missing))


def cycle(rows: int) -> Edges:
    """One cycle through all rows."""
    return ((f"k{row}", (f"k{(row + 1) % rows}",)) for row in range(rows))


def two_way(rows: int) -> Edges:
    """Each row waits for both of its neighbours."""
    return ((f"k{row}", tuple(f"k{other}" for other in (row - 1, row + 1) if 0 <= other < rows)) for row in range(rows))


def repeated(rows: int) -> Edges:
    """One record that is pending very often, each time for another missing record, with a chain behind it."""
    yield from (("k0", (f"m{row}",)) for row in range(rows // 10))
    yield from ((f"k{row + 1}", (f"k{row}",)) for row in range(rows // 10))


def scattered(rows: int) -> Edges:
    """Three random records per row, many of them pending: nearly everything is one cycle."""
    random = Random(1)
    return ((f"k{row}", tuple({f"k{random.randrange(rows * 3 // 2)}" for _ in range(3)})) for row in range(rows))


def tenant(rows: int) -> Edges:
    """One or two records per row, three in ten of them pending, without cycles."""
    random = Random(2)
    for row in range(rows):
        count = random.choice((1, 1, 2))
        yield f"k{row}", tuple({_any_record(random, row, rows) for _ in range(count)})


def _any_record(random: Random, row: int, rows: int) -> str:
    if random.random() < 0.3 and row + 1 < rows:
        return f"k{random.randrange(row + 1, rows)}"
    return f"m{random.randrange(rows // 3)}"


SHAPES: dict[str, Callable[[], Edges]] = {
    "chain 10,000": lambda: chain(10_000),
    "ladder 10,000": lambda: ladder(10_000),
    "ladder 50,000": lambda: ladder(50_000),
    "one row, 100,000 missing": lambda: wide_row(100_000),
    "cycle 10,000": lambda: cycle(10_000),
    "two-way 10,000": lambda: two_way(10_000),
    "repeated 10,000": lambda: repeated(10_000),
    "scattered 20,000": lambda: scattered(20_000),
    "tenant 200,000": lambda: tenant(200_000),
}


def build(edges: Edges) -> Snapshot:
    """A snapshot of rows that expire at random within a day."""
    index, random = KeyIndex(), Random(3)
    number_of = index.number_of["sd"]
    rows = [
        PendingRow(f"pr{number}", number_of(key), tuple(map(number_of, missing)), NOW + random.random() * 86400, NOW, 0)
        for number, (key, missing) in enumerate(edges)
    ]
    index.freeze()
    return Snapshot([], rows, list(index), index, SchemaNames([]), [], Coverage(), NOW)


def measure(snapshot: Snapshot) -> dict[str, float]:
    """CPU seconds of each part of the analysis."""
    took: dict[str, float] = {}
    last = process_time()

    def note(part: str) -> None:
        nonlocal last
        took[part], last = process_time() - last, process_time()

    graph = DependencyGraph(snapshot, NOW)
    note("graph")
    waiting = count_waiting(graph)
    note("waiting")
    ranked = rank(graph, waiting)
    note("rank")
    clearance = Clearance(graph)
    note("clear")
    list(islice(plan(graph, ranked, clearance=clearance), 5))
    note("plan of 5")
    stuck = StuckGraph(graph, clearance)
    for one in stuck.rank()[:10]:
        describe_cycle(graph, stuck, one)
    note("cycles")
    describe_expiry(graph, clearance, group_by_hour(graph))
    note("hours")
    sum(1 for _ in plan(graph, ranked, clearance=clearance))
    note("whole plan")
    sum(1 for _ in plan(graph, ranked, order="expiry"))
    note("urgency")
    find_frees(graph)
    note("frees")
    return took


def main() -> None:
    """Print one line per shape."""
    gc.disable()
    for name, make in SHAPES.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            took = measure(build(make()))
            print(
                f"{name:26}{sum(took.values()):7.2f}  ", *(f"{part} {seconds:.2f} " for part, seconds in took.items())
            )


if __name__ == "__main__":
    main()
