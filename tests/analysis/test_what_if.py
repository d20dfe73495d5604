"""What clears if some records arrived."""

from __future__ import annotations

from typing import Any

from reach_mcp.analysis.results import WhatIf
from tests.analysis.asking import ask, names, some
from tests.builders import Json, Ref, batch, pending

# orders:o1 -> customers:c1 -> locations:l1      orders:o2 -> customers:c1, customers:c2      orders:o3 <-> orders:o4
ROWS = [
    pending("orders:o1", "customers:c1"),
    pending("orders:o2", "customers:c1", "customers:c2"),
    pending("customers:c1", "locations:l1"),
    pending("orders:o3", "orders:o4"),
    pending("orders:o4", "orders:o3", "customers:c9"),
]


def assume(*arrived: str, rows: list[Json] = ROWS, **question: Any) -> WhatIf:
    return some(ask(batch("b1", *rows), assume_arrived=arrived, **question).what_if)


def holders(found: WhatIf) -> list[tuple[str, int]]:
    return [(one.record.name, one.waiting) for one in found.missing.items]


def test_rows_clear_in_rounds() -> None:
    found = assume("locations:l1")
    assert (found.cleared, found.rounds, found.still_waiting, found.stuck) == (2, (1, 1), 3, 2)
    assert holders(found) == [("customers:c9", 2), ("customers:c2", 1)]
    assert names(found.assumed) == ["locations:l1"]


def test_an_assumption_can_open_a_cycle() -> None:
    found = assume("orders:o4")
    assert (found.cleared, found.still_waiting, found.stuck) == (1, 4, 0)
    assert ("customers:c9", 1) in holders(found)


def test_a_pending_record_that_is_assumed_still_waits_itself() -> None:
    found = assume("customers:c1")
    assert (found.cleared, found.still_waiting) == (1, 4)
    assert ("locations:l1", 1) in holders(found)


def test_names_for_which_nothing_waits_are_named() -> None:
    found = assume("customers:none", "orders:o1", "nonsense", "customers:none")
    assert found.not_waited_for == ("customers:none", "orders:o1", "nonsense")
    assert (found.cleared, found.still_waiting) == (0, 5)


def test_an_ambiguous_name_means_all_that_it_stands_for() -> None:
    rows = [pending("orders:o1", Ref("sd_a", "x", "things")), pending("orders:o2", Ref("sd_b", "x", "things"))]
    found = assume("things:x", rows=rows)
    assert (found.cleared, len(found.assumed)) == (2, 2)


def test_counts_are_of_the_selected_rows() -> None:
    batches = [batch("b1", *ROWS[:2], *ROWS[3:], schema="orders"), batch("b2", ROWS[2], schema="customers")]
    found = some(ask(*batches, assume_arrived=("locations:l1",), schema="orders").what_if)
    assert (found.cleared, found.rounds, found.still_waiting) == (1, (0, 1), 3)


def test_rows_that_list_nothing_are_neither_cleared_nor_waiting() -> None:
    found = assume("customers:c1", rows=[pending("orders:o1", "customers:c1"), pending("orders:o2")])
    assert (found.cleared, found.still_waiting) == (1, 0)


def test_what_is_still_missing_is_paged() -> None:
    rows = [pending(f"orders:o{n}", *(f"customers:c{m}" for m in range(n + 1))) for n in range(5)]
    found = assume("customers:c0", rows=rows, limit=2, offset=1)
    assert (holders(found), found.missing.total) == ([("customers:c2", 3), ("customers:c3", 2)], 4)
