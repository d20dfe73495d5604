"""CPU seconds of the graph analyses on shapes that tempt an algorithm to be slow.

    python -m benchmarks.shapes [NAME ...]

Each shape is built as a snapshot and asked the questions of `QUESTIONS`, each on an analysis that has cached nothing.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from time import process_time
from typing import TypeAlias

from benchmarks.tenant import INGEST
from reach_mcp.analysis.report import Analysis, Question, explain
from reach_mcp.analysis.snapshot import Snapshot, SnapshotBuilder
from reach_mcp.api.models import Batch, MissingDependency, PendingResource, Progress
from reach_mcp.api.pagination import Coverage

EVERYTHING = 1_000_000
QUESTIONS = {
    "summary": Question(),
    "whole plan": Question(view="plan", limit=EVERYTHING),
    "by urgency": Question(view="plan", order="expiry", limit=EVERYTHING),
    "by frees": Question(view="blockers", order="frees"),
    "cycles": Question(view="cycles"),
}
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
    """A snapshot of one batch, whose rows expire at random within a day."""
    random, builder = Random(3), SnapshotBuilder(with_details=True)
    rows = [
        PendingResource(
            f"pr{number}", key, "sd", [MissingDependency("sd", each) for each in missing], _time(random), ""
        )
        for number, (key, missing) in enumerate(edges)
    ]
    builder.add(Batch("b", "success", INGEST, Progress(), pending_resources=rows))
    return builder.build(Coverage(batches=1), NOW)


def _time(random: Random) -> str:
    return datetime.fromtimestamp(NOW + random.random() * 86400, UTC).isoformat()


def measure(snapshot: Snapshot, question: Question) -> float:
    """CPU seconds of one question."""
    start = process_time()
    explain(Analysis(snapshot), question)
    return process_time() - start


def main() -> None:
    """Print one line per shape."""
    gc.disable()
    for name, make in SHAPES.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            snapshot = build(make())
            took = (f"{asked} {measure(snapshot, question):.2f} " for asked, question in QUESTIONS.items())
            print(f"{name:26}", *took)


if __name__ == "__main__":
    main()
