"""A big tenant, the same for the same seed: batches as the Reach API writes them, newest first.

Locations, customers, products, orders and transactions wait for one another as such records do: a few hubs hold up
most of them (a Zipf-like law), one in three waits behind another pending resource, up to four deep, some in circles.
Some of what is missing stands as failed in other batches; some differs a little from an id that is there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count, islice
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""A schema's name and an external id."""

PREFIXES = {"locations": "loc", "customers": "cust", "products": "prod", "orders": "ord", "transactions": "txn"}
SHARES = {"locations": 3, "customers": 12, "products": 10, "orders": 25, "transactions": 50}
REFERS_TO = {
    "locations": ("locations",),
    "customers": ("customers", "locations"),
    "products": ("locations",),
    "orders": ("customers", "products", "locations"),
    "transactions": ("orders", "customers", "locations"),
}
ROOT_SCHEMAS = ("locations", "customers", "products", "orders")
LEVELS = (
    (0.20, ("customers", "orders", "transactions", "transactions")),
    (0.09, ("orders", "transactions")),
    (0.03, ("transactions",)),
)
"""For depths 2, 3 and 4: what part of the rows waits that deep, and of which schemas such rows are."""

INGEST, PATCH, DELETE = "PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_PATCH", "PARTNER_RESOURCE_BATCH_DELETE"
LARGEST_UPLOAD = 1000
WAIT = timedelta(hours=24)
ERRORS = (
    ("VALIDATION_ERROR", "Field 'email' must be a valid e-mail address"),
    ("VALIDATION_ERROR", "Field 'currency' must be one of USD, CAD, EUR"),
    ("SCHEMA_MISMATCH", "Unknown property 'postal_code'"),
    ("DUPLICATE", "A record with this external id was sent twice in one request"),
)


def build_tenant(batches: int, rows: int, *, seed: int = 1, now: datetime) -> list[Json]:
    """So many batches that hold so many pending resources between them; at least a tenth of the batches hold none.

    The batches were made over the day before `now`, so what waits in them expires over the day after; one batch in a
    hundred is older and has expired. Every batch bears `pendingResources`, as an answer with full details does.
    """
    random = Random(seed)
    graph = _Graph(random, rows)
    bodies = _Shelf(random, now).fill(batches, graph.grow(rows))
    _fail_parents(random, bodies, graph.roots)
    for body in bodies:
        _add_up(random, body)
    return sorted(bodies, key=lambda body: (body["createdAt"], body["batchId"]), reverse=True)


@dataclass(slots=True)
class _Waiting:
    """A resource that waits, before it stands in a batch."""

    key: Key
    lists: list[Key]


class _Hubs:
    """Keys of which the first are drawn far more often than the last."""

    def __init__(self, random: Random, keys: Sequence[Key]) -> None:
        self.random = random
        self.keys = keys
        self.weights = list(accumulate(1 / rank**1.05 for rank in range(1, len(keys) + 1)))

    def draw(self) -> Key:
        return self.random.choices(self.keys, cum_weights=self.weights)[0]


