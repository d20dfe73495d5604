"""What changed since a token: bounds that are always true, and exact counts where the token can know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.results import Changes
from reach_mcp.analysis.tokens import MAX_TOKEN_CHARS, TokenBinding
from reach_mcp.api.pagination import Coverage
from tests.analysis.asking import HOUR, ask, some
from tests.builders import NOW_SECONDS, Json, Key, Ref, Time, batch, pending

PARTIAL = Coverage(pages=1, batches=1, total=9, stop="deadline")


def row(number: int, *missing: Key, expires: Time = 6.0, created: Time = -1.0) -> Json:
    return pending(f"transactions:t{number}", *(missing or ("customers:c1",)), expires=expires, created=created)


def changes(before: list[Json], now: list[Json], *, hours: float = 1.0, **question: Any) -> Changes:
    token = ask(batch("b1", *before), since="start", **question).token
    return some(ask(batch("b1", *now), at=hours, since=token, **question).changes)


def test_a_start_gives_a_token_and_no_changes() -> None:
    answer = ask(batch("b1", row(1)), since="start")
    assert answer.changes is None
    assert 0 < len(answer.token) <= MAX_TOKEN_CHARS
    assert ask(batch("b1", row(1))).token == ""


def test_a_token_gives_the_changes_and_the_next_token() -> None:
    first = ask(batch("b1", row(1)), since="start").token
    second = ask(batch("b1", row(1)), at=1, since=first)
    assert some(second.changes).unchanged
    assert some(second.changes).since == NOW_SECONDS
    third = some(ask(batch("b1", row(1)), at=2, since=f" `{second.token}`").changes)
    assert third.since == NOW_SECONDS + HOUR


def test_a_dependency_that_arrives_is_named() -> None:
    found = changes([row(1, "customers:c1", "locations:l1")], [row(1, "customers:c1")])
    assert (found.new_at_least, found.gone_at_least, found.exact, found.unchanged) == (0, 0, True, False)
    assert (found.missing_before, found.missing_now) == (2, 1)
    assert [(one.record and one.record.name, one.before, one.now) for one in found.moved] == [("locations:l1", 1, 0)]


def test_a_record_whose_name_does_not_fit_into_the_token_is_in_the_count_alone() -> None:
    long = "locations:" + "l" * 200
    found = changes([row(1, "customers:c1", long)], [row(1, "customers:c1")])
    assert (found.moved, found.missing_before, found.missing_now, found.unchanged) == ((), 2, 1, False)


def test_a_missing_record_of_which_nothing_is_read_any_more_keeps_its_name() -> None:
    token = ask(batch("b1", row(1, Ref("sd_l", "l1", "places"))), since="start").token
    found = some(ask(batch("b1"), at=1, since=token).changes)
    assert [(one.record and one.record.name, one.before, one.now) for one in found.moved] == [("places:l1", 1, 0)]


def test_a_record_that_is_newly_missing_is_named() -> None:
    found = changes([row(1)], [row(1, "customers:c1", "customers:c2")])
    assert [(one.record and one.record.name, one.before, one.now) for one in found.moved] == [("customers:c2", 0, 1)]


def test_a_link_that_moves_between_rows_is_a_change() -> None:
    found = changes([row(1, "customers:c1"), row(2, "customers:c2")], [row(1, "customers:c2"), row(2, "customers:c1")])
    assert (found.moved, found.exact, found.unchanged) == ((), True, False)


@pytest.mark.parametrize(("hours", "within"), [(0.5, 2), (1.0, 2), (5, 3), (20, 4), (60, 5), (100, 6), (200, 7)])
def test_the_number_of_expired_rows_is_bounded_by_the_hours_passed(hours: float, within: int) -> None:
    due = [1.0, 6.0, 24.0, 72.0, 168.0, 400.0]
    before = [*(row(n, expires=time) for n, time in enumerate(due)), row(9, expires="soon")]
    assert changes(before, [], hours=hours).expired_at_most == within


def test_rows_created_later_are_new_whatever_else_is_gone() -> None:
    before = [row(n) for n in range(20)]
    now = [row(n, created=0.5) for n in range(20, 40)]
    found = changes(before, now)
    assert (found.new_at_least, found.gone_at_least, found.exact) == (20, 20, True)


def test_a_relative_time_filter_compares_the_same_batches() -> None:
    rows = [row(1), row(2)]
    one = batch("b1", *rows, created=-23.5)
    token = ask(one, since="start", created_after=NOW_SECONDS - 24 * HOUR).token
    answer = ask(one, at=1, since=token, created_after=NOW_SECONDS - 23 * HOUR)
    assert some(answer.changes).unchanged
    assert (some(answer.changes).pending_now, answer.counts.pending) == (2, 0)
    assert any("created after 2026-11-22 12:00Z" in note for note in answer.notes)


def test_a_status_filter_that_selects_other_batches_compares_nothing() -> None:
    before = batch("b1", row(1), status="processing")
    token = ask(before, since="start", status="processing").token
    same = some(ask(before, at=1, since=token, status="processing").changes)
    assert same.unchanged
    found = some(ask(batch("b1", row(1), status="partial_success"), at=1, since=token, status="processing").changes)
    assert (found.pending_before, found.pending_now, found.gone_at_least, found.moved) == (None, None, 0, ())
    assert (found.exact, found.unchanged) == (False, False)
    assert "present status" in found.note


def test_what_was_not_read_now_is_not_gone() -> None:
    rows = [row(n, f"customers:c{n}") for n in range(9)]
    token = ask(batch("b1", *rows[:4]), batch("b2", *rows[4:]), since="start").token
    found = some(ask(batch("b1", *rows[:4]), at=1, coverage=PARTIAL, since=token).changes)
    assert (found.pending_before, found.pending_now, found.gone_at_least, found.moved) == (None, None, 0, ())
    assert (found.exact, found.unchanged) == (False, False)
    assert "nothing can be said of the rest" in found.note


def test_what_was_not_read_then_is_not_new() -> None:
    rows = [row(n) for n in range(9)]
    token = ask(batch("b1", *rows[:4]), coverage=PARTIAL, since="start").token
    found = some(ask(batch("b1", *rows), at=1, since=token).changes)
    assert (found.new_at_least, found.gone_at_least, found.exact) == (0, 0, False)
    assert (found.pending_before, found.pending_now, found.missing_before, found.missing_now) == (None,) * 4
    assert "earlier reading was incomplete" in found.note


def test_an_incomplete_reading_gives_back_the_complete_token_that_was_given() -> None:
    rows = [row(number) for number in range(6)]
    token = ask(batch("b1", *rows), since="start").token
    part = ask(batch("b1", *rows[:3]), at=1, coverage=PARTIAL, since=token)
    found = some(ask(batch("b1", *rows[:4]), at=2, since=part.token).changes)

    assert part.token == token
    assert (found.pending_before, found.pending_now) == (6, 4)
    unfinished = ask(batch("b1", *rows), coverage=PARTIAL, since="start").token
    assert ask(batch("b1", *rows), at=1, coverage=PARTIAL, since=unfinished).token != unfinished


@pytest.mark.parametrize("key", [b"", b"a key that all replicas share"])
def test_a_token_is_bound_to_tenant_and_filter(key: bytes) -> None:
    one = batch("b1", row(1))
    token = ask(one, since="start", schema="transactions", binding=TokenBinding("acme", key)).token
    assert ask(one, since=token, schema="Transactions", binding=TokenBinding("acme", key)).changes
    for binding, schema in ((TokenBinding("other", key), "transactions"), (TokenBinding("acme", key), "")):
        with pytest.raises(QuestionError, match="another tenant or other filters"):
            ask(one, since=token, schema=schema, binding=binding)


def test_a_token_made_with_another_key_is_refused() -> None:
    forged = ask(batch("b1", row(1)), since="start").token
    with pytest.raises(QuestionError):
        ask(batch("b1", row(1)), since=forged, binding=TokenBinding(key=b"ours"))


@pytest.mark.parametrize(
    "text", ["yesterday", "s4", "s4" + "A" * 120, "s4" + "A" * 17, "s3" + "1" * 100, "s4" + "é" * 40, "x" * 10_000]
)
def test_other_texts_are_refused_with_advice(text: str) -> None:
    with pytest.raises(QuestionError) as refused:
        ask(batch("b1", row(1)), since=text)
    assert 'since="start"' in refused.value.advice


def test_every_changed_character_is_noticed() -> None:
    token = ask(batch("b1", row(1)), since="start").token
    for place in range(2, len(token)):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        if place == len(token) - 1 and len(token) % 4 != 2:
            continue  # the last character may hold bits that are not part of the text
        with pytest.raises(QuestionError):
            ask(batch("b1", row(1)), since=altered)


@dataclass(frozen=True)
class Row:
    number: int
    expires: float
    created: float
    missing: tuple[int, ...]

    def json(self) -> Json:
        return row(self.number, *(f"customers:c{n}" for n in self.missing), expires=self.expires, created=self.created)


ROWS = st.lists(
    st.builds(
        Row,
        number=st.integers(0, 40),
        expires=st.floats(-1, 10).map(lambda hours: round(hours, 2)),
        created=st.sampled_from([-5.0, -3.0, -1.0]),
        missing=st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True).map(tuple),
    ),
    unique_by=lambda one: one.number,
    max_size=40,
)


@given(rows=ROWS, fresh=ROWS, hours=st.sampled_from([0.0, 0.5, 2.0, 8.0]), data=st.data())
def test_bounds_are_true_against_sets(rows: list[Row], fresh: list[Row], hours: float, data: st.DataObject) -> None:
    kept = [one for one in rows if data.draw(st.booleans())]
    taken = {one.number for one in rows}
    now = kept + [one for one in fresh if one.number not in taken]
    found = changes([one.json() for one in rows], [one.json() for one in now], hours=hours)
    live_before = {one.number: one for one in rows if one.expires > 0}
    live_now = {one.number: one for one in now if one.expires > hours}
    new, gone = live_now.keys() - live_before.keys(), live_before.keys() - live_now.keys()
    expired = [number for number in gone if live_before[number].expires <= hours]
    assert (found.pending_before, found.pending_now) == (len(live_before), len(live_now))
    assert len(new) - len(gone) == found.new_at_least - found.gone_at_least
    assert found.new_at_least <= len(new)
    assert found.gone_at_least <= len(gone)
    assert len(expired) <= found.expired_at_most <= len(live_before)
    if found.exact:
        assert (found.new_at_least, found.gone_at_least) == (len(new), len(gone))
    if found.unchanged:
        assert not new
        assert not gone
    missing_before = {n for one in live_before.values() for n in one.missing}
    missing_now = {n for one in live_now.values() for n in one.missing}
    assert (found.missing_before, found.missing_now) == (len(missing_before), len(missing_now))
