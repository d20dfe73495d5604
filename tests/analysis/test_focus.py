"""One record or one batch in focus."""

from __future__ import annotations

from typing import Any

import pytest

from reach_mcp.analysis.results import Focus
from reach_mcp.api.pagination import Coverage
from tests.analysis.asking import HOUR, analyse, ask, names, put, some
from tests.builders import NOW_SECONDS, Json, Ref, batch, pending


def focus(asked: str, *rows: Json, **question: Any) -> Focus:
    return some(ask(batch("b1", *rows, failed=["f1"]), focus=asked, **question).focus)


def paths(found: Focus) -> list[tuple[list[str], int, str]]:
    return [(names(path.records), path.waiting, path.finding.cause) for path in found.paths.items]


# orders:o1 -> customers:c1 -> locations:l1
#    |             `-> locations:l2
#    `-> products:p1
CHAIN = [
    pending("orders:o1", "customers:c1", "products:p1", expires=3.0),
    pending("customers:c1", "locations:l1", "locations:l2", expires=1.0),
]


def test_a_pending_record_has_a_path_to_each_missing_record_below() -> None:
    found = focus("orders:o1", *CHAIN)
    assert (found.kind, found.record and found.record.name, found.finding) == ("pending", "orders:o1", None)
    assert paths(found) == [
        (["orders:o1", "customers:c1", "locations:l1"], 1, "not_seen"),
        (["orders:o1", "customers:c1", "locations:l2"], 1, "not_seen"),
        (["orders:o1", "products:p1"], 1, "not_seen"),
    ]
    assert [path.steps for path in found.paths.items] == [2, 2, 1]
    assert (found.waits_for_it, found.earliest_expiry) == (0, NOW_SECONDS + 3 * HOUR)
    assert [row.id for row in found.rows.items] == ["pr_orders_o1"]


def test_a_missing_record_has_a_cause_and_what_waits_for_it() -> None:
    found = focus("locations:l1", *CHAIN)
    assert (found.kind, found.waits_for_it, found.earliest_expiry) == ("missing", 2, NOW_SECONDS + HOUR)
    assert (some(found.finding).cause, some(found.finding).action) == ("not_seen", "send")
    assert [one.record.external_id for one in found.rows.items] == ["c1", "o1"]
    assert found.paths.total == 0


def test_an_expired_record_has_to_be_sent_again() -> None:
    found = focus("orders:o1", pending("orders:o1", "customers:c1", expires=-2.0))
    assert (found.kind, found.expired_rows, found.rows.total) == ("expired", 1, 0)
    assert [(one.batch_id, names(one.misses)) for one in found.expired.items] == [("b1", ["customers:c1"])]
    assert some(found.finding).cause == "expired"


def test_a_record_that_only_errors_name_has_failed() -> None:
    found = focus("transactions:f1", *CHAIN)
    assert (found.kind, found.record and found.record.external_id) == ("failed", "f1")
    assert some(found.finding).failures[0].batch_id == "b1"


def test_a_record_that_nothing_names_is_an_answer_and_no_error() -> None:
    read = Coverage(pages=1, batches=1, total=2, stop="error")
    answer = ask(batch("b1", *CHAIN), focus="orders:o77", coverage=read)
    assert (some(answer.focus).kind, some(answer.focus).asked, some(answer.focus).record) == (
        "not_pending",
        "orders:o77",
        None,
    )
    assert (answer.coverage.batches, answer.coverage.total) == (1, 2)


def test_a_near_miss_is_offered() -> None:
    found = focus("orders:o001", pending("orders:o01", "customers:c1"))
    assert found.kind == "not_pending"
    assert names(found.alternatives) == ["orders:o01"]


def test_a_record_that_is_read_and_waits_for_nothing_is_not_pending() -> None:
    one = batch("b1", pending("orders:o1", "customers:c1", expires=-1.0), pending("orders:o2", "customers:c2"))
    found = some(ask(one, focus="customers:c1").focus)
    assert (found.kind, found.record and found.record.name) == ("not_pending", "customers:c1")


def test_a_record_that_is_assumed_has_arrived() -> None:
    found = focus("locations:l1", *CHAIN, assume_arrived=("locations:l1",))
    assert (found.kind, found.waits_for_it) == ("arrived", 2)


