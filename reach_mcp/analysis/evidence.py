"""What batches say about records that are missing: failures, deletions, and other batches of the same schema.

A batch belongs to a schema by definition id or by name, since the API may leave out either. Definitions that share a
name (in any case) form a family, because schemas get re-created under the same name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import Literal, NamedTuple, TypeAlias

from reach_mcp.analysis.multimap import Multimap
from reach_mcp.analysis.results import BatchSummary, FailedBatch, Failure, MatchedBy, Record, RunningBatch
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.times import or_none
from reach_mcp.api.models import RecordErrors

Weight: TypeAlias = Literal["failed", "deleted", "patch", "symptom"]

_NAME = "\0name:"

NOT_FOUND = "RESOURCE_NOT_FOUND"
PROCESSING = "processing"
FAILURE = "failure"

_DELETED = re.compile(
    r"(?:\A|\b(?:was|were|been|already|successfully|previously|record|resource)\s+)(?:deleted|removed)\b"
    r"|\bdeleted without cascade\b",
    re.I,
)
_NOT_DELETED = re.compile(r"(?:\b(?:not|never|cannot|unable|failed)\b|n['’]t\b)[^.;:]*\b(?:deleted?|removed?)\b", re.I)


class Mention(NamedTuple):
    """One failure, deletion or symptom that a batch reports for a record."""

    weight: Weight
    """failed: an ingest error. patch: a failed PATCH. symptom: not found, or a DELETE that did not delete."""
    at: float
    """Unix seconds; -inf where the batch has no readable time."""
    failure: Failure


@dataclass(frozen=True)
class Family:
    """The definitions that share a name with one definition, itself included, and their ingest batches."""

    schema_ids: frozenset[str]
    names: frozenset[str]
    """Case-folded."""
    running: tuple[RunningBatch, ...] = ()
    failed: Sequence[FailedBatch] = ()
    """Batches that failed as a whole, latest first."""
    completed: Sequence[float] = ()
    """When its ingest batches completed that did not fail as a whole, ascending."""

    def count_completed_after(self, at: float) -> int:
        """How many of its ingest batches completed later; 0 where the time is unknown."""
        return len(self.completed) - bisect_right(self.completed, at) if at > -inf else 0


class Evidence:
    """Indexes over the batches of a snapshot. Each is built once, on first use."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._errors = dict(snapshot.error_details)
        self._families: dict[str, Family] = {}

    def mentions(self, schema_id: str, external_id: str) -> list[Mention]:
        """What batches report for one record, in the order of batches."""
        found = []
        for batch in self._batches_naming.get(external_id):
            matched_by = self._compare_schemas(*self._schemas[batch], schema_id)
            if matched_by:
                errors = self._errors[batch][external_id]
                found.append(_describe(self._snapshot.batches[batch], errors, matched_by))
        return found

    def family(self, schema_id: str) -> Family:
        """The definitions and ingest batches that share a name with a definition."""
        # No functools.cache here: it would hold this object in a circle, and with it the snapshot.
        if schema_id not in self._families:
            self._families[schema_id] = self._find_family(schema_id)
        return self._families[schema_id]

    @cached_property
    def places(self) -> dict[int, int]:
        """The place of each batch in time, so that order does not depend on that of pages."""
        batches = self._snapshot.batches
        order = sorted(range(len(batches)), key=lambda number: (_time(batches[number]), batches[number].id))
        return {number: place for place, number in enumerate(order)}

    def failed_ids(self, family: Family) -> dict[str, tuple[str, str]]:
        """External ids that batches of a family report as failed: their definition id (empty if unknown), latest batch.

        Deleted records and those that were not found are left out: they do not exist.
        """
        failed: dict[str, tuple[str, str]] = {}
        detailed = (batch for batch in self._batches_of(family) if batch in self._errors)
        for batch in sorted(detailed, key=self.places.__getitem__):
            summary, schema_id = self._snapshot.batches[batch], self._schemas[batch][0]
            kind = _kind(summary)
            for external_id, errors in self._errors[batch].items():
                if kind == "INGEST" or (kind == "PATCH" and NOT_FOUND not in errors.categories):
                    known, _ = failed.get(external_id, ("", ""))
                    failed[external_id] = (max(known, schema_id), summary.id)
        return failed

    def failed_records(self, external_id: str) -> Iterator[Record]:
        """The records with an external id that batches report errors for.

        `schema_id` is empty where only a name is known that does not stand for exactly one definition. Batches without
        schema are left out.
        """
        names = self._snapshot.names
        for batch in self._batches_naming.get(external_id):
            schema_id, name = self._schemas[batch]
            definitions = [schema_id] if schema_id else names.definitions(name)
            owner = definitions[0] if len(definitions) == 1 else ""
            schema = names.display(owner) if owner else self._snapshot.batches[batch].schema
            if schema:
                yield Record(schema, external_id, owner)

    # --- schemas of batches ----------------------------------------------------------------------------------------

    @cached_property
    def _schemas(self) -> list[tuple[str, str]]:
        """(definition id, case-folded name) of each batch; empty where it has none."""
        return [(one.schema_id, _name(one)) for one in self._snapshot.batches]

    def _compare_schemas(self, definition: str, name: str, schema_id: str) -> MatchedBy | None:
        if definition == schema_id:
            return "definition"
        family = self.family(schema_id)
        if definition:
            return "other_definition" if definition in family.schema_ids or name in family.names else None
        if name in family.names:
            return "name"
        if not name:
            return "no_schema"
        return None if family.names or self._snapshot.names.definitions(name) else "id_only"

    def _find_family(self, schema_id: str) -> Family:
        known, ids = self._snapshot.names, {schema_id}
        names = {name.casefold() for name in known.names(schema_id)}
        if schema_id.startswith(_NAME):
            ids, names = set(), {schema_id.removeprefix(_NAME)}
        ids |= {one for name in names for one in known.definitions(name)}
        family = Family(frozenset(ids), frozenset(names))
        batches = [self._snapshot.batches[number] for number in self._batches_of(family)]
        batches = [one for one in batches if _kind(one) == "INGEST"]
        batches.sort(key=lambda one: (-_time(one), one.id))
        running = [one for one in batches if one.status.casefold() == PROCESSING]
        return replace(
            family,
            running=tuple(RunningBatch(one.id, one.started, one.processed, one.total) for one in running),
            failed=[
                FailedBatch(one.id, or_none(_time(one)), one.message, one.total) for one in batches if _is_refused(one)
            ],
            completed=sorted(_time(one) for one in batches if one.status.casefold() not in (PROCESSING, FAILURE)),
        )

    def _batches_of(self, family: Family) -> list[int]:
        labels = [*family.schema_ids, *map(name_label, family.names)]
        return sorted(number for label in labels for number in self._by_label.get(label))

    @cached_property
    def _by_label(self) -> Multimap[str, int]:
        """Definition id, or the label of the name where there is none, to batches."""
        labels = (definition or name_label(name) for definition, name in self._schemas)
        return Multimap((label, number) for number, label in enumerate(labels))

    @cached_property
    def _batches_naming(self) -> Multimap[str, int]:
        """External id to the batches whose details name it."""
        return Multimap((one, batch) for batch, details in self._snapshot.error_details for one in details)


