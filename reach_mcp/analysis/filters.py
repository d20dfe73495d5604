"""Filters restrict the report, never the graph: batches that match, their pending rows, and what was left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from reach_mcp.analysis.lookup import resolve_schema
from reach_mcp.analysis.results import BatchSummary, FilterReport
from reach_mcp.analysis.snapshot import Snapshot

MAX_UNDATED = 20
"""Batches without a readable `createdAt` that a filter report names."""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Conditions on batches. Texts that are blank count as absent, and case does not matter.

    Times are Unix seconds: `created_after` is included, `created_before` is not. A batch without a readable
    `createdAt` passes no time filter.

    `schema` is a name or a definition id. In a list of batches it means the schema of the batch. In an explanation it
    means the schema of the pending resource itself, which normally is that of its batch.
    """

    status: str | None = None
    batch_type: str | None = None
    schema: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    only_pending: bool = False
    """Only batches whose counter says that records are pending, or that list pending resources."""

    @property
    def is_set(self) -> bool:
        """Whether any condition is set."""
        return bool(self.describe())

    @property
    def is_timed(self) -> bool:
        """Whether a condition is on the time of creation."""
        return self.created_after is not None or self.created_before is not None

    @property
    def bound_text(self) -> str:
        """The conditions that a `since` token is bound to. It holds the times itself.

        So a token made with `created_after=24h` is compared over the batches of that time, however late it is used.
        """
        texts = [_clean(text).casefold() for text in (self.status, self.batch_type, self.schema)]
        return repr((texts, self.created_after is not None, self.created_before is not None, self.only_pending))

    def describe(self) -> str:
        """Return the conditions in words, empty where there are none."""
        after, before = self.created_after, self.created_before
        texts = (("status", self.status), ("batch type", self.batch_type), ("schema", self.schema))
        parts = [f"{name} {_clean(text)}" for name, text in texts if _clean(text)]
        parts += [f"created after {_format_time(after)}"] if after is not None else []
        parts += [f"created before {_format_time(before)}"] if before is not None else []
        parts += ["with pending resources"] if self.only_pending else []
        return ", ".join(parts)

    def apply(self, snapshot: Snapshot) -> Matched:
        """Select the batches that match, by the batch's own schema.

        Raises:
            UnknownSchema: no batch or pending resource has this schema.
        """
        schema = SchemaCondition.of(self.schema, snapshot)
        matching = [number for number in self._match(snapshot) if schema.matches(snapshot.batches[number])]
        return self._select(snapshot, matching, bytearray(_chosen(snapshot, set(matching))))

    def apply_to_rows(self, snapshot: Snapshot) -> Matched:
        """Select pending rows: their own schema matches, and their batch meets the other conditions.

        A batch counts as matched where its own schema matches or it holds a row that does.

        Raises:
            UnknownSchema: no batch or pending resource has this schema.
        """
        schema = SchemaCondition.of(self.schema, snapshot)
        matching = set(self._match(snapshot))
        of_schema = [schema.ids is None or key[0] in schema.ids for key in snapshot.keys]
        rows = bytearray(row.batch in matching and of_schema[row.key] for row in snapshot.rows)
        batches = snapshot.batches
        holding = {row.batch for row, chosen in zip(snapshot.rows, rows, strict=True) if chosen}
        found = [number for number in sorted(matching) if number in holding or schema.matches(batches[number])]
        return self._select(snapshot, found, rows)

    def _match(self, snapshot: Snapshot) -> list[int]:
        """Return the batches that meet every condition but that on the schema."""
        conditions = self._conditions()
        return [number for number, batch in enumerate(snapshot.batches) if all(holds(batch) for holds in conditions)]

    def _conditions(self) -> list[Callable[[BatchSummary], bool]]:
        status, batch_type = _clean(self.status).casefold(), _clean(self.batch_type).casefold()
        after, before = self.created_after, self.created_before
        found: list[tuple[bool, Callable[[BatchSummary], bool]]] = [
            (bool(status), lambda batch: batch.status.casefold() == status),
            (bool(batch_type), lambda batch: batch.type.casefold() == batch_type),
            (after is not None, lambda batch: batch.created is not None and batch.created >= (after or 0.0)),
            (before is not None, lambda batch: batch.created is not None and batch.created < (before or 0.0)),
            (self.only_pending, lambda batch: bool(batch.pending or batch.listed)),
        ]
        return [holds for is_set, holds in found if is_set]

    def _select(self, snapshot: Snapshot, batches: list[int], rows: bytearray) -> Matched:
        undated = [batch.id for batch in snapshot.batches if batch.created is None] if self.is_timed else []
        return Matched(
            batches=tuple(batches),
            rows=rows,
            report=FilterReport(
                description=self.describe(),
                batches_matched=len(batches),
                batches_left_out=len(snapshot.batches) - len(batches),
                resources_left_out=sum(
                    not chosen and not row.expires <= snapshot.read_at
                    for row, chosen in zip(snapshot.rows, rows, strict=True)
                ),
                undated=tuple(undated[:MAX_UNDATED]),
                undated_total=len(undated),
            )
            if self.is_set
            else None,
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """The batches (indexes, in the API's order) and the rows (a flag for each row of the snapshot) selected."""

    batches: tuple[int, ...]
    rows: bytearray
    report: FilterReport | None
    """None where no condition is set."""


@dataclass(frozen=True, slots=True)
class SchemaCondition:
    """Definition ids of the schema asked for, and its names in lower case. `ids` is None where none is asked for."""

    ids: frozenset[str] | None
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str | None, snapshot: Snapshot) -> SchemaCondition:
        """Resolve a name or definition id over everything that was read."""
        asked = _clean(text)
        if not asked:
            return cls(None)
        ids = frozenset(resolve_schema(asked, snapshot))
        names = {name for schema_id in ids for name in snapshot.names.names(schema_id)}
        return cls(ids, frozenset(name.casefold() for name in {*names, asked}))

    def matches(self, batch: BatchSummary) -> bool:
        """Whether a batch has this schema, by definition id or, where it has none, by name."""
        if self.ids is None:
            return True
        return batch.schema_id in self.ids or (not batch.schema_id and batch.schema.casefold() in self.names)


def _chosen(snapshot: Snapshot, batches: set[int]) -> list[bool]:
    return [row.batch in batches for row in snapshot.rows]


def _clean(text: str | None) -> str:
    return (text or "").strip()


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")