class _Graph:
    """Who waits for whom."""

    def __init__(self, random: Random, rows: int) -> None:
        self.random = random
        each = max(3, rows // 40)
        self.roots = {
            schema: _Hubs(random, [_key(schema, number) for number in range(each)]) for schema in ROOT_SCHEMAS
        }
        self.numbers = defaultdict[str, "count[int]"](lambda: count(each))  # so no root is itself pending
        self.alike: set[Key] = set()

    def grow(self, rows: int) -> list[_Waiting]:
        """So many resources: some in circles, some in levels that wait for the level before, the rest for roots."""
        found = list(islice(self._circles(), rows // 100))
        deeper = [(int(rows * share), schemas) for share, schemas in LEVELS]
        level = self._first_level(rows - len(found) - sum(size for size, _ in deeper))
        found += level
        for size, schemas in deeper:
            level = self._next_level(size, schemas, level)
            found += level
        return found

    def _fresh(self, schema: str) -> Key:
        return _key(schema, next(self.numbers[schema]))

    def _circles(self) -> Iterable[_Waiting]:
        """Two to five customers who wait for one another, or one for itself, and orders that wait behind them."""
        while True:
            members = [self._fresh("customers") for _ in range(self.random.randint(1, 5))]
            for place, key in enumerate(members):
                yield _Waiting(key, [members[place - 1]])
            for _ in range(self.random.randint(0, 6)):
                yield _Waiting(self._fresh("orders"), [self.random.choice(members)])

    def _first_level(self, size: int) -> list[_Waiting]:
        """Resources that list roots alone; a few of them wait twice, and a few are named nearly as a root is."""
        found: list[_Waiting] = []
        for schema in self.random.choices(list(SHARES), weights=list(SHARES.values()), k=size):
            chance = self.random.random()
            if chance < 0.005 and found:
                key = self.random.choice(found).key
            elif chance < 0.02 and schema in self.roots:
                key = self._near_miss(schema)
            else:
                key = self._fresh(schema)
            found.append(_Waiting(key, self._some_roots(key[0], self.random.choices((1, 2, 3), (70, 22, 8))[0])))
        return found

    def _next_level(self, size: int, schemas: Sequence[str], level: list[_Waiting]) -> list[_Waiting]:
        """Resources that list one of the level before, and now and then a root beside it."""
        hubs = {
            schema: _Hubs(self.random, keys)
            for schema in schemas
            if (keys := [waiting.key for waiting in level if waiting.key[0] in REFERS_TO[schema]])
        }
        found = []
        for schema in self.random.choices(schemas, k=size):
            lists = [hubs[schema].draw()] if schema in hubs else self._some_roots(schema, 1)
            lists += self._some_roots(schema, self.random.random() < 0.3)
            found.append(_Waiting(self._fresh(schema), lists))
        return found

    def _some_roots(self, schema: str, how_many: int) -> list[Key]:
        return list(dict.fromkeys(self.roots[self.random.choice(REFERS_TO[schema])].draw() for _ in range(how_many)))

    def _near_miss(self, schema: str) -> Key:
        """A key that a person would take for a root's: one of each root at most."""
        root = self.roots[schema].draw()
        if root in self.alike:
            return self._fresh(schema)
        self.alike.add(root)
        prefix, _, digits = root[1].partition("_")
        ways = (digits, f"{prefix}_{int(digits)}", root[1].upper(), f" {root[1]}", f"{root[1][:-1]}O")
        return schema, self.random.choice(ways)


class _Shelf:
    """Which batch holds what, and when it was made."""

    def __init__(self, random: Random, now: datetime) -> None:
        self.random = random
        self.now = now

    def fill(self, batches: int, waiting: Sequence[_Waiting]) -> list[Json]:
        """Batches of one schema each, with sizes as uneven as those of uploads are."""
        holding = self._holding(batches - batches // 10, waiting)
        empty = [self._empty() for _ in range(batches - len(holding))]
        return holding + empty

    def _holding(self, batches: int, waiting: Sequence[_Waiting]) -> list[Json]:
        by_schema: dict[str, list[_Waiting]] = {schema: [] for schema in PREFIXES}
        for resource in waiting:
            by_schema[resource.key[0]].append(resource)
        found = []
        for schema, resources in by_schema.items():
            self.random.shuffle(resources)
            start = 0
            for size in self._sizes(len(resources), batches * len(resources) // max(1, len(waiting))):
                found.append(self._batch(schema, resources[start : start + size]))
                start += size
        return found

    def _sizes(self, rows: int, batches: int) -> list[int]:
        """At least one row each, at most as many as an upload may bear, all rows together."""
        batches = min(rows, max(batches, -(-rows // LARGEST_UPLOAD)))
        weights = [self.random.lognormvariate(0, 1) for _ in range(batches)]
        total = sum(weights)
        sizes = [min(LARGEST_UPLOAD, 1 + int((rows - batches) * weight / total)) for weight in weights]
        left = rows - sum(sizes)
        while left:
            place = self.random.randrange(batches)
            if sizes[place] < LARGEST_UPLOAD:
                sizes[place] += 1
                left -= 1
        return sizes

    def _batch(self, schema: str, resources: Sequence[_Waiting]) -> Json:
        hours = self.random.uniform(24.1, 30) if self.random.random() < 0.01 else self.random.uniform(0.05, 23.9)
        created = self.now - timedelta(hours=hours)
        body = self._body(
            schema,
            created,
            status=self.random.choices(("partial_success", "success", "processing"), (75, 20, 5))[0],
            type=self.random.choices((INGEST, PATCH), (92, 8))[0],
        )
        seconds = 0.0
        for resource in resources:
            seconds += self.random.uniform(0.01, 0.1)
            body["pendingResources"].append(self._row(resource, created + timedelta(seconds=seconds)))
        return body

    def _empty(self) -> Json:
        created = self.now - timedelta(hours=self.random.uniform(0.05, 30))
        status = self.random.choices(("success", "partial_success", "failure", "processing"), (60, 25, 10, 5))[0]
        body = self._body(
            self.random.choice(list(PREFIXES)),
            created,
            status=status,
            type=self.random.choices((INGEST, PATCH, DELETE), (60, 15, 25))[0],
        )
        if status == "failure":
            body["errors"] = {"summary": {}, "details": {}, "message": "Schema definition was updated while ingesting"}
        return body

    def _body(self, schema: str, created: datetime, *, status: str, type: str) -> Json:
        took = timedelta(seconds=self.random.uniform(2, 90))
        done = {} if status == "processing" else {"completedAt": _time(created + took)}
        return {
            "batchId": str(UUID(int=self.random.getrandbits(128), version=4)),
            "status": status,
            "batchType": type,
            "progress": {},
            "createdAt": _time(created),
            "startedAt": _time(created + timedelta(seconds=0.2)),
            **done,
            "schemaName": schema,
            "schemaDefinitionId": f"sd_{schema}",
            "pendingResources": [],
        }

    def _row(self, resource: _Waiting, created: datetime) -> Json:
        schema, external_id = resource.key
        return {
            "id": f"pr_{self.random.getrandbits(80):020x}",
            "resourceExternalId": external_id,
            "schemaDefinitionId": f"sd_{schema}",
            "schemaName": schema,
            "missingDependencies": [
                {"schemaDefinitionId": f"sd_{schema}", "schemaName": schema, "externalId": external_id}
                for schema, external_id in resource.lists
            ],
            "expiresAt": _time(created + WAIT),
            "createdAt": _time(created),
        }


def _fail_parents(random: Random, bodies: Sequence[Json], roots: dict[str, _Hubs]) -> None:
    """Let one root in four stand as failed in a batch of its schema, and let other records fail that nobody awaits."""
    by_schema: dict[str, list[Json]] = {schema: [] for schema in PREFIXES}
    for body in bodies:
        if body["batchType"] == INGEST:
            by_schema[body["schemaName"]].append(body)
    for schema, hubs in roots.items():
        for _, external_id in hubs.keys:
            if by_schema[schema] and random.random() < 0.25:
                _fail(random, random.choice(by_schema[schema]), external_id)
    for body in bodies:
        if random.random() < 0.3:
            for _ in range(random.randint(1, 5)):
                _fail(random, body, f"{PREFIXES[body['schemaName']]}_x{random.randrange(10**6):06}")


def _fail(random: Random, body: Json, external_id: str) -> None:
    category, error = random.choice(ERRORS)
    errors = body.setdefault("errors", {"summary": {}, "details": {}})
    errors["details"][external_id] = {"errors": [error], "categories": [category]}
    errors["summary"] = dict(Counter(one for each in errors["details"].values() for one in each["categories"]))


def _add_up(random: Random, body: Json) -> None:
    """Counters that add up; in one batch of two hundred the one of pending records is some too high."""
    pending = len(body["pendingResources"])
    failed = len(body.get("errors", {}).get("details", ()))
    successful = 0 if body["status"] == "failure" else random.randint(1, LARGEST_UPLOAD)
    total = successful + pending + failed
    body["progress"] = {
        "totalRecords": total,
        "processedRecords": total,
        "successfulRecords": successful,
        "pendingRecords": pending + (random.randint(1, 3) if pending and random.random() < 0.005 else 0),
        "failedRecords": failed,
        "successRate": round(100 * successful / total, 2) if total else 0,
    }


def _key(schema: str, number: int) -> Key:
    return schema, f"{PREFIXES[schema]}_{number:07}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
