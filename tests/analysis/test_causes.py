"""Why records are missing: evidence, and the surest cause that it supports."""

from __future__ import annotations

from typing import Any

import pytest

from reach_mcp.analysis.causes import MAX_BATCHES, MAX_FAILURES, CauseFinder
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import ACTION_OF, CauseFinding, Record, RunningBatch
from reach_mcp.analysis.stop import AnalysisStopped
from tests.analysis.graphs import read
from tests.builders import DELETE, NOW_SECONDS, PATCH, Json, Key, Ref, batch, pending, reference

HOUR = 3600
NOT_FOUND = (["no resource with this externalId exists"], ["RESOURCE_NOT_FOUND"])
BAD_EMAIL = (["email is not a valid address"], ["VALIDATION_ERROR"])
STILL_USED = (["location was not deleted: 6 appointments still refer to it"], ["REFERENCED_RESOURCE"])
LEFT_BEHIND = (["location was deleted without cascade: resources that refer to it were left"], ["REFERENCED_RESOURCE"])

C1 = "customers:c1"
WAITS = batch("waits", pending("transactions:t1", C1))


def find_causes(*batches: Json) -> dict[str, CauseFinding]:
    """The finding of every root blocker, by `schema:external_id`."""
    snapshot = read(*batches)
    graph = DependencyGraph(snapshot, NOW_SECONDS)
    found = CauseFinder(snapshot, graph).find(graph.roots)
    return {snapshot.record(key).name: finding for key, finding in found.items()}


def find_cause(key: Key, *batches: Json) -> CauseFinding:
    """The finding of one record that the batches list as missing."""
    snapshot = read(*batches)
    number = snapshot.key_index[reference(key)[:2]]
    return CauseFinder(snapshot, DependencyGraph(snapshot, NOW_SECONDS)).find([number])[number]


def customers(batch_id: str, *rows: Json, **fields: Any) -> Json:
    return batch(batch_id, *rows, **{"schema": "customers", **fields})


def expired(created: float | str = -9) -> Json:
    return batch("gone", pending(C1, "locations:l1", expires=-1, created=created), schema="customers")


def failed(batch_id: str, hours: float | None = -5, **fields: Any) -> Json:
    times = {"completed": hours, "started": hours, "created": hours}
    return customers(batch_id, **{"failed": {"c1": BAD_EMAIL}, **times, **fields})


def deleted(hours: float) -> Json:
    return failed("deletion", hours, failed={"c1": LEFT_BEHIND}, type=DELETE)


RUNNING = customers("running", status="processing")
SIMILAR = customers("similar", failed=["C1"])

CAUSES: dict[str, tuple[list[Json], str]] = {
    "nothing": ([], "not_seen"),
    "another id failed": ([customers("x", failed=["c2"])], "not_seen"),
    "failed in another schema": ([batch("x", schema="locations", failed=["c1"])], "not_seen"),
    "failed": ([failed("x")], "failed"),
    "being processed": ([RUNNING], "in_progress"),
    "a PATCH is running": ([customers("x", status="processing", type=PATCH)], "not_seen"),
    "another schema is running": ([batch("x", schema="locations", status="processing")], "not_seen"),
    "failed, and running": ([failed("x"), RUNNING], "failed"),
    "like a failed one": ([SIMILAR], "looks_like"),
    "like a pending one": ([batch("x", pending("customers:C1", "locations:l1"))], "looks_like"),
    "like a deleted one": ([customers("x", failed=["C1"], type=DELETE)], "not_seen"),
    "like one that a PATCH did not find": ([customers("x", failed={"C1": NOT_FOUND}, type=PATCH)], "not_seen"),
    "failed, and like another": ([SIMILAR, failed("y")], "failed"),
    "like another, and running": ([SIMILAR, RUNNING], "looks_like"),
    "expired": ([expired()], "expired"),
    "expired, and like another": ([expired(), SIMILAR], "expired"),
    "failed after it was pending": ([expired(-9), failed("x")], "failed"),
    "pending after it failed": ([expired(-3), failed("x")], "expired"),
    "pending and failed at once": ([expired(-5), failed("x")], "failed"),
    "pending at an unknown time": ([expired("soon"), failed("x")], "failed"),
    "failed at an unknown time": ([failed("x", None), deleted(-1)], "failed"),
    "deleted after it failed": ([failed("x"), deleted(-4)], "deleted"),
    "deleted before it failed": ([failed("x"), deleted(-6)], "failed"),
    "deleted after it was pending": ([expired(-9), deleted(-4)], "deleted"),
    "PATCH failed": ([failed("x", type=PATCH)], "failed"),
    "PATCH failed after it expired": ([failed("x", type=PATCH), expired()], "expired"),
    "PATCH did not find it": ([failed("x", type=PATCH, failed={"c1": NOT_FOUND})], "not_seen"),
}


