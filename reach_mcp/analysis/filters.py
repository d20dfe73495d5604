"""Filters restrict the report, never the graph: matching batches, their pending rows, and counts of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, count
from math import isnan, nan

from reach_mcp.analysis.batch_stats import counted_without_rows, has_unreadable_counter
from reach_mcp.analysis.lookup import resolve_schema
from reach_mcp.analysis.results import BatchSummary, Counts, FilterReport
from reach_mcp.analysis.snapshot import PendingRow, Snapshot
from reach_mcp.analysis.stop import Checkpoint, never_stop, paced
from reach_mcp.analysis.times import to_utc

MAX_UNDATED = 20
"""Batches without a readable `createdAt` that a filter report names."""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Conditions on batches. Texts that are blank count as absent, and case does not matter.

    Times are Unix seconds: `created_after` is included, `created_before` is not. A batch without a readable
    `createdAt` passes no time filter.

    `schema` is a name or a definition id. For lists of batches it means the schema of the batch. Of a batch that has
    none, and for pending resources, it means the schema of each pending resource.
    """

    status: str | None = None
    batch_type: str | None = None
    schema: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    only_pending: bool = False
    """Only batches whose counter says that records are pending, or that list live pending resources."""

    @property
    def is_set(self) -> bool:
        """Whether any condition is set."""
        return bool(self.describe())

    @property
    def bound_text(self) -> str:
        """The conditions that a `since` token is bound to. It holds the times itself.

        So a token made with `created_after=24h` is compared over the batches of that time, however late it is used.
        """
        texts = [_fold(text) for text in (self.status, self.batch_type, self.schema)]
        return repr((texts, self.created_after is not None, self.created_before is not None, self.only_pending))

    def describe(self) -> str:
        """Return the conditions in words, empty where there are none."""
        conditions = (
            ("status", _clean(self.status)),
            ("batch type", _clean(self.batch_type)),
            ("schema", _clean(self.schema)),
            ("created after", _format_time(self.created_after)),
            ("created before", _format_time(self.created_before)),
            ("with", "pending resources" if self.only_pending else ""),
        )
        return ", ".join(f"{name} {text}" for name, text in conditions if text)

    def apply(self, snapshot: Snapshot, *, by_row: bool = False, checkpoint: Checkpoint = never_stop) -> Matched:
        """Select the batches that match, and their pending rows.

        Args:
            by_row: select each pending row by its own schema, and in addition the batches that hold such a row. The
                schema of a row whose own has no known name is that of its batch.

        Raises:
            QuestionError: no batch or pending resource has this schema.
        """
        if not self.is_set:
            everything = bytearray(b"\1") * len(snapshot.rows)
            return Matched(tuple(range(len(snapshot.batches))), everything, None)
        wanted = _resolve(self.schema, snapshot)
        meeting = [(number, batch) for number, batch in enumerate(snapshot.batches) if self._meets(batch)]
        schemas = {number: batch.schema_id or _fold(batch.schema) for number, batch in meeting}
        by_batch = {number for number, schema in schemas.items() if schema in wanted or not wanted}
        mixed = {number for number, schema in schemas.items() if wanted and (by_row or not schema)}
        whole = by_batch - mixed
        unnamed = {one for one in snapshot.names.schema_ids if not snapshot.names.names(one)}

        def selects(batch: int, row: PendingRow) -> bool:
            schema = snapshot.keys[row.key][0]
            own = schema in wanted or (schema in unnamed and batch in by_batch)
            return batch in whole or (own and batch in mixed)

        rows, holding = bytearray(), set[int]()
        for row in paced(snapshot.rows, checkpoint):
            rows.append(selects(row.batch, row))
            if rows[-1]:
                holding.add(row.batch)
        for number, others in snapshot.repeats.also_in.items():
            found = [batch for batch in others if selects(batch, snapshot.rows[number])]
            rows[number] |= bool(found)
            holding.update(found)
        matching = sorted(by_batch | holding)
        return Matched(tuple(matching), rows, self._report(snapshot, len(matching), rows))

    def _meets(self, batch: BatchSummary) -> bool:
        """Whether a batch meets every condition but that on the schema."""
        created = nan if batch.created is None else batch.created
        return (
            _fold(self.status) in ("", batch.status.casefold())
            and _fold(self.batch_type) in ("", batch.type.casefold())
            and (not self.only_pending or bool(batch.pending or batch.live))
            and (self.created_after is None or self.created_after <= created)
            and (self.created_before is None or created < self.created_before)
        )

    def _report(self, snapshot: Snapshot, matched: int, rows: Iterable[int]) -> FilterReport:
        is_timed = self.created_after is not None or self.created_before is not None
        undated = [batch.id for batch in snapshot.batches if is_timed and batch.created is None]
        live = [chosen for row, chosen in zip(snapshot.rows, rows, strict=True) if not row.expires <= snapshot.read_at]
        return FilterReport(
            description=self.describe(),
            batches_matched=matched,
            batches_left_out=len(snapshot.batches) - matched,
            resources_left_out=live.count(0) if snapshot.with_details else None,
            undated=tuple(undated[:MAX_UNDATED]),
            undated_total=len(undated),
            resources_matched=live.count(1) if snapshot.with_details else None,
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """The batches (indexes, in the API's order) and the rows (a flag for each row of the snapshot) selected."""

    batches: tuple[int, ...]
    rows: bytearray
    report: FilterReport | None
    """None where no condition is set."""


def count_rows(snapshot: Snapshot, matched: Matched, live: Sequence[int]) -> Counts:
    """Count the live rows selected, and what the API says of their batches. Counts that need the graph are None.

    Rows of the same batches that are not selected, since they are of another schema, are in no number: what they add to
    a batch's counter is taken off.
    """
    rows = [snapshot.rows[number] for number in live]
    batches = [snapshot.batches[number] for number in matched.batches]
    others = _count_others(snapshot, matched)
    selected, unreadable = sum(matched.rows), sum(batch.unreadable_resources for batch in batches)
    listed = sum(batch.listed or 0 for batch in batches) - sum(others.values())
    holding = set(chain.from_iterable(map(snapshot.batches_of, live)))
    return Counts(
        pending=len(rows),
        batches=len(holding.intersection(matched.batches)),
        lists_nothing=sum(not row.missing for row in rows),
        expired=selected - len(rows),
        unreadable_expiry=sum(isnan(row.expires) for row in rows),
        duplicates=snapshot.repeats.listed,
        counters_pending=sum(
            max(0, batch.pending - others.get(number, 0))
            for number, batch in zip(matched.batches, batches, strict=True)
            if batch.pending is not None
        ),
        unreadable_resources=unreadable,
        batches_with_counter_but_no_rows=len(counted_without_rows(batches)),
        repeated=max(0, listed - unreadable - selected),
        unreadable_counters=sum(map(has_unreadable_counter, batches)),
    )


def _count_others(snapshot: Snapshot, matched: Matched) -> Mapping[int, int]:
    """How many rows of each batch selected are not selected themselves."""
    if matched.report is None:
        return {}
    own = Counter(chain.from_iterable(map(snapshot.batches_of, compress(count(), matched.rows))))
    held = {number: snapshot.batches[number] for number in matched.batches}
    return {number: (one.live or 0) + (one.expired or 0) - own[number] for number, one in held.items()}


def _resolve(schema: str | None, snapshot: Snapshot) -> set[str]:
    """Every definition id and name (case-folded) of the schema asked for; empty for any schema."""
    ids = resolve_schema(schema or "", snapshot)
    names = {name for schema_id in ids for name in snapshot.names.names(schema_id)}
    return ids | {_fold(name) for name in (*names, schema) if _fold(name)}


def _clean(text: str | None) -> str:
    return (text or "").strip()


def _fold(text: str | None) -> str:
    return _clean(text).casefold()


def _format_time(seconds: float | None) -> str:
    return "" if seconds is None else to_utc(seconds).strftime("%Y-%m-%d %H:%MZ")
