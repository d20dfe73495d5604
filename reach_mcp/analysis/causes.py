"""Why a record is missing: the surest cause that the batches read support, with all evidence for it.

A record that no batch mentions is "not seen", never "not sent": batches list no successes, and records also reach Reach
without a batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from math import inf

from reach_mcp.analysis.evidence import Evidence, Family, Mention, name_label
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.lookalikes import Candidate, SeenIds, describe_difference
from reach_mcp.analysis.results import ACTION_OF, Cause, CauseFinding, Lookalike, Record
from reach_mcp.analysis.snapshot import PendingRow, Snapshot
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

MAX_FAILURES = 20
"""Failures of one record that a finding lists."""

MAX_LOOKALIKES = 5
"""Lookalikes of one record that a finding lists."""


class CauseFinder:
    """Finds why records are missing. Whatever records share is worked out once, on first use."""

    def __init__(self, snapshot: Snapshot, graph: DependencyGraph) -> None:
        self._snapshot = snapshot
        self._graph = graph
        self.evidence = Evidence(snapshot)
        self._unnamed: dict[frozenset[str], CauseFinding] = {}
        self._searches: dict[frozenset[str], LookalikeSearch] = {}

    def find(self, keys: Iterable[int], *, checkpoint: Checkpoint = never_stop) -> dict[int, CauseFinding]:
        """The cause of each missing record, by key index.

        Raises:
            AnalysisStopped: from the checkpoint, which is called every few thousand records.
        """
        found: dict[int, CauseFinding] = {}
        for number, key in enumerate(keys):
            if number % STEPS == 0:
                checkpoint()
            found[key] = self._find_one(*self._snapshot.keys[key], self._expired.get(key, ()), checkpoint)
        return found

    def find_record(self, record: Record) -> CauseFinding:
        """The cause of a record that has no key index, because only errors name it."""
        return self._find_one(record.schema_id or name_label(record.schema), record.external_id, (), never_stop)

    def _find_one(
        self, schema_id: str, external_id: str, expired: Sequence[PendingRow], checkpoint: Checkpoint
    ) -> CauseFinding:
        mentions = self.evidence.mentions(schema_id, external_id)
        family = self.evidence.family(schema_id)
        cause = _surest(mentions, expired) if mentions or expired else None
        lookalikes = self._search(family, checkpoint).find(external_id, schema_id) if cause is None else []
        if not (cause or mentions or lookalikes):
            return self._without_evidence(family)
        cause = cause or ("looks_like" if lookalikes else self._without_evidence(family).cause)
        mentions.sort(
            key=lambda one: (one.weight != cause, one.weight in ("patch", "symptom"), -one.at, one.failure.batch_id)
        )
        return CauseFinding(
            cause=cause,
            action=ACTION_OF[cause],
            failures=tuple([one.failure for one in mentions[:MAX_FAILURES]]),
            failures_total=len(mentions),
            lookalikes=tuple(lookalikes[:MAX_LOOKALIKES]),
            lookalikes_total=len(lookalikes),
            in_progress=family.in_progress,
            expired_rows=len(expired),
            later_batches=family.count_completed_after(mentions[0].at) if cause == "failed" else 0,
        )

    def _without_evidence(self, family: Family) -> CauseFinding:
        """The finding of a record that nothing names: one object for all of a family."""
        if family.schema_ids not in self._unnamed:
            cause: Cause = "in_progress" if family.in_progress else "not_seen"
            self._unnamed[family.schema_ids] = CauseFinding(cause, ACTION_OF[cause], in_progress=family.in_progress)
        return self._unnamed[family.schema_ids]

    @cached_property
    def _expired(self) -> dict[int, list[PendingRow]]:
        expired: defaultdict[int, list[PendingRow]] = defaultdict(list)
        for row in self._snapshot.rows:
            if row.expires <= self._graph.now:
                expired[row.key].append(row)
        return dict(expired)

    # --- lookalikes ------------------------------------------------------------------------------------------------

    def _search(self, family: Family, checkpoint: Checkpoint) -> LookalikeSearch:
        if family.schema_ids not in self._searches:
            checkpoint()
            self._searches[family.schema_ids] = self._build_search(family)
        return self._searches[family.schema_ids]

    def _build_search(self, family: Family) -> LookalikeSearch:
        failed = self.evidence.failed_ids(family)
        pending = {
            one: schema_id for schema_id in sorted(family.schema_ids) for one in self._pending_ids.get(schema_id, ())
        }
        missing = [one for schema_id in family.schema_ids for one in self._missing_ids.get(schema_id, ())]
        seen = SeenIds({**dict.fromkeys(failed, "failed"), **dict.fromkeys(pending, "pending")}, missing)
        return LookalikeSearch(self._snapshot, seen, {**failed, **pending})

    @cached_property
    def _pending_ids(self) -> dict[str, list[str]]:
        """Definition id to the external ids of its pending resources, expired ones included."""
        return self._by_schema({row.key for row in self._snapshot.rows})

    @cached_property
    def _missing_ids(self) -> dict[str, list[str]]:
        return self._by_schema(self._graph.roots)

    def _by_schema(self, keys: Iterable[int]) -> dict[str, list[str]]:
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            schema_id, external_id = self._snapshot.keys[key]
            ids[schema_id].append(external_id)
        return dict(ids)


class LookalikeSearch:
    """The lookalikes of all missing ids of one family of schemas."""

    def __init__(self, snapshot: Snapshot, seen: SeenIds, schema_ids: dict[str, str]) -> None:
        self._snapshot = snapshot
        self._seen = seen
        self._schema_ids = schema_ids
        """External id seen to its definition id; empty where the batch has a schema name only."""
        self._found = seen.find(seen.missing)
        self._searched = set(seen.missing)

    def find(self, external_id: str, schema_id: str) -> list[Lookalike]:
        """Records that a missing id may mean, the simplest difference first."""
        if external_id not in self._searched:
            self._searched.add(external_id)
            self._found |= self._seen.find([external_id])
        if external_id not in self._found:
            return []
        return [self._describe(external_id, schema_id, one) for one in self._found[external_id]]

    def _describe(self, missing: str, schema_id: str, candidate: Candidate) -> Lookalike:
        seen, likeness = candidate
        owner = self._schema_ids[seen] or schema_id
        return Lookalike(
            record=Record(self._snapshot.names.display(owner), seen, owner),
            rule=likeness.rule,
            seen=self._seen.ids[seen],
            difference=describe_difference(missing, seen, likeness),
        )


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
