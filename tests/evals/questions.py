"""The acceptance questions, each with the facts that its answer states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate

from benchmarks.tenant import INGEST, PATCH, Json, Key
from tests.builders import NOW
from tests.evals.grade import ACTIONS, Fact, Question, fact
from tests.evals.tenants import SEEDS, SMALL, Planted, changed, planted
from tests.oracle import Key as IdKey

LIST, GET, EXPLAIN = "list_batches", "get_batch", "explain_pending_dependencies"
CAUSES = {cause: cause.replace("_", " ") for cause in ACTIONS}
SINCE = NOW - timedelta(days=14)


def batches_of(tenant: str) -> list[Json]:
    """The batches of a tenant by its name: `planted 1`, `planted 1 later` or a small one's."""
    if tenant in SMALL:
        return SMALL[tenant]()
    _, seed, *later = tenant.split()
    return changed(int(seed)) if later else planted(int(seed)).tenant.batches


def planted_questions(seed: int) -> tuple[Question, ...]:
    one = planted(seed)
    return (*_about_batches(one), *_about_missing_records(one), *_about_rows(one))


# --- batches -------------------------------------------------------------------------------------------------------


def _about_batches(one: Planted) -> Iterator[Question]:
    bodies, truth = one.tenant.batches, one.tenant.truth
    states = Counter(body["status"] for body in bodies)
    counted = tuple(fact(state, count, near=30) for state, count in states.items())
    yield Question("batches by state", LIST, {"scope": "all"}, (fact(len(bodies), ("batches", "batch")), *counted))

    recent = [body for body in bodies if body["status"] == "failure" and body["createdAt"] > _iso(SINCE)]
    older = [body for body in bodies if body["status"] == "failure" and body["createdAt"] <= _iso(SINCE)]
    yield Question(
        "failed since a date, and why",
        LIST,
        {"status": "failure", "created_after": _iso(SINCE)},
        tuple(fact(body["batchId"], truth.failed_batches[body["batchId"]]) for body in recent),
        never=tuple(fact(body["batchId"]) for body in older),
    )
    running = [body for body in bodies if body["status"] == "processing"]
    yield Question(
        "running, and since when",
        LIST,
        {"status": "processing"},
        tuple(fact(body["batchId"], body["startedAt"][11:16]) for body in running),
    )
    latest = next(body for body in bodies if body["batchType"] == INGEST)
    yield Question(
        "the latest ingest",
        LIST,
        {"batch_type": INGEST, "limit": 1},
        (fact(latest["batchId"], latest["status"], latest["progress"]["totalRecords"]),),
    )
    yield from _about_one_batch(bodies)
    holders = sorted(bodies, key=lambda body: -int(body["progress"]["pendingRecords"]))[:5]
    yield Question(
        "the five holders of most pending",
        LIST,
        {"scope": "all"},
        tuple(fact(body["batchId"], body["progress"]["pendingRecords"]) for body in holders),
    )
    yield Question(
        "commonest errors of PATCH batches",
        LIST,
        {"batch_type": PATCH, "scope": "all"},
        tuple(
            fact(kind.category, kind.message, len(kind.records), tuple(kind.records)) for kind in truth.patch_errors[:3]
        ),
    )


def _about_one_batch(bodies: list[Json]) -> Iterator[Question]:
    body = next(
        body
        for body in bodies
        if len((body.get("errors") or {}).get("details", {})) > 4 and body["batchType"] == INGEST
    )
    progress = body["progress"]
    groups: dict[tuple[str, str], list[str]] = {}
    for record, said in body["errors"]["details"].items():
        groups.setdefault((said["categories"][0], said["errors"][0]), []).append(record)
    yield Question(
        "one batch's state",
        GET,
        {"batch_id": body["batchId"]},
        (
            fact(body["batchId"], body["schemaName"]),
            fact("status", body["status"]),
            fact(progress["totalRecords"], ("records", "total records", "total")),
            *(fact(category, error, len(names), tuple(names)) for (category, error), names in groups.items()),
        ),
    )


