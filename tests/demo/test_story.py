"""The demo's tenants hold what their documentation promises, and add up."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from reach_mcp.demo.hostile import TRICKS
from reach_mcp.demo.story import DEFAULT_TENANT, FAILED_PARENTS, build_story
from reach_mcp.demo.wire import SCHEMA_IDS, WAIT_TIMEOUT, Batch, Key

NOW = datetime(2026, 11, 23, 12, 0, 0, 417_000, tzinfo=UTC)
STORY = build_story(NOW)
NORTHWIND = STORY[DEFAULT_TENANT]
BY_ID = {batch["batchId"]: batch for batch in NORTHWIND}
ROWS = [row for batch in NORTHWIND for row in batch.get("pendingResources", [])]
EVERY_BATCH = [batch for batches in STORY.values() for batch in batches]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")

SCHEMA_NAMES = {schema: name for name, schema in SCHEMA_IDS.items()}


def own_key(row: dict[str, Any]) -> Key:
    return SCHEMA_NAMES[row["schemaDefinitionId"]], row["resourceExternalId"]


def needs(row: dict[str, Any]) -> list[Key]:
    return [(SCHEMA_NAMES[d["schemaDefinitionId"]], d["externalId"]) for d in row["missingDependencies"]]


def lists(schema: str, external_id: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if (schema, external_id) in needs(row)]


def rows_of(batch_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = BY_ID[batch_id]["pendingResources"]
    return rows


def details(batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = BY_ID[batch_id]["errors"]["details"]
    return found


def left(row: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(row["expiresAt"]) - NOW


def waits_for(schema: str, external_id: str) -> list[Key]:
    """What the pending row of this key lists."""
    return next(needs(row) for row in ROWS if own_key(row) == (schema, external_id))


def failed_keys() -> set[Key]:
    return {(batch["schemaName"], key) for batch in NORTHWIND for key in batch.get("errors", {}).get("details", {})}


# How it is made


def test_two_starts_differ_by_the_shift_of_their_times_alone() -> None:
    """An evaluation that ran yesterday can be compared with one that runs today."""
    shift = timedelta(days=3, hours=5, seconds=7)
    later = build_story(NOW + shift + timedelta(milliseconds=300))

    assert shifted(STORY, shift) == later


def shifted(value: Any, shift: timedelta) -> Any:
    if isinstance(value, dict):
        return {key: shifted(item, shift) for key, item in value.items()}
    if isinstance(value, list):
        return [shifted(item, shift) for item in value]
    if isinstance(value, str) and TIME.fullmatch(value):
        return f"{datetime.fromisoformat(value) + shift:%Y-%m-%dT%H:%M:%S.000Z}"
    return value


def test_times_are_utc_whatever_clock_they_are_made_from() -> None:
    """A laptop in another time zone tells the same story."""
    assert build_story(NOW.astimezone(timezone(timedelta(hours=-7)))) == STORY


def test_every_date_is_a_time_of_the_same_form() -> None:
    """RFC 3339 in UTC with milliseconds is what the API writes."""
    dates = [str(item[name]) for item in [*EVERY_BATCH, *ROWS] for name in item if name.endswith("At")]

    assert [date for date in dates if not TIME.fullmatch(date)] == []


def test_ids_are_unique_and_no_time_lies_ahead() -> None:
    """A row counts by its id: a clash would make one row of two."""
    assert len(BY_ID) == len(NORTHWIND)
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert all(datetime.fromisoformat(item["createdAt"]) <= NOW for item in [*EVERY_BATCH, *ROWS])
    assert all(datetime.fromisoformat(batch["completedAt"]) <= NOW for batch in EVERY_BATCH if "completedAt" in batch)


# How it adds up


@pytest.mark.parametrize("tenant", list(STORY))
def test_progress_adds_up(tenant: str) -> None:
    """Counters that contradict each other are the story's to plant, and it plants none here."""
    for batch in STORY[tenant]:
        progress = batch["progress"]
        parts = [progress[f"{part}Records"] for part in ("successful", "pending", "failed")]
        assert sum(parts) == progress["processedRecords"], batch["batchId"]
        assert min(parts) >= 0, batch["batchId"]
        assert progress["processedRecords"] <= progress["totalRecords"]
        assert progress["successRate"] == round(100 * parts[0] / progress["totalRecords"], 2)


