"""Whole calls through each fault: what `docs/faults.md` says is what happens."""

from __future__ import annotations

import pytest

from tests.faults.site import Site
from tests.faults.table import FAULTS, PAGE, SLACK, Fault, meet, row, write_page

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("without_waits")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_call_through_a_fault_ends_as_the_page_says(fault: Fault, site: Site) -> None:
    """Told what to do, within the deadline, at the cost of few requests; and the next call knows nothing of it."""
    outcome = await meet(fault, site)

    assert row(fault, outcome) in PAGE.read_text(encoding="utf-8").splitlines()
    assert outcome.seconds < fault.deadline + SLACK
    assert outcome.next_works
    assert site.tally()["elsewhere"] == 0


def test_page_holds_each_fault_once_and_nothing_else() -> None:
    """A fault that is no longer met must not be told of."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]

    assert text == write_page(rows)
    assert [line.split(" | ")[0].removeprefix("| ") for line in rows] == [fault.name for fault in FAULTS]
