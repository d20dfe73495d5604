"""Build a seeded tenant: batches as the Reach API lists them, and the truth planted in them.

    tenant = build_tenant(Size(batches=400, rows=3_000, missing=900), seed=1, now=now)

Locations, customers, products, orders and transactions wait for each other the way such records do: a few missing
records hold up most rows (a Zipf-like law), one row in three waits behind another pending resource, some in cycles.
Two tenants with the same size, seed and time are equal. Nothing here imports `reach_mcp`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import Any, TypeAlias
from uuid import NAMESPACE_DNS, UUID, uuid5

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Schema name and external id."""

INGEST, PATCH, DELETE = "PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_PATCH", "PARTNER_RESOURCE_BATCH_DELETE"

PREFIXES = {
    "locations": "loc",
    "customers": "cust",
    "products": "prod",
    "vendors": "vend",
    "orders": "ord",
    "transactions": "txn",
}
REFERS_TO = {
    "customers": ("locations",),
    "products": ("locations", "vendors"),
    "orders": ("customers", "products", "locations"),
    "transactions": ("orders", "customers"),
}
MISSING_SHARES = {"locations": 0.1, "customers": 0.45, "products": 0.2, "vendors": 0.05, "orders": 0.2}
FIRST_LEVEL = ("customers", "orders", "orders", "transactions", "transactions", "products")
DEPTHS = (
    (0.20, ("customers", "orders", "transactions", "transactions")),
    (0.09, ("orders", "transactions")),
    (0.03, ("transactions",)),
)
"""For depths 2, 3 and 4: the share of the rows that wait so deep, and their schemas."""

CYCLE_SIZES = (6, 4, 3, 2, 1)
CHAIN_LENGTH = 8
WAIT_TIMEOUT = timedelta(hours=24)
MAX_BATCH_ROWS = 1000

INGEST_FAULTS = (
    ("VALIDATION_ERROR", "Field 'email' is not a valid address"),
    ("MISSING_REQUIRED_FIELD", "Required field 'lastName' is missing"),
    ("SCHEMA_MISMATCH", "Unknown property 'postal_code'"),
)
NAMESAKE_FAULT = ("VALIDATION_ERROR", "Amount is above the credit line of the account")
UNAWAITED_FAULT = ("DUPLICATE", "A record with this external id was sent twice in one request")
DELETED_FAULT = ("REFERENCED_RESOURCE", "deleted without cascade: resources that refer to it were left")
PATCH_FAULTS = (
    ("RESOURCE_NOT_FOUND", "No resource with this external id", 41),
    ("VALIDATION_ERROR", "Field 'status' must be one of active, closed", 29),
    ("VERSION_CONFLICT", "Resource was changed after the version that the patch names", 17),
    ("READ_ONLY_FIELD", "Field 'createdBy' can't be patched", 6),
)
BROKEN_BATCHES = (
    "Payload ended before the closing bracket",
    "Schema definition was updated while ingesting",
    "Upload exceeded the size limit",
)


@dataclass(frozen=True)
class Size:
    """How large a tenant is. `holding` is the share of the batches that have pending resources."""

    batches: int = 400
    rows: int = 3_000
    missing: int = 900
    failed: int = 24
    """Missing records that were sent and failed."""
    holding: float = 0.4
    cycles: int = 5
    expired: float = 0.04
    """Share of the rows that have expired."""


@dataclass(frozen=True)
class Failed:
    """One record that a batch names as failed."""

    key: Key
    batch_id: str
    category: str
    message: str


@dataclass(frozen=True)
class Slip:
    """A missing record whose id resembles that of a pending one."""

    missing: Key
    meant: Key


@dataclass(frozen=True)
class PlantedCycle:
    """Records that wait for each other, and the records behind them."""

    members: tuple[Key, ...]
    behind: tuple[Key, ...]


@dataclass(frozen=True)
class ErrorKind:
    """Records of PATCH batches that failed for the same reason."""

    category: str
    message: str
    records: tuple[str, ...]