# --- missing records -----------------------------------------------------------------------------------------------


def _about_missing_records(one: Planted) -> Iterator[Question]:
    oracle, truth = one.oracle, one.tenant.truth
    counts = (
        fact(len(oracle.live), ("pending", "wait")),
        fact(len(oracle.roots), "missing"),
        fact(len(oracle.expired), ("expired", "have expired")),
        fact(len(oracle.cycles), ("cycles", "cycle", "circular")),
    )
    untouched = _unplanted(one)
    yield Question(
        "ten missing records that block most",
        EXPLAIN,
        {},
        (*counts, *(_blocker(one, key, waiting) for key, waiting, _ in one.ranked[:10])),
        never=untouched,
    )
    failed = [(key, waiting) for key, waiting, _ in one.ranked if one.cause(key) == "failed"]
    others = [fact(one.name(key), ACTIONS["failed"]) for key, _, _ in one.ranked[:40] if one.cause(key) != "failed"]
    for limit, more in ((10, {}), (50, {"view": "blockers", "limit": 50})):
        yield Question(
            f"sent but failed, {'all' if more else 'default'}",
            EXPLAIN,
            {"cause": "failed", **more},
            (fact(len(failed), "failed"), *(_failure(one, key, waiting) for key, waiting in failed[:limit])),
            never=(*untouched, *others),
        )
    yield Question(
        "ids that look like slips",
        EXPLAIN,
        {"cause": "looks_like"},
        tuple(fact(":".join(slip.missing), slip.meant[1], ACTIONS["looks_like"]) for slip in truth.slips),
        never=untouched,
    )
    yield Question(
        "every cycle with all members",
        EXPLAIN,
        {"view": "cycles"},
        tuple(fact(*map(":".join, cycle.members), len(cycle.behind)) for cycle in truth.cycles),
    )
    yield from _about_plan(one)
    yield from _about_focus(one)


def _unplanted(one: Planted) -> tuple[Fact, ...]:
    """Nothing waits for records that failed elsewhere, and their messages explain nothing."""
    distractors = [fact(external_id) for external_id in one.tenant.truth.distractors]
    return (*distractors, fact("Amount is above the credit line"), fact("was never sent"))


def _blocker(one: Planted, key: IdKey, waiting: int) -> Fact:
    cause = one.cause(key)
    return fact(one.name(key), waiting, CAUSES[cause], ACTIONS[cause])


def _failure(one: Planted, key: IdKey, waiting: int) -> Fact:
    planted_failure = one.tenant.truth.failed[one.key(key)]
    return fact(one.name(key), waiting, planted_failure.batch_id, planted_failure.message)


def _about_plan(one: Planted) -> Iterator[Question]:
    keys, gains = zip(*one.plan(12), strict=True)
    steps = list(zip(keys, gains, accumulate(gains), strict=True))
    first_five = [fact(one.name(key), gain, total) for key, gain, total in steps[:5]]
    together = fact("5 records", steps[4][2])
    yield Question("five records that free most, and how many together", EXPLAIN, {}, (*first_five, together))
    yield Question(
        "the plan, with causes and actions",
        EXPLAIN,
        {"view": "plan"},
        tuple(fact(one.name(key), gain, total, ACTIONS[one.cause(key)]) for key, gain, total in steps[:10]),
    )

    urgent = min(one.oracle.roots, key=one.oracle.earliest_expiry)
    lost = datetime.fromtimestamp(one.oracle.earliest_expiry(urgent), UTC)
    yield Question(
        "the plan by urgency",
        EXPLAIN,
        {"view": "plan", "order": "expiry"},
        (fact(one.name(urgent), f"{lost:%H:%M}", ACTIONS[one.cause(urgent)]),),
    )


