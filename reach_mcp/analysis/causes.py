"""Why a record is missing: the surest cause that the batches read support, with all evidence for it.

A record that no batch mentions is "not seen", never "not sent": batches list no successes, and records also reach Reach
without a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import NamedTuple

from reach_mcp.analysis.evidence import Evidence, Family, Mention, name_label
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.lookalikes import Lookalikes, describe_difference
from reach_mcp.analysis.multimap import Multimap
from reach_mcp.analysis.results import ACTION_OF, Cause, CauseFinding, ExpiredIn, Lookalike, Record
from reach_mcp.analysis.snapshot import PendingRow, Snapshot
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

MAX_FAILURES = 20
"""Failures of one record that a finding lists."""

MAX_LOOKALIKES = 5
"""Lookalikes of one record that a finding lists."""

MAX_BATCHES = 3
"""Failed batches and expired pending resources that a finding lists, and records that each of the latter missed."""


class _Search(NamedTuple):
    """The lookalikes of the missing records of one family."""

    lookalikes: Lookalikes
    pending: dict[str, int]
    """External id to key index of the records that are pending, even if expired."""
    failed: dict[str, tuple[str, str]]
    """External id to definition id (empty if unknown) and batch of the records that failed."""


class CauseFinder:
    """Finds why records are missing. Whatever records share is worked out once, on first use."""

    def __init__(self, snapshot: Snapshot, graph: DependencyGraph) -> None:
        self._snapshot = snapshot
        self._graph = graph
        self.evidence = Evidence(snapshot)
        self._unnamed: dict[frozenset[str], CauseFinding] = {}
        self._searches: dict[frozenset[str], _Search] = {}

    def find(self, keys: Iterable[int], *, checkpoint: Checkpoint = never_stop) -> dict[int, CauseFinding]:
        """The cause of each missing record, by key index.

        Raises:
            AnalysisStopped: from the checkpoint, which is called every few thousand records.
        """
        found: dict[int, CauseFinding] = {}
        for number, key in enumerate(keys):
            if number % STEPS == 0:
                checkpoint()
            found[key] = self._find_one(*self._snapshot.keys[key], self._expired.get(key))
        return found

    def find_record(self, record: Record) -> CauseFinding:
        """The cause of a record that has no key index, because only errors name it."""
        return self._find_one(record.schema_id or name_label(record.schema), record.external_id, ())

    def _find_one(self, schema_id: str, external_id: str, expired: Sequence[PendingRow]) -> CauseFinding:
        mentions = self.evidence.mentions(schema_id, external_id)
        family = self.evidence.family(schema_id)
        cause = _surest(mentions, expired) if mentions or expired else None
        lookalikes = [] if cause else self._find_lookalikes(family, schema_id, external_id)
        if not (cause or mentions or lookalikes):
            return self._without_evidence(family)
        cause = cause or ("looks_like" if lookalikes else self._without_evidence(family).cause)
        mentions.sort(
            key=lambda one: (one.weight != cause, one.weight in ("patch", "symptom"), -one.at, one.failure.batch_id)
        )
        basis = self._without_evidence(family)
        if cause not in ("looks_like", basis.cause):
            basis = replace(basis, failed_batches=(), failed_batches_total=0)
        return replace(
            basis,
            cause=cause,
            action=ACTION_OF[cause],
            failures=tuple([one.failure for one in mentions[:MAX_FAILURES]]),
            failures_total=len(mentions),
            lookalikes=tuple(lookalikes[:MAX_LOOKALIKES]),
            lookalikes_total=len(lookalikes),
            expired_rows=len(expired),
            expired_in=self._describe_expired(expired) if cause == "expired" else (),
            later_batches=family.count_completed_after(mentions[0].at) if cause == "failed" else 0,
        )

    def _describe_expired(self, rows: Sequence[PendingRow]) -> tuple[ExpiredIn, ...]:
        batches = self._snapshot.batches
        latest = sorted(rows, key=lambda row: (-row.expires, batches[row.batch].id, row.id))[:MAX_BATCHES]
        return tuple(
            ExpiredIn(
                batch_id=batches[row.batch].id,
                expired_at=row.expires,
                missed=self._snapshot.records(row.missing[:MAX_BATCHES]),
                missed_total=len(row.missing),
            )
            for row in latest
        )

    def _without_evidence(self, family: Family) -> CauseFinding:
        """The finding of a record that nothing names: one object for all of a family."""
        if family.schema_ids not in self._unnamed:
            cause: Cause = "in_progress" if family.running else "not_seen"
            self._unnamed[family.schema_ids] = CauseFinding(
                cause,
                ACTION_OF[cause],
                in_progress=tuple(one.batch_id for one in family.running),
                running=family.running,
                failed_batches=tuple(family.failed[:MAX_BATCHES]),
                failed_batches_total=len(family.failed),
            )
        return self._unnamed[family.schema_ids]

    @cached_property
    def _expired(self) -> Multimap[int, PendingRow]:
        return Multimap((row.key, row) for row in self._snapshot.rows if row.expires <= self._graph.now)

    # --- lookalikes ------------------------------------------------------------------------------------------------

    def _find_lookalikes(self, family: Family, schema_id: str, external_id: str) -> list[Lookalike]:
        """Records that a missing id may mean, the simplest difference first."""
        search, found = self._search(family), []
        for seen_id, likeness in search.lookalikes.find(external_id):
            key = search.pending.get(seen_id)
            if key is None:
                owner, batch_id = search.failed[seen_id]
            else:
                owner, batch_id = self._snapshot.keys[key][0], self._snapshot.batches[self._latest_batch[key]].id
            found.append(
                Lookalike(
                    Record(self._snapshot.names.display(owner or schema_id), seen_id, owner or schema_id),
                    likeness.rule,
                    "failed" if key is None else "pending",
                    describe_difference(external_id, seen_id),
                    batch_id,
                )
            )
        return found

    def _search(self, family: Family) -> _Search:
        if family.schema_ids not in self._searches:
            numbers = self._snapshot.key_index.number_of.schemas
            keys = [item for schema_id in sorted(family.schema_ids) for item in numbers.get(schema_id, {}).items()]
            pending = {external_id: key for external_id, key in keys if key in self._latest_batch}
            missing = {external_id for external_id, key in keys if key in self._roots}
            failed = self.evidence.failed_ids(family)
            lookalikes = Lookalikes(pending.keys(), failed.keys(), missing)
            self._searches[family.schema_ids] = _Search(lookalikes, pending, failed)
        return self._searches[family.schema_ids]

    @cached_property
    def _latest_batch(self) -> dict[int, int]:
        """Keys that are pending, even if expired, to the latest batch that lists them."""
        place = self.evidence.places
        return {row.key: row.batch for row in sorted(self._snapshot.rows, key=lambda row: place[row.batch])}

    @cached_property
    def _roots(self) -> set[int]:
        return set(self._graph.roots)


def _surest(mentions: Sequence[Mention], expired: Sequence[PendingRow]) -> Cause | None:
    """The latest of failed, deleted and expired: each makes the earlier ones history. None where none of them holds.

    Where times are equal or unknown, failed comes before deleted, and deleted before expired. A failed PATCH counts
    only where nothing else is known.
    """
    times: dict[Cause, float] = {}
    for one in mentions:
        if one.weight == "failed":
            times["failed"] = max(times.get("failed", -inf), one.at if one.at > -inf else inf)
        elif one.weight == "deleted":
            times["deleted"] = max(times.get("deleted", -inf), one.at)
    if expired:
        times["expired"] = max(row.created if row.created == row.created else -inf for row in expired)
    for cause in ("failed", "deleted", "expired"):
        if cause in times and times[cause] == max(times.values()):
            return cause
    return "failed" if any(one.weight == "patch" for one in mentions) else None