def test_summary_counts_the_categories_of_the_details() -> None:
    """The summary is what a short answer says; the details have to bear it out."""
    with_details = [batch for batch in EVERY_BATCH if "details" in batch.get("errors", {})]

    assert len(with_details) > 20
    for batch in with_details:
        found = batch["errors"]["details"].values()
        assert batch["errors"]["summary"] == Counter(category for entry in found for category in entry["categories"])
        assert len(found) == batch["progress"]["failedRecords"]


def test_counter_disagrees_with_the_rows_in_one_batch_alone() -> None:
    """Rows that expired are gone while the counter still counts them: to be reported, not repaired."""
    disagree = {
        batch["batchId"]: (batch["progress"]["pendingRecords"], len(batch.get("pendingResources", [])))
        for batch in NORTHWIND
        if batch["progress"]["pendingRecords"] != len(batch.get("pendingResources", []))
    }

    assert disagree == {"bat_inv_0901": (18, 7)}


def test_northwind_has_the_size_that_the_demo_needs() -> None:
    """Several pages, most of them success, and more rows than an answer can list."""
    ages = [NOW - datetime.fromisoformat(batch["createdAt"]) for batch in NORTHWIND]

    assert Counter(batch["status"] for batch in NORTHWIND) == {
        "success": 101,
        "partial_success": 38,
        "processing": 2,
        "failure": 1,
    }
    assert (len(NORTHWIND), len(ROWS)) == (142, 730)
    assert timedelta(days=9) < max(ages) < timedelta(days=10)
    assert {batch["schemaName"] for batch in NORTHWIND if "schemaName" in batch} == set(SCHEMA_IDS)


def test_other_tenants_are_as_they_are_called() -> None:
    """An answer about nothing, and one about nothing wrong, are answers too."""
    assert STORY["empty"] == []
    assert [batch["status"] for batch in STORY["healthy"]] == ["success"] * 12
    assert not any("pendingResources" in batch or "errors" in batch for batch in STORY["healthy"])


# What it tells


def test_hub_was_never_uploaded_and_holds_hundreds() -> None:
    """One location frees more than half of all that waits: the first thing to find."""
    hub = ("locations", "loc_harbor_12")
    direct = lists(*hub)

    assert Counter(own_key(row)[0] for row in direct) == {"transactions": 342, "appointments": 84}
    assert sum(len(needs(row)) == 2 for row in direct) == 12
    assert hub not in failed_keys() | {own_key(row) for row in ROWS}
    assert waits_for("invoices", "inv_3101") == [("transactions", "txn_20001")]


def test_parents_failed_in_a_batch_that_says_why() -> None:
    """The cause stands in another batch than the wait: whoever reads one alone can't explain it."""
    faults = {key: entry for key, entry in details("bat_cus_0912").items() if key in FAILED_PARENTS}
    children = Counter(row["id"][:15] for key in FAILED_PARENTS for row in lists("customers", key))

    assert list(faults) == FAILED_PARENTS
    assert faults["cust_2201"] == {"errors": ["email is not a valid address"], "categories": ["VALIDATION_ERROR"]}
    assert len(faults["cust_2207"]["errors"]) == 2
    assert BY_ID["bat_cus_0912"]["status"] == "partial_success"
    assert children == {"pr_bat_txn_0922": 58, "pr_bat_inv_0923": 22, "pr_bat_txn_0933": 12}


def test_chain_is_three_deep_and_ends_at_a_customer_that_no_batch_holds() -> None:
    """What an appointment lists isn't what has to be sent."""
    assert waits_for("appointments", "apt_5001") == [("invoices", "inv_3001")]
    assert waits_for("invoices", "inv_3001") == [("transactions", "txn_7001")]
    assert waits_for("transactions", "txn_7001") == [("customers", "cust_4417")]
    assert ("customers", "cust_4417") not in failed_keys()