@dataclass
class Truth:
    """What was planted."""

    failed: dict[Key, Failed] = field(default_factory=dict)
    deleted: dict[Key, str] = field(default_factory=dict)
    """Batch ids of the deletions."""
    slips: list[Slip] = field(default_factory=list)
    expired: list[Key] = field(default_factory=list)
    """Missing records whose own pending resource has expired."""
    in_progress: list[Key] = field(default_factory=list)
    cycles: list[PlantedCycle] = field(default_factory=list)
    chain: list[Key] = field(default_factory=list)
    """Each waits for the next; the last one is missing and nobody else waits for it."""
    patch_errors: list[ErrorKind] = field(default_factory=list)
    failed_batches: dict[str, str] = field(default_factory=dict)
    """Batches that failed as a whole, with their messages."""
    miscounted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Batches whose counter of pending records differs: counter, rows."""
    distractors: list[str] = field(default_factory=list)
    """External ids that failed, and for which nothing waits."""

    def cause(self, key: Key) -> str:
        """The planted cause of a missing record."""
        planted: dict[str, Collection[Key]] = {
            "failed": self.failed,
            "deleted": self.deleted,
            "looks_like": {slip.missing for slip in self.slips},
            "expired": self.expired,
            "in_progress": self.in_progress,
        }
        return next((cause for cause, keys in planted.items() if key in keys), "not_seen")


@dataclass(frozen=True)
class Tenant:
    """Batches in wire form, newest first, and the truth planted in them."""

    batches: list[Json]
    truth: Truth
    now: datetime


@dataclass(frozen=True)
class _Row:
    key: Key
    lists: tuple[Key, ...]
    expired: bool = False


def build_tenant(size: Size = Size(), *, seed: int = 1, now: datetime) -> Tenant:
    """Build the tenant. Most rows expire within the 24 hours after `now`."""
    random, truth = Random(seed), Truth()
    rows = _Rows(random, truth, size).build()
    batches = _Batches(random, truth, size, now).build(rows)
    return Tenant(sorted(batches, key=lambda body: str(body["createdAt"]), reverse=True), truth, now)


class _Draw:
    """Keys of which the first are drawn far more often than the last."""

    def __init__(self, random: Random, keys: Sequence[Key]) -> None:
        self._random, self._keys = random, keys
        self._weights = list(accumulate(1 / rank**1.05 for rank in range(1, len(keys) + 1)))

    def __call__(self) -> Key:
        return self._random.choices(self._keys, cum_weights=self._weights)[0]


class _Rows:
    """Decides which record waits for which."""

    def __init__(self, random: Random, truth: Truth, size: Size) -> None:
        self.random, self.truth, self.size = random, truth, size
        self.roots = {
            schema: [key_of(schema, 101 + number) for number in range(max(8, round(size.missing * share)))]
            for schema, share in MISSING_SHARES.items()
        }
        self.hubs = {schema: _Draw(random, keys) for schema, keys in self.roots.items()}
        self.next = {schema: 101 + len(self.roots.get(schema, ())) + 900 for schema in PREFIXES}

    def build(self) -> list[_Row]:
        """Causes first, then rows: cycles, the chain, expired rows, then depth after depth."""
        rows = [*self._plant_causes(), *self._plant_cycles(), *self._plant_chain()]
        rows += self._expired_rows(round(self.size.rows * self.size.expired))
        deeper = [(int(self.size.rows * share), schemas) for share, schemas in DEPTHS]
        level = self._first_level(self.size.rows - len(rows) - sum(count for count, _ in deeper))
        rows += level
        for count, schemas in deeper:
            level = self._next_level(count, schemas, level)
            rows += level
        return rows

    def _fresh(self, schema: str) -> Key:
        self.next[schema] += 1
        return key_of(schema, self.next[schema])

    def _plant_causes(self) -> Iterator[_Row]:
        """Give causes to missing records, hubs among them, and yield the rows that are the evidence."""
        customers, products = self.roots["customers"], self.roots["products"]
        slips = list(self._plant_slips())
        failing = [customers[0], products[1], *self.random.sample(customers[8:], self.size.failed - 2)]
        self.truth.failed = {key: Failed(key, "", *self.random.choice(INGEST_FAULTS)) for key in failing}
        self.truth.deleted = dict.fromkeys([self.roots["locations"][1], *products[4:7]], "")
        self.truth.in_progress = list(self.roots["vendors"])
        for key in self.roots["orders"][1:5]:
            self.truth.expired.append(key)
            yield _Row(key, (customers[1],), expired=True)
        yield from slips

    def _plant_slips(self) -> Iterator[_Row]:
        """Rows that have the right id of a record that others list with a wrong one."""
        customers, locations = self.roots["customers"], self.roots["locations"]
        meant = [("customers", "cust_ACME-West"), ("customers", "cust_70417"), ("locations", "loc_0000812")]
        wrong = [("customers", "cust_acme-west"), ("customers", "70417"), ("locations", "loc_812")]
        for key, slip, keys in zip(meant, wrong, (customers, customers, locations), strict=True):
            keys[2 if slip[1] == "70417" else 7] = slip
            self.truth.slips.append(Slip(slip, key))
            yield _Row(key, (locations[3],) if key[0] == "customers" else (self.roots["vendors"][0],))

    def _plant_cycles(self) -> Iterator[_Row]:
        for number in range(self.size.cycles):
            length = CYCLE_SIZES[number % len(CYCLE_SIZES)]
            members = [self._fresh("orders") for _ in range(length)]
            behind = [self._fresh("transactions") for _ in range(self.random.randint(2, 9))]
            self.truth.cycles.append(PlantedCycle(tuple(members), tuple(behind)))
            for position, key in enumerate(members):
                yield _Row(key, (members[(position + 1) % length],))
            for key in behind:
                yield _Row(key, (self.random.choice(members),))

    def _plant_chain(self) -> Iterator[_Row]:
        """One chain down to a record of its own."""
        root = ("locations", "loc_990001")
        keys = [*(self._fresh("transactions" if step == 0 else "orders") for step in range(CHAIN_LENGTH)), root]
        self.truth.chain = keys
        for key, following in pairwise(keys):
            yield _Row(key, (following,))

    def _expired_rows(self, count: int) -> Iterator[_Row]:
        for _ in range(count):
            yield _Row(self._fresh("transactions"), self._some_roots("transactions", 1), expired=True)

    def _first_level(self, count: int) -> list[_Row]:
        """Rows that list missing records alone. Every missing record is listed at least once."""
        unlisted = [key for keys in self.roots.values() for key in keys]
        self.random.shuffle(unlisted)
        referring = {root: [name for name, refers in REFERS_TO.items() if root in refers] for root in self.roots}
        rows = []
        for _ in range(count):
            if unlisted:
                first = unlisted.pop()
                schema = self.random.choice(referring[first[0]])
                others = list(self._some_roots(schema, self.random.random() < 0.3))
            else:
                schema = self.random.choice(FIRST_LEVEL)
                first, *others = self._some_roots(schema, self.random.choices((1, 2, 3), (70, 22, 8))[0])
            rows.append(_Row(self._fresh(schema), tuple(dict.fromkeys([first, *others]))))
        return rows

    def _next_level(self, count: int, schemas: Sequence[str], level: Sequence[_Row]) -> list[_Row]:
        """Rows that list a row of the level before, and now and then a missing record."""
        parents = {
            schema: _Draw(self.random, keys)
            for schema in schemas
            if (keys := [row.key for row in level if row.key[0] in REFERS_TO[schema]])
        }
        rows = []
        for schema in self.random.choices(schemas, k=count):
            lists = [parents[schema]()] if schema in parents else list(self._some_roots(schema, 1))
            lists += self._some_roots(schema, self.random.random() < 0.3)
            rows.append(_Row(self._fresh(schema), tuple(dict.fromkeys(lists))))
        return rows

    def _some_roots(self, schema: str, count: int) -> tuple[Key, ...]:
        return tuple(dict.fromkeys(self.hubs[self.random.choice(REFERS_TO[schema])]() for _ in range(count)))


class _Batches:
    """Decides which batch holds which row, and writes the batches."""

    def __init__(self, random: Random, truth: Truth, size: Size, now: datetime) -> None:
        self.random, self.truth, self.size, self.now = random, truth, size, now

    def build(self, rows: Sequence[_Row]) -> list[Json]:
        bodies = [*self._holding(rows), *self._failures(), *self._deletions(), *self._patches(), *self._running()]
        bodies += [self._history() for _ in range(self.size.batches - len(bodies))]
        for body in bodies:
            _write_progress(self.random, body)
        self._miscount(bodies)
        return bodies

    def _holding(self, rows: Sequence[_Row]) -> Iterator[Json]:
        """Batches of one schema each, of uneven sizes; expired rows are in batches of their own."""
        groups: dict[tuple[str, bool], list[_Row]] = {}
        for row in rows:
            groups.setdefault((row.key[0], row.expired), []).append(row)
        wanted = self.size.batches * self.size.holding
        for (schema, expired), group in groups.items():
            self.random.shuffle(group)
            start = 0
            for count in self._sizes(len(group), max(1, round(wanted * len(group) / len(rows)))):
                hours = self.random.uniform(24.2, 30) if expired else self.random.uniform(0.1, 23.8)
                yield self._holding_batch(schema, hours, group[start : start + count])
                start += count

    def _sizes(self, rows: int, batches: int) -> list[int]:
        """At least one row each, all rows together, never more than one upload may hold."""
        batches = min(rows, max(batches, -(-rows // (MAX_BATCH_ROWS // 2))))
        weights = [self.random.lognormvariate(0, 1) for _ in range(batches)]
        total = sum(weights)
        sizes = [min(MAX_BATCH_ROWS, 1 + int((rows - batches) * weight / total)) for weight in weights]
        while (left := rows - sum(sizes)) > 0:
            smallest = min(range(batches), key=sizes.__getitem__)
            sizes[smallest] += min(left, MAX_BATCH_ROWS - sizes[smallest], -(-left // 4))
        return sizes

    def _holding_batch(self, schema: str, hours: float, rows: Sequence[_Row]) -> Json:
        body = self._body(schema, hours)
        created = self.now - timedelta(hours=hours)
        body["pendingResources"] = [
            self._row(row, created + timedelta(milliseconds=50 * number)) for number, row in enumerate(rows, 1)
        ]
        return body

    def _row(self, row: _Row, created: datetime) -> Json:
        return {
            "id": f"pr_{self.random.getrandbits(80):020x}",
            "resourceExternalId": row.key[1],
            **_schema(row.key[0]),
            "missingDependencies": [{**_schema(schema), "externalId": name} for schema, name in row.lists],
            "expiresAt": _time(created + WAIT_TIMEOUT),
            "createdAt": _time(created),
        }

    def _failures(self) -> Iterator[Json]:
        """Ingest batches that name the failed records, neighbours of them, and namesakes in another schema."""
        by_schema: dict[str, list[Failed]] = {}
        for one in self.truth.failed.values():
            by_schema.setdefault(one.key[0], []).append(one)
        for schema, failures in by_schema.items():
            for start in range(0, len(failures), 5):
                body = self._body(schema, self.random.uniform(30, 60))
                for one in failures[start : start + 5]:
                    _fail(body, one.key[1], one.category, one.message)
                    self.truth.failed[one.key] = Failed(one.key, body["batchId"], one.category, one.message)
                for number in range(3):
                    _fail(body, self._distractor(schema, start + number), *UNAWAITED_FAULT)
                yield body
        namesakes = self._body("invoices", 3)
        for schema, external_id in list(self.truth.failed)[:6]:
            _fail(namesakes, external_id if schema == "customers" else "inv_1", *NAMESAKE_FAULT)
        yield namesakes

    def _distractor(self, schema: str, number: int) -> str:
        external_id = key_of(schema, 500_001 + number)[1]
        self.truth.distractors.append(external_id)
        return external_id

    def _deletions(self) -> Iterator[Json]:
        for key in self.truth.deleted:
            body = self._body(key[0], self.random.uniform(5, 20), type=DELETE)
            _fail(body, key[1], *DELETED_FAULT)
            self.truth.deleted[key] = body["batchId"]
            yield body

    def _patches(self) -> Iterator[Json]:
        """Six PATCH batches with the same kinds of errors in uneven numbers."""
        bodies = [self._body("customers", self.random.uniform(2, 200), type=PATCH) for _ in range(6)]
        for number, (category, message, count) in enumerate(PATCH_FAULTS):
            records = [key_of("customers", 600_000 + 1000 * number + record)[1] for record in range(count)]
            self.truth.patch_errors.append(ErrorKind(category, message, tuple(records)))
            for record in records:
                _fail(self.random.choice(bodies), record, category, message)
        yield from bodies

    def _running(self) -> Iterator[Json]:
        for schema, hours in (("vendors", 0.4), ("transactions", 0.2), ("invoices", 0.1)):
            yield self._body(schema, hours, status="processing")

    def _history(self) -> Json:
        """A batch of the last 30 days of which nothing waits."""
        status = self.random.choices(("success", "partial_success", "failure"), (74, 18, 8))[0]
        schema = self.random.choice(list(PREFIXES))
        body = self._body(schema, self.random.uniform(0.5, 720), type=self.random.choices((INGEST, PATCH), (85, 15))[0])
        if status == "failure":
            body |= {"status": status, "errors": {"message": self.random.choice(BROKEN_BATCHES)}}
            self.truth.failed_batches[body["batchId"]] = body["errors"]["message"]
        elif status == "partial_success" and body["batchType"] == INGEST:
            for _ in range(self.random.randint(1, 6)):
                _fail(body, self._distractor(schema, 1000 + len(self.truth.distractors)), *UNAWAITED_FAULT)
        return body

    def _miscount(self, bodies: Sequence[Json]) -> None:
        """Two batches whose counter of pending records is too high."""
        for body in self.random.sample([one for one in bodies if one["pendingResources"]], 2):
            rows = len(body["pendingResources"])
            body["progress"]["pendingRecords"] = rows + 7
            self.truth.miscounted[body["batchId"]] = (rows + 7, rows)

    def _body(self, schema: str, hours: float, *, type: str = INGEST, status: str = "") -> Json:
        created = self.now - timedelta(hours=hours)
        took = timedelta(seconds=self.random.uniform(2, 90))
        done = {} if status == "processing" else {"completedAt": _time(created + took)}
        return {
            "batchId": str(UUID(int=self.random.getrandbits(128), version=4)),
            "status": status,
            "batchType": type,
            "progress": {},
            "createdAt": _time(created),
            "startedAt": _time(created + timedelta(seconds=1)),
            **done,
            **_schema(schema),
            "pendingResources": [],
        }


def key_of(schema: str, number: int) -> Key:
    return schema, f"{PREFIXES.get(schema, schema[:3])}_{number:06}"


def schema_id(schema: str) -> str:
    """The definition id of a schema: a UUID that follows from its name."""
    return str(uuid5(NAMESPACE_DNS, schema))


_SCHEMAS = {name: {"schemaDefinitionId": schema_id(name), "schemaName": name} for name in [*PREFIXES, "invoices"]}


def _schema(name: str) -> Json:
    return _SCHEMAS[name]


def _fail(body: Json, external_id: str, category: str, message: str) -> None:
    details = body.setdefault("errors", {"details": {}})["details"]
    details[external_id] = {"errors": [message], "categories": [category]}


def _write_progress(random: Random, body: Json) -> None:
    """Counters, error summary and status that agree with the batch's content."""
    details = body.get("errors", {}).get("details", {})
    if details:
        body["errors"]["summary"] = dict(Counter(one for each in details.values() for one in each["categories"]))
    pending, total = len(body["pendingResources"]), random.randint(100, 1000)
    total += pending + len(details)
    failed = total if body["status"] == "failure" else len(details)
    processed = total // 2 if body["status"] == "processing" else total
    body["status"] = body["status"] or ("partial_success" if failed or pending else "success")
    successful = processed - pending - failed
    body["progress"] = {
        "totalRecords": total,
        "processedRecords": processed,
        "successfulRecords": successful,
        "pendingRecords": pending,
        "failedRecords": failed,
        "successRate": round(100 * successful / total, 2),
    }


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
