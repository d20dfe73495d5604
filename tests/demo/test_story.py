"""The demo's tenants contain what `reach_mcp.demo.story` documents, and their counters add up."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from reach_mcp.demo.story import DEFAULT_TENANT, FAILED_PARENTS, build_story
from reach_mcp.demo.wire import SCHEMA_IDS, WAIT_TIMEOUT, Key
from tests.demo.hostile import HOSTILE, TRICKS

NOW = datetime(2026, 11, 23, 12, 0, 0, 417_000, tzinfo=UTC)
STORY = build_story(NOW)
NORTHWIND = STORY[DEFAULT_TENANT]
BY_ID = {batch["batchId"]: batch for batch in NORTHWIND}
ROWS = [row for batch in NORTHWIND for row in batch.get("pendingResources", [])]
EVERY_BATCH = [batch for batches in STORY.values() for batch in batches]
NAMES = {schema: name for name, schema in SCHEMA_IDS.items()}


def key_of(row: dict[str, Any]) -> Key:
    return NAMES[row["schemaDefinitionId"]], row["resourceExternalId"]


def needs(row: dict[str, Any]) -> list[Key]:
    return [(NAMES[item["schemaDefinitionId"]], item["externalId"]) for item in row["missingDependencies"]]


def rows_that_list(schema: str, external_id: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if (schema, external_id) in needs(row)]


def waits_for(schema: str, external_id: str) -> list[Key]:
    return next(needs(row) for row in ROWS if key_of(row) == (schema, external_id))


def batches_of(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["id"].removeprefix("pr_").rpartition("_")[0] for row in rows)


def left(row: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(row["expiresAt"]) - NOW


FAILED = {(batch["schemaName"], key) for batch in NORTHWIND for key in batch.get("errors", {}).get("details", {})}
SEEN = FAILED | {key_of(row) for row in ROWS}


def shifted(value: Any, shift: timedelta) -> Any:
    if isinstance(value, dict):
        return {key: shifted(item, shift) for key, item in value.items()}
    if isinstance(value, list):
        return [shifted(item, shift) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", value):
        return f"{datetime.fromisoformat(value) + shift:%Y-%m-%dT%H:%M:%S.000Z}"
    return value


def test_two_starts_differ_only_by_the_shift_of_their_times() -> None:
    shift = timedelta(days=3, hours=5, seconds=7)

    assert shifted(STORY, shift) == build_story(NOW + shift + timedelta(milliseconds=300))
    assert build_story(NOW.astimezone(timezone(timedelta(hours=-7)))) == STORY


def test_northwind_has_the_size_of_a_real_tenant() -> None:
    states = Counter(batch["status"] for batch in NORTHWIND)

    assert states == {"success": 101, "partial_success": 38, "processing": 2, "failure": 1}
    assert (len(BY_ID), len({row["id"] for row in ROWS})) == (142, 730)
    assert {batch["schemaName"] for batch in NORTHWIND if "schemaName" in batch} == set(SCHEMA_IDS)
    assert all(datetime.fromisoformat(item["createdAt"]) <= NOW for item in [*EVERY_BATCH, *ROWS])


def test_the_other_tenants_are_empty_and_healthy() -> None:
    assert STORY["empty"] == []
    assert [batch["status"] for batch in STORY["healthy"]] == ["success"] * 12


@pytest.mark.parametrize("batch", EVERY_BATCH, ids=lambda batch: batch["batchId"])
def test_counters_add_up(batch: dict[str, Any]) -> None:
    progress, errors = batch["progress"], batch.get("errors", {})
    parts = [progress[f"{part}Records"] for part in ("successful", "pending", "failed")]
    details = errors.get("details", {}).values()

    assert sum(parts) == progress["processedRecords"] <= progress["totalRecords"]
    assert min(parts) >= 0
    assert errors.get("summary", {}) == Counter(name for item in details for name in item["categories"])


def test_parents_failed_in_another_batch_than_their_children() -> None:
    details = BY_ID["bat_cus_0912"]["errors"]["details"]
    children = batches_of([row for parent in FAILED_PARENTS for row in rows_that_list("customers", parent)])

    assert set(FAILED_PARENTS) < set(details)
    assert details["cust_2201"] == {"errors": ["email is not a valid address"], "categories": ["VALIDATION_ERROR"]}
    assert children == {"bat_txn_0922": 58, "bat_inv_0923": 22, "bat_txn_0933": 12}
    assert set(BY_ID["bat_cus_0938"]["errors"]["details"]) < set(FAILED_PARENTS)


def test_a_chain_of_three_ends_at_a_customer_that_no_batch_has() -> None:
    assert waits_for("appointments", "apt_5001") == [("invoices", "inv_3001")]
    assert waits_for("invoices", "inv_3001") == [("transactions", "txn_7001")]
    assert waits_for("transactions", "txn_7001") == [("customers", "cust_4417")]
    assert ("customers", "cust_4417") not in SEEN
    assert [key for key, count in Counter(map(key_of, ROWS)).items() if count > 1] == [
        ("transactions", f"txn_{number}") for number in (7001, 7002, 7003)
    ]


def test_a_cycle_of_six_has_five_records_behind_it() -> None:
    walk = [("invoices", "inv_9001")]
    while len(walk) < 7:
        walk += waits_for(*walk[-1])
    behind = BY_ID["bat_apt_0942"]["pendingResources"]

    assert walk[0] == walk[-1]
    assert len(set(walk)) == 6
    assert len(behind) == 5
    assert {need for row in behind for need in needs(row)} < set(walk)


def test_failures_of_the_backfills_explain_nothing_that_is_missing() -> None:
    missing = {need for row in ROWS for need in needs(row)}
    causes = {
        batch["batchId"]
        for batch in NORTHWIND
        for key in batch.get("errors", {}).get("details", {})
        if (batch["schemaName"], key) in missing
    }

    assert causes == {"bat_cus_0912", "bat_cus_0938", "bat_loc_0936"}


def test_some_rows_have_expired_and_some_expire_within_the_hour() -> None:
    soon = [row for row in ROWS if timedelta(minutes=5) < left(row) < timedelta(hours=1)]
    waits = {datetime.fromisoformat(row["expiresAt"]) - datetime.fromisoformat(row["createdAt"]) for row in ROWS}

    assert batches_of([row for row in ROWS if left(row) < timedelta(0)]) == {"bat_txn_0898": 34, "bat_inv_0901": 4}
    assert batches_of(soon) == {"bat_inv_0901": 3, "bat_apt_0904": 26}
    assert waits == {WAIT_TIMEOUT}


def test_batches_fail_whole_run_and_leave_fields_out() -> None:
    assert BY_ID["bat_cus_0918"]["errors"].keys() == {"message"}
    assert BY_ID["bat_inv_0951"]["progress"]["processedRecords"] == 640
    assert "startedAt" not in BY_ID["bat_cus_0952"]
    assert "schemaName" not in BY_ID["bat_apt_0943"]["pendingResources"][0]
    assert not {"schemaName", "schemaDefinitionId"} & BY_ID["bat_cus_0947"].keys()
    assert "completedAt" not in BY_ID["bat_loc_0948"]
    assert "errors" not in BY_ID["bat_txn_0944"]


def test_hostile_texts_reach_every_field() -> None:
    batches = [upload.to_wire(NOW) for upload in HOSTILE]

    for trick, batch, failed in zip(TRICKS.values(), batches[::2], batches[1::2], strict=True):
        row = batch["pendingResources"][0]
        texts = [batch["batchId"], batch["schemaName"], row["id"], row["resourceExternalId"]]
        texts += [item["externalId"] for item in row["missingDependencies"]]
        assert all(trick in text for text in [*texts, *batch["errors"]["details"], *batch["errors"]["summary"]][:7])
        assert failed["errors"] == {"message": trick}
