"""The dependency graph over (schemaDefinitionId, externalId), in columns.

200,000 rows as objects would cost half a gigabyte; as columns of numbers over interned keys they cost a tenth of it,
and a page can be dropped as soon as it is folded in.

    row   0        1        2               key   0  1  2  3  4 ...
    row_key        3        4        3      schema_of, external_of
    deps   [0 1]    [0]      [3 2]          listing[key] -> rows that list it
           dep_start = 0 2 3 5
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain, compress, count, islice, repeat
from math import inf, isnan, nan
from operator import not_, sub
from weakref import proxy

from reach_mcp.analysis.times import parse_time
from reach_mcp.api.models import Batch, PendingResource

Key = tuple[str, str]


@dataclass
class BatchFacts:
    """What the graph keeps of a batch: its place among the rows, and what its counter says."""

    id: str
    schema: str
    created: float
    counter: int | None
    start: int = 0
    end: int = 0


REMEMBERED = 32
"""Most sets of waiting rows that are kept while a graph is looked at."""


class _Index(dict[str, "_SchemaIndex"]):
    """Numbers keys as they come up: `index[definition][external]` is a key's number, a new one where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.schemas: list[str] = []
        self.schema_of = array("i")
        self.external_of: list[str] = []

    def __missing__(self, definition: str) -> _SchemaIndex:
        schema = self[definition] = _SchemaIndex(self, len(self.schemas))
        self.schemas.append(definition)
        return schema


class _SchemaIndex(dict[str, int]):
    def __init__(self, index: _Index, number: int) -> None:
        super().__init__()
        self._index: _Index = proxy(index)  # a circle would hold the memory of a large graph until it is looked for
        self._number = number

    def learn(self, externals: list[str]) -> None:
        """Number those that are new, at a fifth of what it costs one by one."""
        index = self._index
        new = [external for external in dict.fromkeys(externals) if external not in self]
        self.update(zip(new, count(len(index.external_of)), strict=False))
        index.external_of += new
        index.schema_of.extend(repeat(self._number, len(new)))

    def __missing__(self, external: str) -> int:
        key = self[external] = len(self._index.external_of)
        self._index.external_of.append(external)
        self._index.schema_of.append(self._number)
        return key


