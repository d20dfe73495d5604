"""The dependency graph over (schemaDefinitionId, externalId), in columns.

200,000 rows as objects would cost half a gigabyte and a second for each look at all of them; as columns of numbers over
interned keys they cost a tenth of it and a millisecond, and a page can be dropped as soon as it is folded in. What
concerns all rows is done by column; what follows one way through the graph is done step by step.

    row        0      1    2                  key  0  1  2  3  4 ...
    row_key    3      4    3                  listing(key) -> rows that list it
    missing   [0 1]  [0]  [3 2]               bearers(key) -> rows whose own key it is
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count
from math import inf, isnan, nan
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reach_mcp.analysis.times import parse_time, parse_times
from reach_mcp.api.models import Batch, MissingDependency, PendingResource

Key = tuple[str, str]
Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]
Moments = NDArray[np.float64]
"""Unix seconds, NaN where a time can't be read."""


@dataclass
class BatchFacts:
    """What the graph keeps of a batch: its place among the rows, and what its counter says."""

    id: str
    counter: int | None
    start: int = 0
    end: int = 0


REMEMBERED = 16
"""Most sets of links for which it is kept what waits for them."""


class Groups:
    """Numbers by key in one column: those of key k stand in `values` from `start[k]` up to `start[k + 1]`."""

    def __init__(self, start: Numbers, values: Numbers) -> None:
        self.start = start
        self.values = values
        self._start, self._values = start.data, values.data  # three times as fast, one by one

    def __call__(self, key: int) -> list[int]:
        return self._values[self._start[key] : self._start[key + 1]].tolist()

    def column(self, key: int) -> Numbers:
        """Those of one key, not copied."""
        return self.values[self._start[key] : self._start[key + 1]]

    def of(self, keys: Numbers) -> Numbers:
        """Those of some keys, one after the other."""
        first, widths = self.start[keys], self.start[keys + 1] - self.start[keys]
        skipped = np.repeat(first - widths.cumsum() + widths, widths)
        found: Numbers = self.values[skipped + np.arange(len(skipped))]
        return found


def _starts(widths: NDArray[Any]) -> Numbers:
    """Where groups of some widths start, and where the last one ends."""
    return np.append(np.int32(0), widths.cumsum(dtype=np.int32))


def group(keys: Numbers, values: Numbers, size: int) -> Groups:
    """Values by their keys, of which there are `size`; those of one key stay in order."""
    return Groups(_starts(np.bincount(keys, minlength=size)), values[np.argsort(keys, kind="stable")])


def group_pairs(keys: Numbers, values: Numbers, size: int) -> Groups:
    """As `group`, with each pair once; of one key's values the least first."""
    pairs = np.unique(keys.astype(np.int64) << 32 | values)
    return group((pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32), size)


def distinct(numbers: Numbers, size: int) -> Numbers:
    """Each of some numbers below `size` once, the least first."""
    marked = np.zeros(size, np.bool_)
    marked[numbers] = True
    return np.flatnonzero(marked).astype(np.int32)