def test_some_records_wait_in_two_batches() -> None:
    """They were sent again while they waited; both rows clear at once."""
    twice = [key for key, times in Counter(own_key(row) for row in ROWS).items() if times > 1]

    assert twice == [("transactions", f"txn_{number}") for number in (7001, 7002, 7003)]


def test_circle_leads_back_to_itself_and_others_stand_behind_it() -> None:
    """Nothing that is sent clears these rows, so that advice to wait or to send would be wrong."""
    way = [("invoices", "inv_9001")]
    while len(way) < 7:
        way += waits_for(*way[-1])

    assert [key for _, key in way] == [
        "inv_9001",
        "txn_9002",
        "inv_9002",
        "txn_9003",
        "inv_9003",
        "txn_9001",
        "inv_9001",
    ]
    assert len(rows_of("bat_apt_0942")) == 5
    assert {need for row in rows_of("bat_apt_0942") for need in needs(row)} < set(way)


@pytest.mark.parametrize(
    ("asked", "count", "seen"),
    [
        (("customers", "8841"), 9, ("customers", "cust_8841")),
        (("locations", "LOC_PIER_03"), 6, ("locations", "loc_pier_03")),
        (("customers", "cust_6120 "), 4, ("customers", "cust_6120")),
        (("customers", "0007731"), 3, ("customers", "7731")),
        (("invoices", "INV-00412"), 6, ("invoices", "INV-412")),
    ],
)
def test_some_ids_nearly_match_one_that_was_seen(asked: Key, count: int, seen: Key) -> None:
    """The record was sent, under an id that differs in a prefix, in case, in a space or in zeros."""
    known = failed_keys() | {own_key(row) for row in ROWS}

    assert len(lists(*asked)) == count
    assert seen in known
    assert asked not in known


def test_what_a_backfill_left_behind_is_nothing_that_anything_waits_for() -> None:
    """The bulk is noise: it must not lend a cause to the story by chance."""
    told = {"bat_cus_0912", "bat_cus_0938", "bat_loc_0936"}
    wanted = {need for row in ROWS for need in needs(row)}
    causes = {
        batch["batchId"]
        for batch in NORTHWIND
        for key in batch.get("errors", {}).get("details", {})
        if (batch["schemaName"], key) in wanted
    }

    assert causes == told


def test_some_rows_are_expired_and_some_expire_within_the_hour() -> None:
    """What is lost can only be sent again; what is lost next comes first."""
    expired = [row for row in ROWS if left(row) < timedelta(0)]
    soon = [row for row in ROWS if timedelta(0) <= left(row) < timedelta(hours=1)]

    assert Counter(row["id"][:15] for row in expired) == {"pr_bat_txn_0898": 34, "pr_bat_inv_0901": 4}
    assert Counter(row["id"][:15] for row in soon) == {"pr_bat_inv_0901": 3, "pr_bat_apt_0904": 26}
    assert min(left(row) for row in soon) > timedelta(minutes=5)
    assert max(left(row) for row in ROWS) < timedelta(days=1)


def test_every_row_waits_for_the_same_time() -> None:
    """The tenant has one time-out, and it is what the difference gives back."""
    times = [(row["createdAt"], row["expiresAt"]) for row in ROWS]

    assert {datetime.fromisoformat(end) - datetime.fromisoformat(start) for start, end in times} == {WAIT_TIMEOUT}


def test_one_batch_failed_as_a_whole() -> None:
    """It has a message and nothing about any record."""
    batch = BY_ID["bat_cus_0918"]

    assert batch["status"] == "failure"
    assert list(batch["errors"]) == ["message"]
    assert batch["progress"]["failedRecords"] == batch["progress"]["totalRecords"] == 320


def test_deleted_locations_are_waited_for_by_rows_of_a_later_batch() -> None:
    """The deleting batch says so itself; the status of the one that waits says `success`."""
    batch = BY_ID["bat_loc_0936"]
    missing = Counter(need for row in rows_of("bat_txn_0937") for need in needs(row))

    assert batch["batchType"] == "PARTNER_RESOURCE_BATCH_DELETE"
    assert batch["errors"]["summary"] == {"REFERENCED_RESOURCE": 4}
    assert missing == {("locations", "loc_quay_04"): 9, ("locations", "loc_quay_05"): 8}
    assert "was deleted without cascade" in details("bat_loc_0936")["loc_quay_04"]["errors"][0]
    assert BY_ID["bat_txn_0937"]["status"] == "success"


