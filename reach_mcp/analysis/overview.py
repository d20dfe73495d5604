"""A census over batches: how many in which state, of which type and schema, what failed, what waits where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from reach_mcp.analysis.times import parse_time
from reach_mcp.api.models import Batch, BatchErrors

MOST_PENDING = 10

LARGEST = 2.0**53
"""The largest counter that is taken at its word: beyond it a JSON number is no longer exact."""


@dataclass(frozen=True)
class BatchRow:
    """One batch in a line. Times are Unix seconds, NaN where absent or unreadable; counters None where absent."""

    id: str
    status: str
    type: str
    schema: str
    created: float
    started: float
    completed: float
    total: int | None
    processed: int | None
    successful: int | None
    failed: int | None
    pending: int | None
    rate: float | None
    message: str
    categories: dict[str, int]
    listed: int | None = None
    """How many pending rows the API listed; None where they were not asked for."""


def read_batch(batch: Batch, *, details: bool = False) -> BatchRow:
    """The line of one batch, without its records. `details` says that pending rows were asked for."""
    progress = batch["progress"]
    errors: BatchErrors = batch.get("errors") or {}

    def count(value: float | None) -> int | None:
        return None if value is None else int(max(-LARGEST, min(value, LARGEST)))

    return BatchRow(
        id=batch["batchId"],
        status=batch["status"],
        type=batch["batchType"],
        schema=batch.get("schemaName") or batch.get("schemaDefinitionId") or "",
        created=parse_time(batch.get("createdAt")),
        started=parse_time(batch.get("startedAt")),
        completed=parse_time(batch.get("completedAt")),
        total=count(progress.get("totalRecords")),
        processed=count(progress.get("processedRecords")),
        successful=count(progress.get("successfulRecords")),
        failed=count(progress.get("failedRecords")),
        pending=count(progress.get("pendingRecords")),
        rate=progress.get("successRate"),
        message=errors.get("message") or "",
        categories=count_categories(errors),
        listed=len(batch.get("pendingResources") or ()) if details else None,
    )


def count_categories(errors: BatchErrors) -> dict[str, int]:
    """Error categories with counts: the API's own summary, or counted off the details where that is absent."""
    summary = errors.get("summary")
    if summary:
        return {name: int(count) for name, count in sorted(summary.items(), key=lambda item: (-item[1], item[0]))}
    details = errors.get("details") or {}
    return dict(Counter(name for record in details.values() for name in record["categories"]).most_common())


@dataclass(frozen=True)
class Filter:
    """What the API can't filter itself. Times are Unix seconds: `after` is included, `before` is not."""

    status: str | None = None
    schema: str | None = None
    after: float = -inf
    before: float = inf

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered at all."""
        return self != Filter()

    def matches(self, batch: Batch) -> bool:
        """Whether a batch passes. One without a readable `createdAt` passes no filter of time."""
        if self.status is not None and batch["status"] != self.status:
            return False
        if self.schema is not None:
            wanted = self.schema.casefold()
            name = (batch.get("schemaName") or "").casefold()
            if wanted != name and self.schema != batch.get("schemaDefinitionId"):
                return False
        if self.after == -inf and self.before == inf:
            return True
        return self.after <= parse_time(batch.get("createdAt")) < self.before


@dataclass
class Census:
    """Counts over batches, folded in one at a time; `rows` keeps a line of each, in the order read."""

    details: bool = False
    rows: dict[str, BatchRow] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Fold in one batch; a later reading replaces an earlier one."""
        self.rows[batch["batchId"]] = read_batch(batch, details=self.details)

    def count(self, name: Callable[[BatchRow], str]) -> dict[str, int]:
        """How many batches bear each value, most first."""
        counts = Counter(name(row) for row in self.rows.values())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def total(self, number: Callable[[BatchRow], int | None]) -> int:
        """The sum of one counter, absent ones as nought."""
        return sum(number(row) or 0 for row in self.rows.values())

    def categories(self) -> dict[str, int]:
        """Error categories over all batches, commonest first."""
        counts: Counter[str] = Counter()
        for row in self.rows.values():
            counts.update(row.categories)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def most_pending(self) -> list[BatchRow]:
        """The batches that hold most pending records, most first."""
        waiting = [row for row in self.rows.values() if row.pending]
        return sorted(waiting, key=lambda row: (-(row.pending or 0), row.id))[:MOST_PENDING]


@dataclass(frozen=True)
class ErrorGroup:
    """Record errors of one category that read alike: digits, ids and quoted parts apart."""

    category: str
    text: str
    count: int
    examples: tuple[str, ...]


_VARIABLE = re.compile(r"""(?<!\w)(["'`]).*?\1|(?<!\S)[^\s\d]*\d\S*""")
"""A quoted part (an apostrophe inside a word opens none), or a word with a digit; read in linear time."""


def group_errors(batch: Batch, examples: int = 3) -> list[ErrorGroup]:
    """A batch's record errors by category and likeness of text, commonest first, with ids of records to look at."""
    details = (batch.get("errors") or {}).get("details") or {}
    groups: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for external, record in details.items():
        for place, text in enumerate(record["errors"] or [""]):
            categories = record["categories"]
            category = categories[min(place, len(categories) - 1)] if categories else ""
            shape = _VARIABLE.sub("…", text)
            groups.setdefault((category, shape), (text, []))[1].append(external)
    found = [
        ErrorGroup(category, text, len(ids), tuple(ids[:examples])) for (category, _), (text, ids) in groups.items()
    ]
    return sorted(found, key=lambda group: (-group.count, group.category, group.text))
