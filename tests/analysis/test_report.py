"""The answer to a question: views, tally, counts, paging, deadline, notes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reach_mcp.analysis.report import Question, explain
from reach_mcp.analysis.results import Explanation, View
from reach_mcp.analysis.stop import AnalysisStopped
from tests.analysis.asking import HOUR, analyse, ask, names, put, some
from tests.builders import NOW_SECONDS, Json, Ref, batch, decode, pending

# orders:o1, o2 -> customers:c1 -> locations:l1   orders:o3 -> products:p1 (failed)   refunds:r1 <-> refunds:r2 <- r3
STORY = (
    batch(
        "orders",
        pending("orders:o1", "customers:c1", expires=0.5),
        pending("orders:o2", "customers:c1", expires=5.0),
        pending("orders:o3", "products:p1", "locations:l1", expires=30.0),
        pending("orders:o4", expires=31.0),
        pending("orders:o5", "customers:c5", expires=-1.0),
        schema="orders",
    ),
    batch("customers", pending("customers:c1", "locations:l1", expires=6.0), schema="customers", pendingRecords=4),
    batch("products", schema="products", failed={"p1": (["The price is missing"], ["VALIDATION"])}, pendingRecords=500),
    batch(
        "refunds",
        pending("refunds:r1", "refunds:r2", expires=9.0),
        pending("refunds:r2", "refunds:r1", expires=8.0),
        pending("refunds:r3", "refunds:r1", expires=7.0),
        schema="refunds",
    ),
)


def test_a_summary_has_every_part_in_brief() -> None:
    answer = ask(*STORY)
    counts, blockers, plan = answer.counts, some(answer.blockers).items, some(answer.plan)
    assert (counts.pending, counts.batches, counts.missing_records, counts.expired) == (8, 3, 2, 1)
    assert (counts.cleared_by_plan, counts.stuck, counts.lists_nothing) == (4, 3, 1)
    assert (counts.in_cycles, counts.cycles) == (2, 1)
    found = [(one.rank, one.record.name, one.waiting, one.direct, one.frees) for one in blockers]
    assert found == [(1, "locations:l1", 4, 2, 3), (2, "products:p1", 1, 1, 0)]
    assert (blockers[0].batches, blockers[0].earliest_expiry) == (2, NOW_SECONDS + HOUR / 2)
    steps = [(step.record.name, step.gain, step.running_total, step.finding.cause) for step in plan.steps.items]
    assert steps == [("locations:l1", 3, 3, "not_seen"), ("products:p1", 1, 4, "failed")]
    order = plan.upload_order.schemas
    assert (plan.cleared_by_all, order.index(("customers",)) < order.index(("orders",))) == (4, True)
    cycle, chains, expiry = some(answer.cycles).items[0], some(answer.chains), some(answer.expiry)
    assert (names(cycle.members.items), cycle.behind) == (["refunds:r1", "refunds:r2"], 1)
    assert (expiry.within_hour, expiry.within_day, expiry.later) == (1, 6, 2)
    assert (some(answer.expired).total, some(answer.expired).batches) == (1, (("orders", "orders", 1),))
    assert (names(chains.longest), chains.longest_steps) == (["orders:o1", "customers:c1", "locations:l1"], 2)
    assert some(answer.counters).items[0].batch_id == "products"
    assert (answer.resources, answer.token, answer.skipped, answer.view) == (None, "", (), "summary")


def test_the_tally_counts_a_row_once_per_cause_whatever_cause_is_asked_for() -> None:
    answer = ask(*STORY, cause="failed")
    tally = [("not_seen", "send", 1, 4), ("cycle", "break_cycle", 2, 3), ("failed", "correct_and_resend", 1, 1)]
    assert [(one.cause, one.action, one.records, one.waiting) for one in answer.tally] == tally
    for listed in (some(answer.blockers), some(answer.plan).steps):
        assert (names(one.record for one in listed.items), listed.total) == (["products:p1"], 1)
    filtered = [(one.cause, one.records, one.waiting) for one in ask(*STORY, schema="customers").tally]
    assert (answer.cause, filtered) == ("failed", [("not_seen", 1, 1)])


def test_a_cycle_as_cause_is_answered_with_where_cycles_are() -> None:
    answer = ask(*STORY, view="blockers", cause="cycle")
    assert some(answer.blockers).total == 0
    assert any("view=cycles" in note for note in answer.notes)


@pytest.mark.parametrize(
    ("order", "first"), [("waiting", "customers:many"), ("frees", "customers:free"), ("expiry", "customers:soon")]
)
def test_missing_records_have_three_orders(order: str, first: str) -> None:
    rows = [
        *(pending(f"orders:m{n}", "customers:many", f"customers:p{n}") for n in range(3)),
        *(pending(f"orders:f{n}", "customers:free", expires=7.0) for n in range(2)),
        pending("orders:s", "customers:soon", "customers:t", expires=1.0),
    ]
    answer = ask(batch("b1", *rows), view="blockers", order=order)
    assert (some(answer.blockers).items[0].record.name, answer.order) == (first, order)


def many(count: int) -> list[Json]:
    return [
        pending(
            f"orders:o{n:03}",
            *(f"customers:c{m:03}" for m in range(n // 20, count // 20)),
            expires=-1.0 if n % 7 else n + 1,
        )
        for n in range(count)
    ] + [row for n in range(60) for row in (pending(f"x:a{n}", f"x:b{n}", expires=n), pending(f"x:b{n}", f"x:a{n}"))]


SECTIONS: dict[View, Callable[[Explanation], object]] = {
    "blockers": lambda answer: answer.blockers,
    "plan": lambda answer: answer.plan and answer.plan.steps,
    "expiry": lambda answer: answer.expiry and answer.expiry.hours,
    "expired": lambda answer: answer.expired and answer.expired.records,
    "cycles": lambda answer: answer.cycles,
    "resources": lambda answer: answer.resources,
    "counters": lambda answer: answer.counters,
}


@pytest.mark.parametrize("view", SECTIONS)
def test_pages_of_a_view_join_to_the_whole_and_end_with_the_total(view: View) -> None:
    analysis = analyse(batch("b1", *many(200)), *(batch(f"n{n}", pendingRecords=n) for n in range(1, 60)))

    def page(limit: int | None, offset: int) -> object:
        return SECTIONS[view](put(analysis, view=view, limit=limit, offset=offset))

    whole, beyond, default = page(1000, 0), page(7, 10**19), page(None, 0)
    joined = [one for at in range(0, whole.total, 7) for one in page(7, at).items]  # type: ignore[attr-defined]
    assert joined == list(whole.items)  # type: ignore[attr-defined]
    assert (beyond.items, beyond.total) == ((), whole.total)  # type: ignore[attr-defined]
    limits = {"blockers": 10, "plan": 20, "expiry": 24, "expired": 50, "cycles": 20, "resources": 50, "counters": 50}
    assert len(default.items) == min(limits[view], whole.total)  # type: ignore[attr-defined]


@pytest.mark.parametrize("view", SECTIONS)
def test_a_view_has_its_own_section_and_the_tally(view: View) -> None:
    answer = ask(*STORY, view=view)
    assert SECTIONS[view](answer) is not None
    assert [name for name in SECTIONS if SECTIONS[name](answer) is not None] == [view]
    assert answer.tally


@pytest.mark.parametrize(("limit", "frees"), [(1, 2), (2, 6), (3, 8), (None, 8)])
def test_a_plan_of_few_records_frees_most_together(limit: int | None, frees: int) -> None:
    both = [pending(f"t:b{n}", "c:l", "l:r") for n in range(6)]
    analysis = analyse(batch("b1", *both, *(pending(f"t:o{n}", "c:one") for n in range(2))))
    for _ in range(2):
        found = some(put(analysis, view="plan", limit=limit).plan)
        assert found.steps.items[-1].running_total == frees


def test_the_oldest_batch_is_of_those_that_hold_live_resources() -> None:
    gone = batch("gone", pending("o:1", "c:1", expires=-1.0), created=-90.0)
    batches = [batch(name, pending(f"o:{name}", "c:1"), created=at) for name, at in (("new", -2.0), ("old", -8.0))]
    assert ask(gone, *batches, batch("undated", pending("o:u", "c:1"), created=None)).oldest_batch == (
        "old",
        "transactions",
        NOW_SECONDS - 8 * HOUR,
    )
    assert ask(gone).oldest_batch is None


def test_resources_come_soonest_lost_first() -> None:
    answer = ask(*STORY, batch("late", pending("orders:o9", "customers:c1", expires="never")), view="resources")
    assert names(one.record for one in some(answer.resources).items)[:2] == ["orders:o1", "orders:o2"]
    last = some(answer.resources).items[-1]
    assert (last.record.name, last.batch_id, last.expires_at, names(last.misses)) == (
        "orders:o9",
        "late",
        None,
        ["customers:c1"],
    )


# --- counters and notes --------------------------------------------------------------------------------------------


def counters(*batches: Json) -> list[tuple[str, int | None, int, int, int]]:
    found = some(ask(*batches, view="counters").counters)
    return [(one.batch_id, one.counter, one.listed, one.expired, one.unreadable) for one in found.items]


def test_counters_that_differ_are_listed_with_expired_rows_apart() -> None:
    gone = pending("orders:o1", "customers:c1", expires=-1.0)
    assert counters(batch("b1", gone, pendingRecords=9), batch("b2", pendingRecords=500)) == [
        ("b2", 500, 0, 0, 0),
        ("b1", 9, 1, 1, 0),
    ]


@pytest.mark.parametrize("counter", [0, None])
def test_rows_without_a_counter_are_listed_and_counted(counter: int | None) -> None:
    one = batch("b1", pending("orders:o1", "customers:c1"), pendingRecords=counter)
    assert counters(one) == [("b1", counter, 1, 0, 0)]
    answer = ask(one)
    assert answer.counts.pending == 1
    assert "1 batch lists pending resources although its counter is 0 or absent (b1)." in answer.notes


def test_an_unreadable_row_is_listed_by_the_api() -> None:
    one = decode(batch("b1", pending("orders:o1", "customers:c1"), pendingRecords=2))
    one.unreadable_resources = 1
    answer = put(analyse(one), view="counters")
    assert [(row.counter, row.listed, row.unreadable) for row in some(answer.counters).items] == [(2, 2, 1)]
    assert answer.counts.unreadable_resources == 1


def test_a_row_that_two_batches_list_counts_once_and_is_found_in_both() -> None:
    row = pending("orders:o1", "customers:c1", id="r")
    analysis = analyse(batch("A", row, created=-9.0), batch("B", row, created=-1.0))
    answer = put(analysis, view="counters")
    assert some(answer.counters).total == 0
    counts = answer.counts
    assert (counts.pending, counts.batches, counts.repeated, counts.counters_pending) == (1, 2, 1, 2)
    assert some(put(analysis, focus="B").focus).rows.total == 1
    later = put(analysis, created_after=NOW_SECONDS - 2 * HOUR).counts
    assert (later.pending, later.batches, later.repeated, later.counters_pending) == (1, 1, 0, 1)


def test_an_unreadable_counter_is_named_and_agrees_with_nothing() -> None:
    one = decode(batch("B", pendingRecords=None))
    one.unreadable_counters = ("pendingRecords",)
    answer = put(analyse(one), view="counters")
    assert [(row.counter, row.listed) for row in some(answer.counters).items] == [(None, 0)]
    assert answer.notes == ("The pendingRecords counter of 1 batch is unreadable (B).",)
    assert answer.counts.unreadable_counters == 1


@pytest.mark.parametrize(
    ("batches", "note"),
    [
        ([batch("b", pending("o:1"))], "1 pending resource lists nothing missing and is still pending."),
        (
            [batch("b", pending("o:1"), pending("o:2"))],
            "2 pending resources list nothing missing and are still pending.",
        ),
        (
            [batch("b", pending("o:1", "c:1", expires="soon"))],
            "1 pending resource has no readable expiry and counts as live (pr_o_1).",
        ),
        (
            [batch("b", *(pending(f"o:{n}", "c:1", expires="soon", id=f"r{n}" if n else "r 0") for n in range(5)))],
            "5 pending resources have no readable expiry and count as live (r1, r2, r3, ...).",
        ),
        (
            [batch("b", pending("o:1", "c:1", id="r")), batch("c", pending("o:2", "c:1", id="r"))],
            "2 pending resources share an id with another one, in 2 of the batches (b, c): equal ones count once, "
            "different ones are kept apart.",
        ),
        (
            [batch("b", pending("o:1", Ref("sd_1", "x", "things"), Ref("sd_2", "x", "things")))],
            "One schema name stands for several definitions (things): "
            "their records are shown with the definition id instead.",
        ),
        ([batch("b-1", pendingRecords=3), batch("b 2", pendingRecords=4)],
         "7 pending by counter, no rows listed, in 2 batches (b-1, ...): they are in no other number."),
        ([batch(f"b{n}", pending(f"o:{n}", "c:1"), pendingRecords=0) for n in range(2)],
         "2 batches list pending resources although their counters are 0 or absent (b0, b1)."),
    ],
)  # fmt: skip
def test_notes_are_whole_sentences(batches: list[Json], note: str) -> None:
    assert note in ask(*batches).notes


# --- deadline and repeated questions -------------------------------------------------------------------------------


class Stopper:
    """A checkpoint that ends the work at its n-th call and at each one after it."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise AnalysisStopped


