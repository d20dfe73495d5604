"""One reading of a tenant's batches: light rows over interned keys.

A key (schema definition id, external id) is an index into `Snapshot.keys`, a row an index into `Snapshot.rows`, a batch
an index into `Snapshot.batches`. Decoded pages can be dropped as soon as the builder has taken them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import msgspec

from reach_mcp.analysis.batch_stats import summarize_batch
from reach_mcp.analysis.keys import Key, KeyIndex
from reach_mcp.analysis.results import BatchSummary, Record
from reach_mcp.analysis.schema_names import NamePair, SchemaNames
from reach_mcp.analysis.times import parse_times
from reach_mcp.api.models import Batch, PendingResource, RecordErrors
from reach_mcp.api.pagination import Coverage

ErrorDetails: TypeAlias = dict[str, RecordErrors]
"""External id to the errors of that record, as one batch lists them."""


_SCHEMA_ID, _SCHEMA_NAME = attrgetter("schema_definition_id"), attrgetter("schema_name")


class Repeats(NamedTuple):
    """Rows that share an id (or an empty id). Equal ones count once, different ones are kept apart."""

    listed: int = 0
    """How many were listed."""
    batches: tuple[int, ...] = ()
    """The batches that list them."""
    also_in: Mapping[int, tuple[int, ...]] = MappingProxyType({})
    """Row to the batches other than its own that list it too."""


NO_REPEATS = Repeats()


class PendingRow(msgspec.Struct, gc=False):
    """A pending resource. Times are Unix seconds, NaN where unreadable."""

    id: str
    key: int
    missing: tuple[int, ...]
    """Keys that it lists as missing: distinct, in the API's order."""
    expires: float
    created: float
    batch: int


@dataclass(repr=False)  # asyncio.Runner of Python 3.11 builds the repr of a result
class Snapshot:
    """All that one reading brought. Not changed after `SnapshotBuilder.build`."""

    batches: list[BatchSummary]
    """In the API's order. A batch that was read again has its later reading, in its first place."""
    rows: list[PendingRow]
    """In the order of batches, expired rows included."""
    keys: list[Key]
    key_index: KeyIndex
    names: SchemaNames
    error_details: list[tuple[int, ErrorDetails]]
    """(batch index, errors.details) of the batches that have details."""
    coverage: Coverage
    read_at: float
    with_details: bool = True
    """Whether pending resources were asked for."""
    repeats: Repeats = NO_REPEATS
    """Rows that share an id."""

    def batches_of(self, row: int) -> tuple[int, ...]:
        """The batches that list a row, its own first."""
        return self.rows[row].batch, *self.repeats.also_in.get(row, ())

    def record(self, key: int) -> Record:
        """The record that a key index stands for."""
        schema_id, external_id = self.keys[key]
        return Record(self.names.display(schema_id), external_id, schema_id)

    def records(self, keys: Iterable[int]) -> tuple[Record, ...]:
        """The records that key indexes stand for."""
        return tuple(map(self.record, keys))

    @property
    def unreadable_times(self) -> tuple[str, ...]:
        """Ids of rows whose `expiresAt` is no time; the record's name where the id is empty."""
        unreadable = (row for row in self.rows if row.expires != row.expires)
        return tuple(row.id or self.record(row.key).name for row in unreadable)