@pytest.mark.parametrize(("batches", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_cause_is_the_surest_that_the_batches_support(batches: list[Json], cause: str) -> None:
    finding = find_cause(C1, WAITS, *batches)
    assert (finding.cause, finding.action) == (cause, ACTION_OF[finding.cause])
    assert bool(finding.lookalikes) == (cause == "looks_like") == bool(finding.lookalikes_total)


@pytest.mark.parametrize(
    ("errors", "fields", "cause"),
    [
        (LEFT_BEHIND, {}, "deleted"),
        (LEFT_BEHIND, {"status": "failure"}, "not_seen"),
        (LEFT_BEHIND, {"message": "the batch was refused"}, "not_seen"),
        (STILL_USED, {}, "not_seen"),
        (STILL_USED, {"failedRecords": 0}, "not_seen"),
        (NOT_FOUND, {}, "not_seen"),
        ((["resource deleted"], []), {}, "deleted"),
        ((["it could not be removed"], []), {}, "not_seen"),
        ((["the record hasn't been deleted yet"], []), {}, "not_seen"),
        ((["failed to delete"], []), {"failedRecords": 0}, "not_seen"),
        ((["was already deleted"], []), {}, "deleted"),
        ((["3 references left"], ["WARNING"]), {"failedRecords": 0}, "deleted"),
        ((["3 references left"], ["WARNING"]), {}, "not_seen"),
        (([], []), {"failedRecords": 0}, "deleted"),
    ],
)
def test_a_delete_that_failed_did_not_delete(errors: tuple[list[str], list[str]], fields: Any, cause: str) -> None:
    finding = find_cause(C1, WAITS, customers("d", failed={"c1": errors}, type=DELETE, **fields))
    assert finding.cause == cause
    assert [one.batch_id for one in finding.failures] == ["d"]


def test_ingest_errors_come_first_and_symptoms_after_them() -> None:
    finding = find_cause(
        C1,
        WAITS,
        failed("delete", -1, type=DELETE, failed={"c1": NOT_FOUND}),
        failed("old", -8, failed={"c1": (["one", "two", "one"], ["A", "B"])}),
        failed("patch", -2, type=PATCH, failed={"c1": NOT_FOUND}),
        failed("new", -4),
        failed("undated", None),
    )
    assert finding.cause == "failed"
    assert [one.batch_id for one in finding.failures] == ["new", "old", "undated", "delete", "patch"]
    assert finding.failures_total == 5
    first, second, undated = finding.failures[:3]
    assert (first.category, first.message) == ("VALIDATION_ERROR", "email is not a valid address")
    assert (first.batch_type, first.batch_status) == ("PARTNER_RESOURCE_JSON_INGEST", "partial_success")
    assert (second.category, second.message, second.at) == ("A", "one; two", NOW_SECONDS - 8 * HOUR)
    assert undated.at is None


def test_the_deletion_comes_first_where_it_is_the_cause() -> None:
    finding = find_cause(C1, WAITS, failed("new", -4), failed("d", -1, type=DELETE, failed={"c1": LEFT_BEHIND}))
    assert (finding.cause, [one.batch_id for one in finding.failures]) == ("deleted", ["d", "new"])


def test_each_record_has_its_own_message() -> None:
    missing = {f"c{n}": (["Required field 'email' is missing"], ["MISSING"]) for n in range(4)}
    details = {**missing, "c4": (["Required field 'locationId' is missing"], ["MISSING"])}
    rows = [pending(f"transactions:t{n}", f"customers:c{n}") for n in range(5)]
    found = find_causes(batch("b1", *rows), customers("b2", failed=details))
    messages = [found[f"customers:c{n}"].failures[0].message for n in range(5)]
    assert messages == ["Required field 'email' is missing"] * 4 + ["Required field 'locationId' is missing"]


NAMED = batch("named", pending("transactions:t9", Ref("sd_1", "c9", "customers")))
TWICE = batch("twice", pending("transactions:t8", Ref("sd_2", "c8", "Customers")))


@pytest.mark.parametrize(
    ("batches", "schema", "schema_id", "matched_by"),
    [
        ([NAMED], "customers", "sd_1", "definition"),
        ([], None, "sd_1", "definition"),
        ([NAMED], "customers", None, "name"),
        ([NAMED], "CUSTOMERS ", None, "name"),
        ([NAMED], "customers", "sd_2", "other_definition"),
        ([NAMED, TWICE], None, "sd_2", "other_definition"),
        ([NAMED], None, None, "no_schema"),
        ([], "customers", None, "id_only"),
        ([NAMED], "locations", None, None),
        ([batch("x", pending("locations:l1"))], "locations", None, None),
        ([NAMED], "locations", "sd_locations", None),
    ],
)
def test_a_failure_is_found_however_its_batch_names_the_schema(
    batches: list[Json], schema: str | None, schema_id: str | None, matched_by: str | None
) -> None:
    missing = Ref("sd_1", "c1")
    waits = batch("waits", pending("transactions:t1", missing))
    finding = find_cause(missing, waits, *batches, batch("bad", schema=schema, schema_id=schema_id, failed=["c1"]))
    assert [one.matched_by for one in finding.failures] == ([matched_by] if matched_by else [])
    assert finding.cause == ("failed" if matched_by else "not_seen")


def test_later_batches_of_the_schema_are_counted_because_they_list_no_successes() -> None:
    finding = find_cause(
        C1,
        WAITS,
        failed("old", -9),
        failed("bad", -5),
        customers("before", completed=-6),
        customers("after", completed=-4, status="success"),
        customers("partly", schema="Customers", schema_id=None, completed=-3),
        customers("unfinished", completed=None, started=-2, status="success"),
        customers("whole batch failed", completed=-2, status="failure"),
        customers("running", completed=None, status="processing"),
        customers("patch", completed=-2, type=PATCH),
        batch("other", schema="locations", completed=-2),
    )
    assert (finding.cause, finding.later_batches, finding.in_progress) == ("failed", 3, ("running",))
    assert find_cause(C1, WAITS, failed("bad", None), customers("after")).later_batches == 0


def test_findings_do_not_depend_on_the_order_of_batches() -> None:
    batches = [WAITS, *(customers(name, status="PROCESSING") for name in "bac"), *(failed(f"x{n}") for n in range(5))]
    batches += [batch("y", pending("transactions:t2", "customers:C_2")), customers("z", failed=["c-2", "C2"])]
    assert find_causes(*batches) == find_causes(*reversed(batches))
    assert find_cause(C1, *batches).in_progress == ("a", "b", "c")


def test_expired_rows_are_counted_and_live_ones_are_not() -> None:
    rows = [pending(C1, "locations:l1", id=str(n), expires=-1) for n in range(3)]
    finding = find_cause(C1, WAITS, batch("gone", *rows))
    assert (finding.cause, finding.expired_rows) == ("expired", 3)


def test_an_expired_record_says_what_it_missed() -> None:
    rows = [
        pending(C1, *(f"locations:l{one}" for one in range(number + 1)), id=str(number), expires=-9 + number)
        for number in range(5)
    ]
    finding = find_cause(C1, WAITS, batch("old", *rows[:3]), batch("new", *rows[3:]))
    assert (finding.expired_rows, len(finding.expired_in)) == (5, MAX_BATCHES)
    latest, _, third = finding.expired_in
    assert (latest.batch_id, latest.expired_at, latest.missed_total) == ("new", NOW_SECONDS - 5 * HOUR, 5)
    assert [one.name for one in latest.missed] == ["locations:l0", "locations:l1", "locations:l2"]
    assert (third.batch_id, third.missed_total) == ("old", 3)


REFUSED = [
    customers("refused", status="failure", message="not JSON", completed=-3, totalRecords=800),
    customers("silent", status="failure", completed=-2, totalRecords=None),
    customers("partial", message="half of it was read", completed=-1),
    customers("undated", status="failure", completed=None, started=None, created=None),
    customers("named", status="failure", message="all records failed", failed=["c7"]),
    customers("running with a message", status="processing", message="slow"),
    customers("patch", status="failure", type=PATCH),
    batch("other", schema="locations", status="failure"),
]


@pytest.mark.parametrize(
    ("batches", "cause", "listed"),
    [
        (REFUSED[:4], "not_seen", True), (REFUSED, "in_progress", True), ([*REFUSED, SIMILAR], "looks_like", True),
        ([*REFUSED, failed("x")], "failed", False), ([*REFUSED, expired()], "expired", False),
    ],
)  # fmt: skip
def test_a_record_may_have_been_in_a_batch_that_failed_as_a_whole(
    batches: list[Json], cause: str, listed: bool
) -> None:
    finding = find_cause(C1, WAITS, *batches)
    found = [(one.batch_id, one.at, one.message, one.records) for one in finding.failed_batches]
    latest = [
        ("partial", NOW_SECONDS - HOUR, "half of it was read", 0),
        ("silent", NOW_SECONDS - 2 * HOUR, "", None),
        ("refused", NOW_SECONDS - 3 * HOUR, "not JSON", 800),
    ]
    assert (finding.cause, found, finding.failed_batches_total) == (cause, latest if listed else [], 4 * listed)


def test_a_running_batch_says_how_far_it_is() -> None:
    running = customers("x", status="processing", started=-2, completed=None, processedRecords=40, totalRecords=90)
    finding = find_cause(C1, WAITS, running, customers("new", status="processing", started=None, processedRecords=None))
    assert finding.in_progress == tuple(one.batch_id for one in finding.running) == ("new", "x")
    assert finding.running[1] == RunningBatch("x", NOW_SECONDS - 2 * HOUR, 40, 90)
    assert finding.running[0].processed is None


def test_a_lookalike_was_seen_in_the_latest_batch_that_has_it() -> None:
    batches = [customers(f"b{hours}", failed=["C1"], completed=-hours) for hours in (3, 2, 5)]
    assert find_cause(C1, WAITS, *batches).lookalikes[0].batch_id == "b2"
    rows = [customers(name, pending("customers:C1", "locations:l1", id=name)) for name in ("y", "z", "x")]
    assert find_cause(C1, WAITS, *batches, *rows).lookalikes[0].batch_id == "z"


def test_a_lookalike_names_the_record_where_it_was_seen_and_the_difference() -> None:
    waits = batch("waits", pending("transactions:t1", "customers:cust_8808", "customers:8841", "customers:LOC-1"))
    seen = customers("seen", pending("customers:cust_8808\r", "locations:l1", expires=-1), failed=["cust_8841"])
    by_name = customers("name", schema="CUSTOMERS", schema_id=None, failed=["loc-1"])
    found = find_causes(waits, seen, by_name)
    first, prefixed, other = (found[f"customers:{one}"].lookalikes[0] for one in ("cust_8808", "8841", "LOC-1"))
    assert (first.record, first.seen) == (Record("customers", "cust_8808\r", "sd_customers"), "pending")
    assert (first.rule, first.difference) == (
        "differs in invisible characters",
        "seen id ends with U+000D (carriage return)",
    )
    assert (prefixed.record.external_id, prefixed.seen, prefixed.rule) == (
        "cust_8841",
        "failed",
        "has the prefix cust_",
    )
    assert other.record == Record("customers", "loc-1", "sd_customers")


def test_an_id_of_another_schema_is_no_lookalike() -> None:
    assert find_cause(C1, WAITS, batch("x", pending("locations:C1", "a:b"), schema="locations")).cause == "not_seen"


def test_many_failures_are_counted_and_the_latest_listed() -> None:
    finding = find_cause(C1, WAITS, *(failed(f"b{n}", -n) for n in range(1, 31)))
    assert (len(finding.failures), finding.failures_total, finding.failures[0].batch_id) == (MAX_FAILURES, 30, "b1")


def test_a_record_that_only_errors_name_has_a_cause() -> None:
    snapshot = read(WAITS, failed("bad"), batch("plain", schema="Plain", schema_id=None, failed=["p1"]))
    finder = CauseFinder(snapshot, DependencyGraph(snapshot, NOW_SECONDS))
    assert finder.find_record(Record("customers", "c1", "sd_customers")).failures[0].matched_by == "definition"
    assert finder.find_record(Record("Plain", "p1", "")).failures[0].matched_by == "name"


def test_a_record_that_is_no_root_blocker_is_looked_up_as_well() -> None:
    snapshot = read(WAITS, customers("x", pending("customers:T1_x", "locations:l1"), failed=["t1-X"]))
    finder = CauseFinder(snapshot, DependencyGraph(snapshot, NOW_SECONDS))
    number = snapshot.key_index["sd_customers", "T1_x"]
    assert [one.record.external_id for one in finder.find([number])[number].lookalikes] == ["t1-X"]
    assert finder.find([number])[number].cause == "looks_like"


def test_the_checkpoint_ends_the_search() -> None:
    def stop() -> None:
        raise AnalysisStopped

    snapshot = read(WAITS)
    graph = DependencyGraph(snapshot, NOW_SECONDS)
    with pytest.raises(AnalysisStopped):
        CauseFinder(snapshot, graph).find(graph.roots, checkpoint=stop)