@pytest.mark.parametrize("calls", range(0, 40, 3))
def test_parts_for_which_there_is_no_time_are_left_out_and_named(calls: int) -> None:
    answer = explain(analyse(*STORY), Question(since="start"), checkpoint=Stopper(calls))
    assert (answer.counts.pending, answer.counts.expired, answer.counts.lists_nothing) == (8, 1, 1)
    whole = answer.token and answer.blockers and answer.plan and answer.chains and answer.tally and answer.expiry
    assert bool(answer.skipped) == (not whole)
    assert answer.counts.missing_records == (None if "the number of missing records" in answer.skipped else 2)
    outcome = (answer.counts.cleared_by_plan, answer.counts.stuck, answer.counts.in_cycles, answer.counts.cycles)
    assert outcome == ((None,) * 4 if "what clears and what is stuck in cycles" in answer.skipped else (4, 3, 2, 1))


def test_without_time_for_the_ranking_missing_records_are_ranked_by_direct_count() -> None:
    analysis = analyse(*STORY)
    assert analysis.graph.roots
    answer = explain(analysis, Question(view="blockers"), checkpoint=Stopper(0))
    assert [(one.record.name, one.waiting, one.direct) for one in some(answer.blockers).items] == [
        ("locations:l1", 2, 2),
        ("products:p1", 1, 1),
    ]
    assert "resources that wait through others (missing records are ranked by direct count)" in answer.skipped