@dataclass
class GraphBuilder:
    """Folds batches into columns, in any order of pages.

    A batch that is read again replaces its earlier reading whole; a row id that turns up again takes the later row.
    Both happen when batches move between pages while a walk runs, and are counted in `repeats`.
    """

    places: dict[str, int] = field(default_factory=dict)
    """Batch id to its place in `facts`."""

    repeats: int = 0
    row_ids: list[str] = field(default_factory=list)
    row_key: array[int] = field(default_factory=lambda: array("i"))
    row_batch: array[int] = field(default_factory=lambda: array("i"))
    expires: array[float] = field(default_factory=lambda: array("d"))
    deps: array[int] = field(default_factory=lambda: array("i"))
    dep_start: array[int] = field(default_factory=lambda: array("i", [0]))
    schema_names: dict[str, str] = field(default_factory=dict)
    facts: list[BatchFacts] = field(default_factory=list)
    since: float = inf
    """Rows stored after this moment are counted as new."""

    newest: float = -inf
    new: set[str] = field(default_factory=set)
    unreadable_times: dict[str, str] = field(default_factory=dict)
    """Row id to the `expiresAt` that could not be read, or bore no zone."""

    _index: _Index = field(default_factory=lambda: _Index())
    _dead: set[int] = field(default_factory=set)

    def add(self, batch: Batch) -> None:
        """Fold one batch in, with its pending rows."""
        place = self.places.get(batch["batchId"])
        if place is not None:
            self.repeats += 1
            self._forget(place)
        counter = batch["progress"].get("pendingRecords")
        facts = BatchFacts(
            id=batch["batchId"],
            schema=batch.get("schemaName") or batch.get("schemaDefinitionId") or "",
            created=parse_time(batch.get("createdAt")),
            counter=None if counter is None else int(counter),
            start=len(self.row_key),
        )
        self.places[facts.id] = len(self.facts)
        self.facts.append(facts)
        self._add_rows(batch.get("pendingResources") or (), len(self.facts) - 1)
        facts.end = len(self.row_key)

    def _add_rows(self, rows: Sequence[PendingResource], batch: int) -> None:
        # The hot loop of the product: a few passes over each batch, each a comprehension without a call of ours.
        index = self._index
        if rows:
            first = rows[0]["schemaDefinitionId"]
            index[first].learn([row["resourceExternalId"] for row in rows if row["schemaDefinitionId"] == first])
        self.row_ids += [row["id"] for row in rows]
        self.row_key.extend([index[row["schemaDefinitionId"]][row["resourceExternalId"]] for row in rows])
        self.row_batch.extend([batch] * len(rows))
        lists = [row["missingDependencies"] for row in rows]
        keys = [index[d["schemaDefinitionId"]][d["externalId"]] for d in chain.from_iterable(lists)]
        widths = list(map(len, lists))
        if max(widths, default=0) > 1:
            keys, widths = _drop_repeats(keys, widths)
        self.deps.extend(keys)
        self.dep_start.extend(islice(accumulate(widths, initial=self.dep_start[-1]), 1, None))
        moments = [parse_time(row["expiresAt"]) for row in rows]
        self.expires.extend(moments)
        if any(map(isnan, moments)):
            pairs = zip(rows, moments, strict=True)
            self.unreadable_times |= {row["id"]: row["expiresAt"] for row, moment in pairs if isnan(moment)}
        if rows:
            self._look_at_storing(rows)
        if len(self.schema_names) < len(index):
            self._learn_names(rows)

    def _look_at_storing(self, rows: Sequence[PendingResource]) -> None:
        """When the newest row was stored, and which rows are new. UTC times of one length sort as texts do."""
        texts = [row["createdAt"] for row in rows]
        alike = len(set(map(len, texts))) == 1 and {text[-1:] for text in texts} == {"Z"}
        latest = parse_time(max(texts)) if alike else nan
        if isnan(latest) or latest > self.since:
            stored = {row["id"]: parse_time(row["createdAt"]) for row in rows}
            self.new.update(row_id for row_id, moment in stored.items() if moment > self.since)
            latest = max((moment for moment in stored.values() if not isnan(moment)), default=-inf)
        self.newest = max(self.newest, latest)

    def _learn_names(self, rows: Sequence[PendingResource]) -> None:
        names = self.schema_names
        for row in rows:
            for named in (row, *row["missingDependencies"]):
                name = named.get("schemaName")
                if name:
                    names.setdefault(named["schemaDefinitionId"], name)

    def _forget(self, place: int) -> None:
        facts = self.facts[place]
        self._dead.update(range(facts.start, facts.end))
        self.facts[place] = replace(facts, counter=None)

    @property
    def rows(self) -> int:
        """How many rows have been folded in, without those that a later reading of their batch replaced."""
        return len(self.row_key) - len(self._dead)

    def build(self) -> DependencyGraph:
        """The graph of what was folded in. The builder is used up."""
        if self._dead or len(set(self.row_ids)) < len(self.row_ids):
            self._compact()
        return DependencyGraph(
            row_key=self.row_key,
            row_batch=self.row_batch,
            expires=self.expires,
            deps=self.deps,
            dep_start=self.dep_start,
            index=self._index,
            schema_names=self.schema_names,
            facts=self.facts,
            repeats=self.repeats,
            unreadable_times=self._unreadable(),
            row_ids=self.row_ids,
            newest=self.newest,
            new=len(self.new.intersection(self.row_ids)) if self.new else 0,
        )

    def _unreadable(self) -> dict[str, str]:
        if not self.unreadable_times:
            return {}
        rows = zip(self.row_ids, self.expires, strict=True)
        return {row_id: self.unreadable_times[row_id] for row_id, moment in rows if isnan(moment)}

    def _compact(self) -> None:
        """Drop rows that a later reading replaced, and keys that only these mention."""
        latest = {row_id: row for row, row_id in enumerate(self.row_ids) if row not in self._dead}
        kept = bytearray(len(self.row_ids))
        for row in latest.values():
            kept[row] = 1
        del latest
        widths = array("i", map(sub, self.dep_start[1:], self.dep_start))
        kept_deps = bytearray(chain.from_iterable(map(repeat, kept, widths)))
        dropped = {*compress(self.row_key, map(not_, kept)), *compress(self.deps, map(not_, kept_deps))}
        self.deps = array("i", compress(self.deps, kept_deps))
        self.dep_start = array("i", accumulate(compress(widths, kept), initial=0))
        self.row_key = array("i", compress(self.row_key, kept))
        self.row_batch = array("i", compress(self.row_batch, kept))
        self.expires = array("d", compress(self.expires, kept))
        self.row_ids = list(compress(self.row_ids, kept))
        dropped.difference_update(self.row_key, self.deps)
        for key in dropped:
            del self._index[self._index.schemas[self._index.schema_of[key]]][self._index.external_of[key]]