def test_a_batch_has_its_rows_and_the_records_to_send_for_them() -> None:
    one = batch("mine", pending("orders:o1", "customers:c1"), pending("orders:o2", "customers:c1", "customers:c2"))
    other = batch("other", pending("customers:c1", "locations:l1"), pending("refunds:r1", "orders:o1"))
    gone = pending("orders:o9", "customers:c9", expires=-1.0)
    found = some(ask(one | {"pendingResources": [*one["pendingResources"], gone]}, other, focus="mine").focus)
    assert (found.kind, found.batch and found.batch.id, found.record) == ("batch", "mine", None)
    assert (found.rows.total, found.expired_rows, found.waits_for_it) == (2, 1, 1)
    assert paths(found) == [
        (["orders:o1", "customers:c1", "locations:l1"], 2, "not_seen"),
        (["orders:o2", "customers:c2"], 1, "not_seen"),
    ]


def test_a_page_of_a_batch_repeats_nothing() -> None:
    rows = [pending(f"orders:o{n}", f"customers:c{n}", expires=5.0 if n < 5 else -1.0) for n in range(9)]
    analysis = analyse(batch("b1", *rows, *ring("refunds:r1", "refunds:r2")))
    pages = [put(analysis, focus="b1", limit=3, offset=at).focus for at in range(0, 9, 3)]
    found = [page for page in pages if page]
    ids = [str(number) for number in range(5)]
    assert [one.record.external_id[1:] for page in found for one in page.missing.items] == ids
    assert [path.records[0].external_id[1:] for page in found for path in page.paths.items] == ids
    assert len({row.id for page in found for row in page.rows.items}) == found[0].rows.total == 7
    assert [names(one.misses)[0][-1] for page in found for one in page.expired.items] == ["5", "6", "7", "8"]
    assert [len(page.cycles) for page in found] == [1, 0, 0]
    assert {(page.cycles_total, page.expired_rows) for page in found} == {(1, 4)}


def test_a_name_of_several_records_is_ambiguous() -> None:
    rows = [pending("orders:o1", Ref("sd_a", "x", "things")), pending(Ref("sd_b", "x", "things"), "customers:c1")]
    found = focus("things:x", *rows)
    assert (found.ambiguous, found.kind, found.record and found.record.schema_id) == (True, "pending", "sd_b")
    assert [one.schema_id for one in found.alternatives] == ["sd_a"]
    assert {one.schema for one in found.alternatives} == {"sd_a"}


def ring(*members: str) -> list[Json]:
    return [pending(one, after) for one, after in zip(members, (*members[1:], members[0]), strict=True)]


def test_every_cycle_that_a_record_waits_behind_is_told() -> None:
    rows = [row for name in "abc" for row in ring(f"orders:{name}1", f"orders:{name}2")]
    behind = pending("refunds:r1", "orders:a1", "orders:b1", "orders:c1", "customers:c1")
    found = focus("refunds:r1", *rows, behind, *ring("orders:z1", "orders:z2"))
    assert (found.cycles_total, len(found.cycles)) == (3, 3)
    assert {tuple(sorted(names(cycle.members.items))) for cycle in found.cycles} == {
        (f"orders:{name}1", f"orders:{name}2") for name in "abc"
    }
    assert [ends[-1] for ends, _, _ in paths(found)] == ["customers:c1"]


@pytest.mark.parametrize(("length", "shown"), [(19, 20), (20, 20), (300, 20)])
def test_a_path_is_whole_up_to_twenty_records(length: int, shown: int) -> None:
    rows = [pending(f"orders:o{n}", f"orders:o{n + 1}" if n + 1 < length else "customers:c1") for n in range(length)]
    (path,) = focus("orders:o0", *rows).paths.items
    ids = names(path.records)
    assert (path.steps, len(ids)) == (length, shown)
    assert ids[:10] == [f"orders:o{n}" for n in range(10)]
    assert ids[-9:] == [*(f"orders:o{n}" for n in range(length - 8, length)), "customers:c1"]


def test_a_chain_of_ten_thousand_rows_with_a_root_each_is_walked_once() -> None:
    length = 10_000
    rows = [pending(f"o:{n}", *([f"o:{n + 1}"] if n + 1 < length else []), f"m:{n}") for n in range(length)]
    analysis = analyse(batch("b1", *rows))
    answer = put(analysis, focus="o:0", offset=length - 1)
    (path,) = some(answer.focus).paths.items
    assert (some(answer.focus).paths.total, path.steps, names(path.records)[-1]) == (length, 10_000, "m:9999")
    assert put(analysis, view="blockers", offset=length - 1).blockers is not None


def test_a_focus_takes_the_place_of_the_summary_and_of_a_view() -> None:
    assert ask(batch("b1", *CHAIN), focus="orders:o1").blockers is None
    answer = ask(batch("b1", *CHAIN), focus="orders:o1", view="blockers", cause="failed")
    assert answer.focus
    assert answer.blockers is None
    said = [note.split(",")[0] for note in answer.notes]
    assert said == [
        "view=blockers is a list of all records",
        "cause restricts missing records and the plan alone (view=blockers",
    ]