class _Index(dict[str, Callable[[str], int]]):
    """Numbers keys as they come up: `index[definition](external)` is a key's number, a new one where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, defaultdict[str, int]] = {}
        self._next = count().__next__

    def __missing__(self, definition: str) -> Callable[[str], int]:
        self.numbers[definition] = defaultdict(self._next)
        lookup = self[definition] = self.numbers[definition].__getitem__
        return lookup


@dataclass
class GraphBuilder:
    """Folds batches into columns, in any order of pages.

    A batch that is read again replaces its earlier reading whole; a row id that turns up again takes the later row.
    Both happen when batches move between pages while a walk runs, and are counted in `repeats`.
    """

    places: dict[str, int] = field(default_factory=dict)
    """Batch id to its place in `facts`."""

    repeats: int = 0
    row_id: array[int] = field(default_factory=lambda: array("q"))
    """Hashes of 64 bits stand for the rows' ids: of 200,000, two are alike once in a thousand million times."""

    row_sum: array[int] = field(default_factory=lambda: array("I"))
    """CRC-32 of the rows' ids, the same in every process."""

    row_key: array[int] = field(default_factory=lambda: array("i"))
    expires: array[float] = field(default_factory=lambda: array("d"))
    deps: array[int] = field(default_factory=lambda: array("i"))
    listed: array[int] = field(default_factory=lambda: array("i"))
    schema_names: dict[str, str] = field(default_factory=dict)
    facts: list[BatchFacts] = field(default_factory=list)
    since: float = inf
    """Rows stored after this moment are counted as new."""

    newest: float = -inf
    new: set[int] = field(default_factory=set)
    unreadable_times: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Places of rows whose `expiresAt` could not be read, or bore no zone, to their ids and what it says."""

    _index: _Index = field(default_factory=lambda: _Index())
    _replaced: list[BatchFacts] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Fold one batch in, with its pending rows."""
        place = self.places.get(batch["batchId"])
        if place is not None:
            self.repeats += 1
            self._replaced.append(self.facts[place])
            self.facts[place] = replace(self.facts[place], counter=None)
        counter = batch["progress"].get("pendingRecords")
        facts = BatchFacts(
            id=batch["batchId"],
            counter=None if counter is None else int(counter),
            start=len(self.row_key),
        )
        self.places[facts.id] = len(self.facts)
        self.facts.append(facts)
        if rows := batch.get("pendingResources"):
            self._add_rows(rows)
        facts.end = len(self.row_key)

    def _add_rows(self, rows: Sequence[PendingResource]) -> None:
        # The hot loop of the product: a few passes over each batch, each a comprehension without a call of ours.
        index = self._index
        ids = [row.id for row in rows]
        self.row_id.fromlist(list(map(hash, ids)))
        self.row_sum.fromlist([crc32(id.encode("utf-8", "surrogatepass")) for id in ids])
        self.row_key.fromlist([index[row.schema_definition_id](row.resource_external_id) for row in rows])
        lists = [row.missing_dependencies for row in rows]
        self.deps.fromlist([index[one.schema_definition_id](one.external_id) for one in chain.from_iterable(lists)])
        self.listed.fromlist(list(map(len, lists)))
        moments = parse_times([row.expires_at for row in rows])
        self.expires.fromlist(moments)
        if isnan(sum(moments)):
            places = enumerate(zip(rows, moments, strict=True), len(self.row_key) - len(rows))
            self.unreadable_times |= {place: (row.id, row.expires_at) for place, (row, at) in places if isnan(at)}
        self._look_at_storing(rows)
        if len(self.schema_names) < len(index):
            self._learn_names(rows)

    def _look_at_storing(self, rows: Sequence[PendingResource]) -> None:
        """When the newest row was stored, and which rows are new. UTC times of one length sort as texts do."""
        texts = [row.created_at for row in rows]
        alike = len(set(map(len, texts))) == 1 and {text[-1:] for text in texts} == {"Z"}
        latest = parse_time(max(texts)) if alike else nan
        if isnan(latest) or latest > self.since:
            stored = dict(zip((hash(row.id) for row in rows), parse_times(texts), strict=True))
            self.new.update(row_id for row_id, moment in stored.items() if moment > self.since)
            latest = max((moment for moment in stored.values() if not isnan(moment)), default=-inf)
        self.newest = max(self.newest, latest)

    def _learn_names(self, rows: Sequence[PendingResource]) -> None:
        for row in rows:
            named: list[PendingResource | MissingDependency] = [row, *row.missing_dependencies]
            for one in named:
                if one.schema_name:
                    self.schema_names.setdefault(one.schema_definition_id, one.schema_name)

    @property
    def rows(self) -> int:
        """How many rows have been folded in, without those that a later reading of their batch replaced."""
        return len(self.row_key) - sum(facts.end - facts.start for facts in self._replaced)

    def build(self) -> DependencyGraph:
        """The graph of what was folded in. The builder is used up."""
        starts = [facts.start for facts in self.facts]
        batches = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff([*starts, len(self.row_key)]))
        ids = np.asarray(self.row_id)
        missing = _list_once(_starts(_numbers(self.listed)), _numbers(self.deps))
        keys = sum(map(len, self._index.numbers.values()))
        kept: Numbers | slice = slice(None)
        if self._replaced or _repeats(ids):
            kept = self._find_latest(ids)
            missing = Groups(_starts(np.diff(missing.start)[kept]), missing.of(kept))
            self._forget_all_but(distinct(np.append(_numbers(self.row_key)[kept], missing.values), keys), keys)
        stayed = set(np.arange(len(ids))[kept].tolist()) if self.unreadable_times else ()
        return DependencyGraph(
            row_id=ids[kept],
            row_key=_numbers(self.row_key)[kept],
            row_batch=batches[kept],
            expires=np.asarray(self.expires)[kept],
            missing=missing,
            keys=keys,
            index=self._index.numbers,
            schema_names=self.schema_names,
            facts=self.facts,
            repeats=self.repeats,
            unreadable_times=dict(said for row, said in self.unreadable_times.items() if row in stayed),
            rows_sum=int(np.asarray(self.row_sum)[kept].sum(dtype=np.uint64)),
            newest=self.newest,
            new=len(self.new.intersection(ids[kept].tolist())) if self.new else 0,
        )

    def _find_latest(self, ids: NDArray[np.int64]) -> Numbers:
        """Rows that no later reading replaced, be it of their batch or of themselves."""
        alive = np.ones(len(ids), np.bool_)
        for facts in self._replaced:
            alive[facts.start : facts.end] = False
        rows = np.flatnonzero(alive)[::-1]
        latest: Numbers = np.sort(rows[np.unique(ids[rows], return_index=True)[1]]).astype(np.int32)
        return latest

    def _forget_all_but(self, used: Numbers, keys: int) -> None:
        """Drop the names of keys that only replaced rows mention."""
        unused = set(np.setdiff1d(np.arange(keys), used).tolist())
        for numbers in self._index.numbers.values() if unused else ():
            for external in [external for external, key in numbers.items() if key in unused]:
                del numbers[external]