def name_label(name: str) -> str:
    """Stands for a schema of which no definition id is known, wherever a definition id is expected."""
    return _NAME + name.strip().casefold()


def _name(batch: BatchSummary) -> str:
    """The case-folded name; empty where the batch has none (its `schema` is then the definition id, or empty)."""
    return "" if batch.schema == batch.schema_id else batch.schema.strip().casefold()


def _time(batch: BatchSummary) -> float:
    """When a batch completed, else started, else was created; -inf where none of these is readable."""
    return next((at for at in (batch.completed, batch.started, batch.created) if at is not None), -inf)


def _kind(batch: BatchSummary) -> Literal["INGEST", "PATCH", "DELETE"]:
    kind = batch.type.upper()
    if "DELETE" in kind:
        return "DELETE"
    return "PATCH" if "PATCH" in kind else "INGEST"


def _is_refused(batch: BatchSummary) -> bool:
    """Whether a batch failed as a whole, so that it names none of its records."""
    status = batch.status.casefold()
    return (status == FAILURE or bool(batch.message)) and status != PROCESSING and not batch.failed_records_named


def _describe(batch: BatchSummary, errors: RecordErrors, matched_by: MatchedBy) -> Mention:
    failure = Failure(
        batch_id=batch.id,
        batch_type=batch.type,
        batch_status=batch.status,
        at=or_none(_time(batch)),
        category=next(iter(errors.categories), ""),
        message="; ".join(dict.fromkeys(errors.errors)),
        matched_by=matched_by,
    )
    return Mention(_weigh(batch, errors), _time(batch), failure)


def _weigh(batch: BatchSummary, errors: RecordErrors) -> Weight:
    kind = _kind(batch)
    if kind == "DELETE":
        return "deleted" if _was_deleted(batch, errors) else "symptom"
    if kind == "PATCH":
        return "symptom" if NOT_FOUND in errors.categories else "patch"
    return "failed"


def _was_deleted(batch: BatchSummary, errors: RecordErrors) -> bool:
    """Whether a DELETE batch that names a record deleted it: a batch also names records that it only warns about."""
    text = "\n".join(errors.errors)
    if batch.status.casefold() == FAILURE or batch.message or _NOT_DELETED.search(text):
        return False
    return batch.failed == 0 or bool(_DELETED.search(text))