def _drop_repeats(keys: list[int], widths: list[int]) -> tuple[list[int], list[int]]:
    """Keys row after row, each once a row: what is listed twice is waited for once."""
    rows = [keys[end - width : end] for end, width in zip(accumulate(widths), widths, strict=True)]
    if not any(width > 1 and len(set(row)) < width for row, width in zip(rows, widths, strict=True)):
        return keys, widths
    rows = [list(dict.fromkeys(row)) for row in rows]
    return list(chain.from_iterable(rows)), list(map(len, rows))


class DependencyGraph:
    """The finished graph: columns, and what follows from them by counting.

    `listing_start`/`listing_rows` turn `deps` round: which rows list a key. `is_pending[key]` tells whether a pending
    row bears it. `roots` are the root blockers, in no order.
    """

    def __init__(
        self,
        *,
        row_key: array[int],
        row_batch: array[int],
        expires: array[float],
        deps: array[int],
        dep_start: array[int],
        index: _Index,
        schema_names: dict[str, str],
        facts: list[BatchFacts],
        repeats: int,
        unreadable_times: dict[str, str],
        row_ids: list[str],
        newest: float,
        new: int,
    ) -> None:
        self.row_key = row_key
        self.row_batch = row_batch
        self.expires = expires
        self.deps = deps
        self.dep_start = dep_start
        self.schema_of = index.schema_of
        self.external_of = index.external_of
        self.schemas = index.schemas
        self.schema_names = schema_names
        self.facts = facts
        self.repeats = repeats
        self.unreadable_times = unreadable_times
        self.row_ids = row_ids
        self.newest = newest
        """When the newest row was stored, in Unix seconds; minus infinity when no row says so readably."""
        self.new = new
        """How many rows were stored after the moment that the builder was given."""
        self._index = index
        self._bearers: dict[int, list[int]] | None = None
        self._waiting: dict[bytes, list[int]] = {}
        self.listed = array("i", map(sub, dep_start[1:], dep_start))
        """How many keys each row lists."""
        self.listing_nothing = [row for row, keys in enumerate(self.listed) if not keys] if 0 in self.listed else []
        self.is_pending = bytearray(self.keys)
        for key in row_key:
            self.is_pending[key] = 1
        self.listing_start, self.listing_rows = self._turn_round()
        starts, pending = self.listing_start, self.is_pending
        self.roots = [key for key in range(self.keys) if not pending[key] and starts[key + 1] > starts[key]]
        self.inner = [key for key in range(self.keys) if pending[key] and starts[key + 1] > starts[key]]
        """Keys that are pending and listed: the links of chains and circles."""
        self.is_inner = bytearray(self.keys)
        for key in self.inner:
            self.is_inner[key] = 1
        self.bears_link = bytearray(map(self.is_inner.__getitem__, row_key))
        """Whether a row bears a link: other rows wait for it."""
        self.linked = list(compress(range(self.rows), self.bears_link))
        borne = Counter(row_key[row] for row in self.linked)
        self.borne_twice = frozenset(key for key, rows in borne.items() if rows > 1)
        """Links that two or more rows bear: the same resource waits in two batches."""

    @property
    def rows(self) -> int:
        """How many pending rows there are."""
        return len(self.row_key)

    @property
    def keys(self) -> int:
        """How many keys there are, pending or listed."""
        return len(self.external_of)

    def _turn_round(self) -> tuple[array[int], array[int]]:
        """Which rows list each key, by counting sort: rows of a key stand in order of reading."""
        start = array("i", bytes(4 * (self.keys + 1)))
        for key in self.deps:
            start[key + 1] += 1
        total = 0
        for key in range(self.keys + 1):
            total += start[key]
            start[key] = total
        place = start[:]
        rows = array("i", bytes(4 * len(self.deps)))
        deps, ends = self.deps, self.dep_start
        position = 0
        for row in range(self.rows):
            end = ends[row + 1]
            while position < end:
                key = deps[position]
                rows[place[key]] = row
                place[key] += 1
                position += 1
        return start, rows

    def listing(self, key: int) -> array[int]:
        """Rows that list a key as missing."""
        return self.listing_rows[self.listing_start[key] : self.listing_start[key + 1]]

    def direct(self, key: int) -> int:
        """How many rows list a key."""
        return self.listing_start[key + 1] - self.listing_start[key]

    def missing(self, row: int) -> array[int]:
        """Keys that a row lists."""
        return self.deps[self.dep_start[row] : self.dep_start[row + 1]]

    def key(self, number: int) -> Key:
        """The identity of a key: (schemaDefinitionId, externalId)."""
        return self.schemas[self.schema_of[number]], self.external_of[number]

    def schema(self, number: int) -> str:
        """What people call a key's schema: its name, or its id where no row gave a name."""
        definition = self.schemas[self.schema_of[number]]
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

    def bearers(self, key: int) -> list[int]:
        """Pending rows that bear a key."""
        if not self.is_pending[key]:
            return []
        if self.is_inner[key]:
            if self._bearers is None:
                self._bearers = self._find_bearers()
            return self._bearers[key]
        return [row for row, borne in enumerate(self.row_key) if borne == key]

    def _find_bearers(self) -> dict[int, list[int]]:
        """Rows of every link, in one pass."""
        bearers: dict[int, list[int]] = {}
        for row in self.linked:
            bearers.setdefault(self.row_key[row], []).append(row)
        return bearers

    def waiting(self, sources: Iterable[int]) -> list[int]:
        """Rows that wait for any of some keys, directly or through other pending resources, each once."""
        seen_keys = set(sources)
        listed = b"".join([self.listing(key).tobytes() for key in seen_keys]) if len(seen_keys) == 1 else None
        if listed is not None and listed in self._waiting:
            return self._waiting[listed]
        seen_rows = set[int]()
        queue = list(seen_keys)
        row_key, bears_link = self.row_key, self.bears_link
        while queue:
            rows = self.listing(queue.pop())
            seen_rows.update(rows)
            for row in [row for row in rows if bears_link[row]]:
                above = row_key[row]
                if above not in seen_keys:
                    seen_keys.add(above)
                    queue.append(above)
        found = list(seen_rows)
        if listed is not None and len(listed) < len(found):
            # Keys that the same rows list have the same rows waiting: a resource may miss a thousand at once.
            if len(self._waiting) == REMEMBERED:
                self._waiting.clear()
            self._waiting[listed] = found
        return found

    def batches_of(self, rows: Iterable[int]) -> list[str]:
        """Ids of the batches that hold some rows, sorted."""
        return sorted({self.facts[self.row_batch[row]].id for row in rows})

    def earliest(self, rows: Iterable[int]) -> float:
        """The earliest readable expiry among rows, in Unix seconds; infinity when there is none."""
        if not self.unreadable_times:
            return min(map(self.expires.__getitem__, rows), default=inf)
        return min((self.expires[row] for row in rows if not isnan(self.expires[row])), default=inf)