def _about_focus(one: Planted) -> Iterator[Question]:
    truth, oracle = one.tenant.truth, one.oracle
    chain = [":".join(key) for key in truth.chain]
    deadline = datetime.fromtimestamp(oracle.earliest_expiry(_id_key(one, truth.chain[-1])), UTC)
    yield Question(
        "why does this record wait",
        EXPLAIN,
        {"focus": chain[0]},
        (fact(*chain), fact(chain[-1], CAUSES["not_seen"], ACTIONS["not_seen"])),
    )
    yield Question(
        "what waits for this record, and until when",
        EXPLAIN,
        {"focus": chain[-1]},
        (
            fact(chain[-1], ("missing", "is missing")),
            fact(len(chain) - 1, ("wait", "waiting", "waits", "waits for it")),
            fact(f"{deadline:%H:%M}"),
        ),
    )
    batch_id, needed = _oldest_batch(one)
    yield Question(
        "what to send for the oldest batch",
        EXPLAIN,
        {"focus": batch_id},
        (
            fact(batch_id),
            *(fact(one.name(key), waiting, ACTIONS[one.cause(key)]) for key, waiting in needed[:8]),
        ),
    )


def _oldest_batch(one: Planted) -> tuple[str, list[tuple[IdKey, int]]]:
    """The oldest batch with live rows, and the missing records below it with the rows of it that wait for each."""
    oracle = one.oracle
    holding = {row.batch_id for row in oracle.live}
    batch_id = next(body["batchId"] for body in reversed(one.tenant.batches) if body["batchId"] in holding)
    rows = {number for number, row in enumerate(oracle.live) if row.batch_id == batch_id}
    needed = [(key, len(waiting & rows)) for key, waiting in one.waiting.items()]
    return batch_id, sorted([(key, count) for key, count in needed if count], key=lambda pair: -pair[1])


def _id_key(one: Planted, key: Key) -> IdKey:
    return next(root for root in one.oracle.roots if one.key(root) == key)


# --- rows ----------------------------------------------------------------------------------------------------------


def _about_rows(one: Planted) -> Iterator[Question]:
    oracle, truth = one.oracle, one.tenant.truth
    hours = oracle.expiring_by_hour()
    expired = fact(len(oracle.expired), "expired")
    yield Question(
        "what expires in a day, by hour, held by what",
        EXPLAIN,
        {"view": "expiry"},
        (expired, *(_hour(one, start, count) for start, count in sorted(hours.items()))),
    )
    batches = Counter(row.batch_id for row in oracle.expired).most_common(3)
    live = [row.key for row in oracle.live if one.key(row.key)[0] == "transactions"][:20]
    yield Question(
        "which records to resend",
        EXPLAIN,
        {"view": "expired"},
        (expired, *(fact(batch_id, count) for batch_id, count in batches)),
        never=tuple(fact(one.name(key)) for key in live),
    )
    yield Question(
        "counters that disagree",
        EXPLAIN,
        {"view": "counters"},
        tuple(fact(batch_id, counter, rows) for batch_id, (counter, rows) in truth.miscounted.items()),
    )
    arrived, cleared = one.ranked[0][0], len(oracle.cleared_by([one.ranked[0][0]]))
    yield Question(
        "what if a record arrives",
        EXPLAIN,
        {"assume_arrived": [one.name(arrived)]},
        (fact(one.name(arrived)), fact(cleared, ("clear", "cleared", "clears"))),
    )
    yield Question(
        "later",
        EXPLAIN,
        {},
        (
            fact(len(oracle.live), len(oracle.live) - cleared),
            fact(cleared, ("gone", "cleared", "fewer")),
            fact(one.name(arrived)),
        ),
    )


def _hour(one: Planted, start: int, count: int) -> Fact:
    """The rows of one hour and one of its largest holders."""
    oracle = one.oracle
    rows = {number for number, row in enumerate(oracle.live) if start <= row.expires < start + 3600}
    held = {key: len(waiting & rows) for key, waiting in one.waiting.items()}
    most = max(held.values())
    largest = tuple(one.name(key) for key, waiting in held.items() if waiting == most)
    return fact(f"{datetime.fromtimestamp(start, UTC):%H:%M}", count, largest)