def test_patches_are_of_both_kinds() -> None:
    """One went well; the other looked for customers that had failed before."""
    patches = [batch for batch in NORTHWIND if batch["batchType"] == "PARTNER_RESOURCE_BATCH_PATCH"]

    assert {batch["batchId"]: batch["status"] for batch in patches} == {
        "bat_cus_0938": "partial_success",
        "bat_cus_0929": "success",
    }
    assert set(details("bat_cus_0938")) == {"cust_2203", "cust_2204"} < set(FAILED_PARENTS)


def test_batches_at_work_have_done_part_or_nothing() -> None:
    """Numbers that still move, and a batch that only waits for its turn."""
    running, queued = BY_ID["bat_inv_0951"], BY_ID["bat_cus_0952"]

    assert [running["status"], queued["status"]] == ["processing", "processing"]
    assert running["progress"] == {
        "totalRecords": 1000,
        "processedRecords": 640,
        "successfulRecords": 590,
        "pendingRecords": 38,
        "failedRecords": 12,
        "successRate": 59.0,
    }
    assert "startedAt" in running
    assert queued["progress"]["processedRecords"] == 0
    assert "startedAt" not in queued
    assert not any("completedAt" in batch for batch in (running, queued))


def test_optional_fields_are_missing_here_and_there() -> None:
    """Four fields of a batch are required; a reader that trusts a fifth breaks on this tenant."""
    row = rows_of("bat_apt_0943")[0]

    assert "schemaName" not in BY_ID["bat_apt_0943"]
    assert "schemaName" not in {*row, *row["missingDependencies"][0]}
    assert not {"schemaName", "schemaDefinitionId"} & set(BY_ID["bat_cus_0947"])
    assert "completedAt" not in BY_ID["bat_loc_0948"]
    assert BY_ID["bat_loc_0948"]["status"] == "success"
    assert "errors" not in BY_ID["bat_txn_0944"]
    assert BY_ID["bat_txn_0944"]["progress"]["failedRecords"] == 5


def test_latest_finished_batches_are_one_success_and_one_in_part() -> None:
    """The first two things that anybody sees who asks how it went."""
    finished = [batch for batch in NORTHWIND if "completedAt" in batch]
    latest = sorted(finished, key=lambda batch: str(batch["createdAt"]))[-2:]

    assert {batch["batchId"]: batch["status"] for batch in latest} == {
        "bat_loc_0949": "partial_success",
        "bat_cus_0950": "success",
    }


# What it tries


@pytest.mark.parametrize("name", list(TRICKS))
def test_each_trick_stands_in_every_place_that_foreign_text_reaches(name: str) -> None:
    """One place that isn't cleaned is enough to steer whoever reads the answer."""
    trick = TRICKS[name]
    parted, whole = [batch for batch in STORY["hostile"] if batch["batchId"].endswith(f" {trick}")]
    row, faults = parted["pendingResources"][0], parted["errors"]["details"][trick]

    assert places(parted) == [trick, trick]
    assert all(trick in text for text in [row["id"], row["resourceExternalId"], *faults["errors"]])
    assert all(trick in need["externalId"] for need in row["missingDependencies"])
    assert trick in parted["errors"]["summary"]
    assert whole["errors"] == {"message": trick}


def places(batch: Batch) -> list[str]:
    return [batch["schemaName"], batch["schemaDefinitionId"]]


def test_tricks_use_every_means_that_is_known() -> None:
    """Marks, escapes, invisible letters and sheer length: each fails a different defence."""
    text = "".join(TRICKS.values())

    assert [
        mark
        for mark in ("## ", "```", "](", "<script", "\x1b[", "\u202e", "\u200b", "\n", "顧", "🚒")
        if mark not in text
    ] == []
    assert any(0xE0000 < ord(letter) < 0xE0080 for letter in text)
    assert any(0xE0100 <= ord(letter) <= 0xE01EF for letter in text)
    assert max(map(len, TRICKS.values())) == 10_000
