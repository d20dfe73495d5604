"""Fabricated analysis results: a tenant with UUID batch ids, as large as a summary gets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from uuid import UUID

from reach_mcp.analysis import results
from reach_mcp.api.pagination import Coverage

NOW = 1_795_651_200.0  # 2026-11-26 00:00 UTC
HOUR, DAY = 3_600.0, 86_400.0
READ_ALL = Coverage(pages=4, batches=400, total=400)


def record(external_id: str = "cus_000104", schema: str = "customers") -> results.Record:
    return results.Record(schema, external_id, f"def-{schema}")


def uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def finding(cause: results.Cause = "not_seen", **evidence: object) -> results.CauseFinding:
    return results.CauseFinding(cause=cause, action=results.ACTION_OF[cause], **evidence)  # type: ignore[arg-type]


def failure(batch_id: str = "bat_1", message: str = "email is not a valid address") -> results.Failure:
    return results.Failure(
        batch_id=batch_id,
        batch_type="PARTNER_RESOURCE_JSON_INGEST",
        batch_status="partial_success",
        at=NOW - HOUR,
        category="VALIDATION_ERROR",
        message=message,
        matched_by="definition",
    )


def counts(**numbers: int | None) -> results.Counts:
    every: dict[str, int | None] = dict.fromkeys(results.Counts.__slots__, 0)
    return results.Counts(**{**every, **numbers})  # type: ignore[arg-type]


def explanation(**parts: object) -> results.Explanation:
    """An explanation of a tenant where nothing waits, with the parts given."""
    usual = {
        "as_of": NOW,
        "view": "summary",
        "order": "waiting",
        "coverage": READ_ALL,
        "filter": None,
        "counts": counts(counters_pending=0),
    }
    return results.Explanation(**{**usual, **parts})  # type: ignore[arg-type]


def section(*items: object, total: int | None = None, offset: int = 0) -> results.Section:  # type: ignore[type-arg]
    return results.Section(tuple(items), len(items) if total is None else total, offset)


def large_tenant(view: results.View = "summary", rows: int = 10) -> results.Explanation:
    """400 batches, 3,000 pending resources, 982 missing records, five cycles, a full day of expiry hours."""
    random = Random(7)
    causes = [_random_finding(random, number) for number in range(rows)]
    blockers = [_blocker(random, number, cause) for number, cause in enumerate(causes)]
    return explanation(
        view=view,
        counts=counts(
            pending=2_700,
            batches=212,
            missing_records=982,
            cleared_by_plan=2_640,
            stuck=60,
            in_cycles=28,
            cycles=5,
            expired=300,
            counters_pending=3_000,
        ),
        tally=tuple(_tally(cause, number) for number, cause in enumerate(results.ACTION_OF)),
        blockers=section(*blockers, total=982),
        plan=results.Plan(section(*map(_step, blockers[:5]), total=982), 2_640, upload_order()),
        cycles=section(*(_cycle(number) for number in range(5))),
        expiry=expiry(),
        chains=results.Chains(((1, 2_000), (2, 500), (3, 140)), (record(), record("inv_1", "invoices")), 1),
    )


def small_tenant() -> results.Explanation:
    whole = large_tenant(rows=3)
    assert whole.plan
    assert whole.cycles
    assert whole.expiry
    assert whole.blockers
    return replace(
        whole,
        tally=whole.tally[:3],
        plan=replace(whole.plan, steps=section(*whole.plan.steps.items[:2], total=982)),
        cycles=section(*whole.cycles.items[:1], total=5),
        expiry=replace(whole.expiry, hours=section(*whole.expiry.hours.items[:2], total=24)),
    )


def _random_finding(random: Random, number: int) -> results.CauseFinding:
    failed = finding("failed", failures=(failure(uuid(random)),), failures_total=1 + number % 3, later_batches=number)
    like = results.Lookalike(record("cust_8841"), "has the prefix cust_", "failed")
    found = (failed, finding(), finding("looks_like", lookalikes=(like,), lookalikes_total=1), failed)
    return found[number % len(found)]


def _blocker(random: Random, number: int, cause: results.CauseFinding) -> results.Blocker:
    return results.Blocker(
        rank=number + 1,
        record=record(f"cus_{random.randrange(10**6):06}"),
        waiting=200 - 3 * number,
        direct=120 - number,
        frees=90 - number,
        batches=7,
        earliest_expiry=NOW + number * 1_000 + 2_000,
        finding=cause,
    )


def _step(blocker: results.Blocker) -> results.PlanStep:
    gain = blocker.frees
    return results.PlanStep(
        blocker.rank, blocker.record, gain, gain * blocker.rank, blocker.earliest_expiry, blocker.finding
    )


def _tally(cause: results.Cause, number: int) -> results.ActionTally:
    return results.ActionTally(cause, results.ACTION_OF[cause], 150 + number, 700 + number)


def _cycle(number: int) -> results.Cycle:
    members = [record(f"inv_9{number}{member}", "invoices") for member in range(6)]
    return results.Cycle(section(*members), ((members[0], members[1]),), 6, 5, 1, NOW + DAY + HOUR * number)


def upload_order() -> results.UploadOrder:
    names = ("customers", "locations", "transactions", "invoices", "appointments")
    references = tuple((child, parent, 500 - 10 * n) for n, (parent, child) in enumerate(pairwise(names)))
    return results.UploadOrder(tuple((name,) for name in names), references)


def expiry() -> results.Expiry:
    holders = tuple(results.Holder(record(f"cus_00010{n}"), 30 - n) for n in range(3))
    hours = [results.ExpiryHour(NOW + n * HOUR, 40 + n, holders, 12, n % 3) for n in range(24)]
    return results.Expiry(39, 241, 2_459, 0, NOW + 2_280, section(*hours))


def batch(number: int = 1, **changes: object) -> results.BatchSummary:
    usual: dict[str, object] = {
        "id": uuid(Random(number)),
        "status": "success",
        "type": "PARTNER_RESOURCE_JSON_INGEST",
        "schema": "customers",
        "schema_id": "def-customers",
        "created": NOW - number * HOUR,
        "started": NOW - number * HOUR + 20,
        "completed": NOW - number * HOUR + 300,
        "total": 500,
        "processed": 500,
        "successful": 500,
        "failed": 0,
        "pending": 0,
        "success_rate": 1.0,
        "message": "",
        "categories": (),
        "listed": None,
        "unreadable_resources": 0,
        "unreadable_counters": (),
        "failed_records_named": 0,
    }
    return results.BatchSummary(**{**usual, **changes})  # type: ignore[arg-type]


def failing_batch(number: int) -> results.BatchSummary:
    categories = (("VALIDATION_ERROR", 12), ("MISSING_REQUIRED_FIELD", 3), ("DUPLICATE_EXTERNAL_ID", 1))
    return batch(
        number,
        status="partial_success",
        failed=16,
        pending=21,
        successful=463,
        categories=categories,
        failed_records_named=13,
    )


def listing(rows: int = 20, total: int = 400) -> results.BatchListing:
    shown = [failing_batch(number) if number % 3 == 0 else batch(number) for number in range(rows)]
    return results.BatchListing(
        as_of=NOW,
        coverage=READ_ALL,
        filter=None,
        census=census(shown, total),
        scope="all",
        batches=section(*shown, total=total),
    )


def census(shown: list[results.BatchSummary], total: int) -> results.Census:
    return results.Census(
        batches=total,
        by_status=(("success", total - 40), ("partial_success", 30), ("failure", 8), ("processing", 2)),
        by_type=(("PARTNER_RESOURCE_JSON_INGEST", total - 20), ("PARTNER_RESOURCE_BATCH_PATCH", 20)),
        by_schema=(("customers", 100), ("transactions", 180), ("invoices", 60), ("appointments", 60)),
        records=(
            ("total", 200_000),
            ("processed", 199_000),
            ("successful", 190_000),
            ("pending", 3_000),
            ("failed", 6_000),
        ),
        categories=(("VALIDATION_ERROR", 4_000), ("MISSING_REQUIRED_FIELD", 2_000)),
        most_pending=tuple(shown[:5]),
        most_failed=tuple(shown[:5]),
        latest=shown[0] if shown else None,
        without_counters=2,
    )


def resource(number: int = 1) -> results.WaitingResource:
    return results.WaitingResource(
        f"pend_{number}", record(f"txn_{number}", "transactions"), "bat_1", NOW + HOUR, NOW - HOUR, (record(),), 1
    )


def detail(**parts: object) -> results.BatchDetail:
    group = results.ErrorGroup(
        "VALIDATION_ERROR",
        "email … is not valid",
        9,
        (("email a is not valid", 5), ("email b is not valid", 4)),
        ("cus_1", "cus_2"),
    )
    usual: dict[str, object] = {
        "as_of": NOW,
        "batch": failing_batch(3),
        "error_groups": section(group, results.ErrorGroup("X_ERROR", "lastName is required", 4, (), ("cus_3",))),
        "pending": 18,
        "expired": 3,
        "within_hour": 2,
        "within_day": 11,
        "next_expiry": NOW + 2_280,
        "missing": section(results.Holder(record(), 12), results.Holder(record("loc_1", "locations"), 6)),
        "resources": None,
    }
    return results.BatchDetail(**{**usual, **parts})  # type: ignore[arg-type]


def focus(**parts: object) -> results.Focus:
    usual: dict[str, object] = {
        "kind": "pending",
        "asked": "invoices:inv_1",
        "record": record("inv_1", "invoices"),
        "batch": None,
        "rows": section(),
        "expired_rows": 0,
        "paths": section(),
        "cycles": (),
        "cycles_total": 0,
        "waits_for_it": 0,
        "earliest_expiry": None,
        "finding": None,
    }
    return results.Focus(**{**usual, **parts})  # type: ignore[arg-type]


def path(*names: str, waiting: int = 1, steps: int | None = None) -> results.Path:
    found = tuple(record(name, "customers" if name.startswith("cus") else "invoices") for name in names)
    return results.Path(
        found, len(found) - 1 if steps is None else steps, finding("failed", failures=(failure(),)), waiting
    )


def expired(rows: int = 2, total: int = 34) -> results.Expired:
    lost = [
        results.ExpiredRecord(
            record(f"txn_{n}", "transactions"), "bat_txn_0898", NOW - HOUR, (record("loc_7", "locations"),), n == 1
        )
        for n in range(rows)
    ]
    return results.Expired(total, (("bat_txn_0898", "transactions", total),), 1, section(*lost, total=total))