@pytest.mark.parametrize(
    "question", [{"focus": "orders:o1"}, {"assume_arrived": ("locations:l1",)}, {"view": "plan"}, {"cause": "failed"}]
)
def test_every_question_ends_without_time(question: dict[str, str]) -> None:
    analysis = analyse(*STORY)
    answer = explain(analysis, Question(**question), checkpoint=Stopper(0))  # type: ignore[arg-type]
    assert answer.skipped
    assert put(analysis).skipped == ()


def test_a_plan_that_was_cut_short_is_worked_out_again() -> None:
    analysis = analyse(batch("b1", *many(200)))
    whole = put(analyse(batch("b1", *many(200))), view="plan").plan
    for calls in range(0, 60, 2):
        explain(analysis, Question(view="plan"), checkpoint=Stopper(calls))
    assert put(analysis, view="plan").plan == whole


def test_a_question_that_is_asked_again_has_the_same_answer() -> None:
    analysis = analyse(*STORY)
    assert put(analysis) == put(analysis) == ask(*STORY)


def test_a_filter_that_was_asked_long_ago_is_worked_out_again() -> None:
    analysis = analyse(*STORY)
    first = put(analysis, created_after=NOW_SECONDS - 5 * HOUR)
    for hours in range(6, 20):
        put(analysis, created_after=NOW_SECONDS - hours * HOUR)
    assert put(analysis, created_after=NOW_SECONDS - 5 * HOUR) == first