def _numbers(column: array[int]) -> Numbers:
    """A column of a builder, not copied."""
    return np.asarray(column)


def _repeats(numbers: NDArray[np.int64]) -> bool:
    """Whether a number is there twice."""
    ordered = np.sort(numbers)
    return bool((ordered[1:] == ordered[:-1]).any())


def _list_once(start: Numbers, values: Numbers) -> Groups:
    """The keys of each row, each once and in order: what is listed twice is waited for once."""
    rows = np.repeat(np.arange(len(start) - 1), np.diff(start))
    pairs = rows << 32 | values
    if _repeats(pairs):
        first = np.sort(np.unique(pairs, return_index=True)[1])
        start = _starts(np.bincount(rows[first], minlength=len(start) - 1))
        values = values[first]
    return Groups(start, values)


@dataclass(frozen=True)
class _Above:
    """What waits for some links: which rows, how many, and the first readable expiry among them."""

    rows: Flags
    count: int
    earliest: float


class DependencyGraph:
    """The finished graph: columns, and what follows from them by counting.

    `missing` has the keys that each row lists, `listing` the rows that list each key, `bearers` the rows that bear it.
    A *root* is a root blocker; a *link* is a key that is pending and listed: chains and circles are made of links.
    `uppers` has, for each key, the links whose rows list it.
    """

    def __init__(
        self,
        *,
        row_id: NDArray[np.int64],
        row_key: Numbers,
        row_batch: Numbers,
        expires: Moments,
        missing: Groups,
        keys: int,
        index: dict[str, defaultdict[str, int]],
        schema_names: dict[str, str],
        facts: list[BatchFacts],
        repeats: int,
        unreadable_times: dict[str, str],
        rows_sum: int,
        newest: float,
        new: int,
    ) -> None:
        self.row_id = row_id
        """What the hashes of the rows' ids are in this process."""
        self.row_key = row_key
        self.bears: memoryview[int] = row_key.data
        """`row_key` for a look at one row."""
        self.row_batch = row_batch
        self.expires = expires
        self.missing = missing
        self.schemas = list(index)
        self.schema_names = schema_names
        self.facts = facts
        self.repeats = repeats
        self.unreadable_times = unreadable_times
        """Ids of rows, in order of reading, to times that can't be read."""
        self.rows_sum = rows_sum
        """Differs, all but surely, when other rows wait, in whatever order they are read."""
        self.newest = newest
        """When the newest row was stored, in Unix seconds; minus infinity when no row says so readably."""
        self.new = new
        """How many rows were stored after the moment that the builder was given."""
        self._index = index
        self.keys = keys
        """How many keys there are, pending or listed."""
        self.schema_of = np.zeros(self.keys, np.int32)
        names = np.full(self.keys, "", object)
        for schema, numbers in enumerate(index.values()):
            numbers.default_factory = None  # nothing is numbered any more
            places = np.fromiter(numbers.values(), np.int32, len(numbers))
            self.schema_of[places] = schema
            names[places] = list(numbers)
        self.external_of: list[str] = names.tolist()
        self.listed: Numbers = np.diff(missing.start)
        """How many keys each row lists."""
        self.dep_row: Numbers = np.repeat(np.arange(self.rows, dtype=np.int32), self.listed)
        """The row of each of `missing.values`."""
        self.listing = group(missing.values, self.dep_row, self.keys)
        self.direct: Numbers = np.diff(self.listing.start)
        """How many rows list each key."""
        self.is_pending: Flags = np.zeros(self.keys, np.bool_)
        self.is_pending[row_key] = True
        self.is_link: Flags = self.is_pending & (self.direct > 0)
        self.roots = self._sort(np.flatnonzero(~self.is_pending & (self.direct > 0)).tolist())
        """Root blockers by identity, so that whatever keeps their order breaks ties the same in any order of pages."""
        self.bears_link: Flags = self.is_link[row_key]
        """Whether other rows wait for what a row bears."""
        linked = self.bears_link[self.dep_row]
        self.uppers = group_pairs(missing.values[linked], row_key[self.dep_row[linked]], self.keys)
        self._above: dict[tuple[int, ...], _Above] = {}

    @property
    def rows(self) -> int:
        """How many pending rows there are."""
        return len(self.row_key)

    @cached_property
    def bearers(self) -> Groups:
        """The rows that bear each key: two or more where the same resource waits in several batches."""
        return group(self.row_key, np.arange(self.rows, dtype=np.int32), self.keys)

    def _sort(self, keys: list[int]) -> list[int]:
        """Keys by identity: as by `key`, at a fifth of its cost."""
        order = {definition: place for place, definition in enumerate(sorted(self.schemas))}
        rank = np.array([order[definition] for definition in self.schemas], np.int32)
        by_name = np.array(sorted(keys, key=self.external_of.__getitem__), np.int32)
        found: list[int] = by_name[np.argsort(rank[self.schema_of[by_name]], kind="stable")].tolist()
        return found

    def key(self, number: int) -> Key:
        """The identity of a key: (schemaDefinitionId, externalId)."""
        return self.schemas[self.schema_of[number]], self.external_of[number]

    def schema(self, number: int) -> str:
        """What people call a key's schema: its name, or its id where no row gave a name."""
        definition: str = self.schemas[self.schema_of[number]]
        return self.schema_names.get(definition, definition)

    def number(self, definition: str, external: str) -> int:
        """The number of a key that rows mention."""
        return self._index[definition][external]

    def find(self, schema: str, external: str) -> int | None:
        """The number of a key, by schema definition id or by name in any case; None when no row mentions it."""
        for definition in self.definitions(schema):
            number = self._index[definition].get(external)
            if number is not None:
                return number
        return None

    def definitions(self, schema: str) -> list[str]:
        """Schema definition ids that bear an id or, in any case, a name."""
        if schema in self._index:
            return [schema]
        wanted = schema.casefold()
        return [
            definition
            for definition in self.schemas
            if self.schema_names.get(definition, definition).casefold() == wanted
        ]

    def externals(self, definition: str) -> Iterable[str]:
        """External ids of one schema definition that rows mention."""
        return self._index.get(definition, ())

    def above(self, sources: Iterable[int]) -> list[int]:
        """Some keys and, behind them, every link that waits for one of them."""
        found = list(dict.fromkeys(sources))
        seen = set(found)
        for key in found:  # it grows meanwhile
            new = [upper for upper in self.uppers(key) if upper not in seen]
            seen.update(new)
            found += new
        return found

    def waiting(self, sources: Iterable[int]) -> Numbers:
        """Rows that wait for any of some keys, directly or through other pending resources, each once."""
        sources = list(sources)
        if len(sources) != 1:
            return np.flatnonzero(self._mark(self.above(sources))).astype(np.int32)
        rows, above = self.listing.column(sources[0]), self._what_waits_above(sources[0])
        if above is None:
            return rows
        marked = above.rows.copy()
        marked[rows] = True
        return np.flatnonzero(marked).astype(np.int32)

    def count_waiting(self, key: int) -> int:
        """How many rows `waiting` has for one key, at the cost of those that list it."""
        above = self._what_waits_above(key)
        if above is None:
            return int(self.direct[key])
        return above.count + int(np.count_nonzero(~above.rows[self.listing.column(key)]))

    def earliest_waiting(self, key: int) -> float:
        """The first readable expiry among the rows that `waiting` has for one key."""
        above = self._what_waits_above(key)
        return min(self.earliest(self.listing.column(key)), inf if above is None else above.earliest)

    def _what_waits_above(self, key: int) -> _Above | None:
        """What waits for the links right above a key; remembered, since many keys may lie below the same ones."""
        links = tuple(self.uppers(key))
        if links and links not in self._above:
            if len(self._above) == REMEMBERED:
                del self._above[next(iter(self._above))]
            marked = self._mark(self.above(links))
            self._above[links] = _Above(marked, int(np.count_nonzero(marked)), self.earliest(marked))
        return self._above.get(links)

    def _mark(self, keys: list[int]) -> Flags:
        """The rows that list any of some keys."""
        marked: Flags = np.zeros(self.rows, np.bool_)
        marked[self.listing.of(np.array(keys, np.int32))] = True
        return marked

    def count_batches(self, rows: Numbers | Flags) -> int:
        """How many batches hold some rows."""
        return len(distinct(self.row_batch[rows], len(self.facts)))

    def batches_of(self, rows: Sequence[int]) -> list[str]:
        """Ids of the batches that hold some rows, sorted."""
        return sorted({self.facts[place].id for place in self.row_batch[list(rows)].tolist()})

    def earliest(self, rows: Numbers | Flags) -> float:
        """The earliest readable expiry among rows, in Unix seconds; infinity when there is none."""
        return float(np.fmin.reduce(self.expires[rows], initial=inf))