@dataclass
class SnapshotBuilder:
    """Folds decoded batches into a snapshot, in any order. A batch read again replaces its earlier reading."""

    with_details: bool = True
    _index: dict[str, int] = field(default_factory=dict)
    _batches: list[BatchSummary] = field(default_factory=list)
    _rows: list[list[PendingRow]] = field(default_factory=list)
    _details: dict[int, ErrorDetails] = field(default_factory=dict)
    _keys: KeyIndex = field(default_factory=KeyIndex)
    _names: dict[NamePair, None] = field(default_factory=dict)
    _replaced: bool = False

    def add(self, batch: Batch) -> None:
        """Fold one batch in, with its pending resources."""
        index = self._index.setdefault(batch.batch_id, len(self._index))
        summary = summarize_batch(batch, self.with_details)
        rows = self._read_rows(index, batch.pending_resources or [])
        if index < len(self._batches):
            self._replaced = True
            self._batches[index], self._rows[index] = summary, rows
            self._details.pop(index, None)
        else:
            self._batches.append(summary)
            self._rows.append(rows)
        if batch.schema_definition_id:
            self._names[batch.schema_definition_id, batch.schema_name] = None
        if batch.errors is not None and batch.errors.details:
            self._details[index] = batch.errors.details

    def _read_rows(self, batch: int, resources: list[PendingResource]) -> list[PendingRow]:
        # The hot loop of every reading: a few loops without a call of ours.
        lists = [row.missing_dependencies for row in resources]
        listed = list(chain.from_iterable(lists))
        own_schemas, schemas = list(map(_SCHEMA_ID, resources)), list(map(_SCHEMA_ID, listed))
        self._names |= dict.fromkeys(zip(schemas, map(_SCHEMA_NAME, listed), strict=True))
        self._names |= dict.fromkeys(zip(own_schemas, map(_SCHEMA_NAME, resources), strict=True))
        number_of = self._keys.number_of
        keys = [number_of[row.schema_definition_id](row.resource_external_id) for row in resources]
        flat = iter([number_of[one.schema_definition_id](one.external_id) for one in listed])
        missing = [tuple(islice(flat, len(one))) for one in lists]
        missing = [
            listed if len(listed) < 2 or len(set(listed)) == len(listed) else tuple(dict.fromkeys(listed))
            for listed in missing
        ]
        expires = parse_times([row.expires_at for row in resources])
        created = parse_times([row.created_at for row in resources])
        ids = [row.id for row in resources]
        return list(map(PendingRow, ids, keys, missing, expires, created, repeat(batch)))

    @property
    def rows(self) -> int:
        """How many rows have been folded in."""
        return sum(map(len, self._rows))

    def build(self, coverage: Coverage, read_at: float) -> Snapshot:
        """The snapshot of the batches folded in. The builder must not be used afterwards.

        Args:
            coverage: how much of the tenant was read.
            read_at: Unix seconds of the reading, on the API's clock.
        """
        rows, repeats = _drop_repeats([row for part in self._rows for row in part])
        keys = list(self._keys)
        if self._replaced:
            rows, keys = _forget_unused(rows, keys)
            self._keys = KeyIndex.of(keys)
        self._keys.freeze()
        names = SchemaNames(self._names)
        batches = [_fill_in_name(batch, names) for batch in self._batches]
        return Snapshot(
            batches=_count_expired(batches, rows, repeats, read_at) if self.with_details else batches,
            rows=rows,
            keys=keys,
            key_index=self._keys,
            names=names,
            error_details=sorted(self._details.items(), key=itemgetter(0)),
            coverage=coverage,
            read_at=read_at,
            with_details=self.with_details,
            repeats=repeats,
        )


def _fill_in_name(batch: BatchSummary, names: SchemaNames) -> BatchSummary:
    """A batch that came without the name of its schema, with the name that others gave."""
    unnamed = batch.schema_id and batch.schema == batch.schema_id
    return replace(batch, schema=names.display(batch.schema_id)) if unnamed else batch


def _count_expired(
    batches: list[BatchSummary], rows: list[PendingRow], repeats: Repeats, now: float
) -> list[BatchSummary]:
    """The batches with the number of their rows that are live, and of those that have expired."""
    held, expired = Counter(row.batch for row in rows), Counter(row.batch for row in rows if row.expires <= now)
    for number, others in repeats.also_in.items():
        held.update(others)
        expired.update(others if rows[number].expires <= now else ())
    return [
        replace(batch, live=held[number] - expired[number], expired=expired[number])
        for number, batch in enumerate(batches)
    ]


def _drop_repeats(rows: list[PendingRow]) -> tuple[list[PendingRow], Repeats]:
    """Rows without those listed again with the same content, and facts about those that share an id.

    Rows with one id and different content are different rows. An empty id says nothing: such rows are told apart by
    batch and content.
    """
    if len({row.id for row in rows}) == len(rows):
        return rows, NO_REPEATS
    first: dict[tuple[object, ...], int] = {}
    kept: list[PendingRow] = []
    batches: dict[int, dict[int, None]] = {}
    for row in rows:
        batch = row.batch if not row.id else None
        number = first.setdefault((row.id, batch, row.key, frozenset(row.missing), str(row.expires)), len(kept))
        if number == len(kept):
            kept.append(row)
        elif row.batch != kept[number].batch:
            batches.setdefault(number, {})[row.batch] = None
    uses = Counter(row.id for row in rows)
    shared = [row.batch for row in rows if uses[row.id] > 1]
    also_in = {number: tuple(others) for number, others in batches.items()}
    return kept, Repeats(len(shared), tuple(dict.fromkeys(shared)), also_in)


def _forget_unused(rows: list[PendingRow], keys: list[Key]) -> tuple[list[PendingRow], list[Key]]:
    """Rows over the keys that they mention: keys of replaced readings are dropped."""
    used = dict.fromkeys(key for row in rows for key in (row.key, *row.missing))
    number = {key: place for place, key in enumerate(used)}
    for row in rows:
        row.key, row.missing = number[row.key], tuple([number[key] for key in row.missing])
    return rows, [keys[key] for key in used]