# --- small tenants -------------------------------------------------------------------------------------------------


def _small() -> dict[str, tuple[Question, ...]]:
    send, resend = ACTIONS["not_seen"], ACTIONS["failed"]
    failed_twice = fact("customers:cust_77", 5, "failed", resend, "bat_new", "email is not a valid address")
    return {
        "failed_twice": (
            Question("why is it missing", EXPLAIN, {}, (failed_twice,), never=(fact("address is required"),)),
            Question(
                "why is it missing, by record",
                EXPLAIN,
                {"focus": "customers:cust_77"},
                (fact("customers:cust_77", "missing"), fact("failed", "bat_new", "email is not a valid address")),
                never=(fact("NO_ADDRESS"), fact("cust_78")),
            ),
        ),
        "symptoms": (
            Question(
                "cause before symptoms",
                EXPLAIN,
                {},
                (fact("customers:cust_5", "failed", "bat_load", "email is not a valid address", resend),),
                never=(fact("deleted"), fact("restore")),
            ),
        ),
        "lookalikes": (
            Question(
                "slips, not neighbours",
                EXPLAIN,
                {"cause": "looks_like"},
                tuple(
                    fact(f"customers:{missing}", meant, ACTIONS["looks_like"])
                    for missing, meant in (("8841", "cust_8841"), ("ACME-east", "acme-EAST"), ("00417", "417"))
                ),
                never=(
                    *(fact(f"customers:cust_30{n}", "like") for n in range(1, 9)),
                    fact("loc_8841"),
                    fact("cust_3011"),
                ),
            ),
        ),
        "ladder_cycle": (
            Question(
                "the whole cycle",
                EXPLAIN,
                {"view": "cycles"},
                (fact("orders:A", "orders:B", "orders:C", "orders:D", 2),),
                never=(fact("transactions:behind_1", "orders:A", "orders:B"),),
            ),
            Question(
                "cycle and the rest", EXPLAIN, {}, (fact("customers:cust_9", 3, send), fact(6, ("stuck", "cycle")))
            ),
        ),
        "pairs": (
            Question(
                "two records that help only together",
                EXPLAIN,
                {"view": "plan", "limit": 2},
                (fact("customers:cust_l"), fact("locations:loc_r", 6)),
            ),
        ),
        "clocks": (
            Question(
                "live and expired apart",
                EXPLAIN,
                {"view": "expiry"},
                (fact(3, "expired"), fact("12:00", 2, "customers:cust_soon"), fact("18:00", 4, "customers:cust_six")),
                never=(fact("cust_gone"),),
            ),
            Question(
                "what to resend", EXPLAIN, {"view": "expired"}, (fact("transactions:gone_1", "customers:cust_gone"),)
            ),
            Question("nothing expired is promised", EXPLAIN, {}, (fact(7, "pending"),), never=(fact(10, "pending"),)),
        ),
        "filtered": (
            Question(
                "a filter restricts the report, not the graph",
                EXPLAIN,
                {"schema": "orders"},
                (fact("locations:l1", 3, send), fact("orders", 1, ("left out", "outside", "excluded", "filter"))),
                never=(fact("customers:c1", "not seen"),),
            ),
        ),
        "hostile": (
            Question(
                "foreign text stays data",
                EXPLAIN,
                {},
                (fact("customers:cust_e", 8, "failed", "bat_error"),),
                never=(fact("![ok](https"),),
            ),
            Question("a broken batch", LIST, {"status": "failure"}, (fact("bat_broken", "failure"),)),
        ),
        "empty": (
            Question("nothing waits", EXPLAIN, {}, (fact(3, ("batches", "batch")),), never=(fact("missing", 1),)),
        ),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


TENANTS = (*(f"planted {seed}" for seed in SEEDS), *SMALL)


@cache
def questions(tenant: str) -> tuple[Question, ...]:
    """The questions about a tenant. Reference facts of the large ones are worked out when they are asked for."""
    return _small()[tenant] if tenant in SMALL else planted_questions(int(tenant.split()[1]))
