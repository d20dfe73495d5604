"""What changed since a token: exact where the token can know, a bound where it can't."""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.analysis.changes import (
    NAMED,
    VERSION,
    Changes,
    TokenRefused,
    compare,
    read_token,
    take_snapshot,
    write_token,
)
from reach_mcp.analysis.evidence import EvidenceBuilder
from reach_mcp.analysis.expiry import sum_expiry
from reach_mcp.analysis.explanation import explain
from reach_mcp.analysis.graph import DependencyGraph, GraphBuilder
from reach_mcp.analysis.handles import find_handle
from tests.builders import NOW, as_read, batch, pending
from tests.contract.tokens import count_tokens
from tests.strategies import tenants

NOW_SECONDS = NOW.timestamp()
QUESTION = '["northwind"]'


def _graph(*batches: dict[str, Any], since: float = float("inf")) -> DependencyGraph:
    builder = GraphBuilder(since=since)
    for one in batches:
        builder.add(as_read(one))
    return builder.build()


def _token(graph: DependencyGraph, *, question: str = QUESTION, now: float = NOW_SECONDS) -> str:
    result = explain(graph, EvidenceBuilder(), now=now, count=NAMED, question=question)
    return write_token(result.snapshot)


def _changes(token: str, *batches: dict[str, Any], hours: float = 0.5) -> tuple[DependencyGraph, Changes]:
    before = read_token(token, question=QUESTION)
    graph = _graph(*batches, since=before.newest)
    return graph, compare(graph, before, new=graph.new, now=NOW_SECONDS + 3600 * hours)


def test_the_same_rows_in_another_order_are_nothing_moved() -> None:
    """A poller that is told of changes that are none stops believing them."""
    rows = [pending("t/1", "c/1", created=-3), pending("t/2", "c/2", created=-2), pending("t/3", "c/1", created=-1)]

    _, changes = _changes(_token(_graph(batch("b1", *rows))), batch("b1", *reversed(rows)))

    assert changes == Changes(
        since=int(NOW_SECONDS),
        same=True,
        before=3,
        now=3,
        new=0,
        gone=0,
        expired_at_most=0,
        roots_before=2,
        roots_now=2,
        moved=(),
        unchanged=2,
    )


def test_new_cleared_and_expired_rows_are_told_apart_as_far_as_a_token_can() -> None:
    """Rows that are gone may have cleared or expired: the token knows how many could expire, no more."""
    stays, gone = pending("t/1", "c/1", created=-3, expires=9), pending("t/2", "c/2", created=-3, expires=0.2)
    also_gone, new = pending("t/3", "c/2", created=-3, expires=9), pending("t/4", "c/9", created=0.1, expires=20)
    token = _token(_graph(batch("b1", stays, gone, also_gone)))

    graph, changes = _changes(token, batch("b1", stays), batch("b2", new))

    assert (changes.before, changes.now, changes.new, changes.gone, changes.expired_at_most) == (3, 2, 1, 2, 1)
    assert (changes.same, changes.roots_before, changes.roots_now, changes.unchanged) == (False, 2, 2, 1)
    (moved,) = changes.moved
    assert (moved.key, moved.before, moved.now) == (None, 2, 0)
    assert find_handle(_graph(batch("b1", stays, gone, also_gone)), moved.handle) != []
    assert find_handle(graph, moved.handle) == []


def test_a_blocker_that_more_rows_wait_for_is_named_with_both_counts() -> None:
    """The question of a poller is which blocker grew."""
    first = pending("t/1", "c/1", created=-3)
    token = _token(_graph(batch("b1", first)))

    graph, changes = _changes(token, batch("b1", first, pending("t/2", "c/1", created=0.1)))

    (moved,) = changes.moved
    assert (moved.before, moved.now) == (1, 2)
    assert moved.key is not None
    assert graph.key(moved.key) == ("sd_c", "1")


@pytest.mark.parametrize(
    ("hours", "bound"), [(0.5, 1), (3, 2), (12, 3), (30, 4)], ids=["an hour", "six hours", "a day", "longer"]
)
def test_what_can_have_expired_is_bounded_by_the_least_span_that_covers_it(hours: float, bound: int) -> None:
    """A tighter bound than the token knows would be a guess."""
    rows = [pending(f"t/{number}", "c/1", expires=at) for number, at in enumerate((0.5, 3, 12, 40))]

    _, changes = _changes(_token(_graph(batch("b1", *rows))), hours=hours)

    assert (changes.gone, changes.expired_at_most) == (4, bound)


def test_rows_without_a_readable_time_of_storing_are_never_new() -> None:
    """A time without a zone is not guessed; the row still counts in the totals."""
    old = pending("t/1", "c/1", created=-3)
    token = _token(_graph(batch("b1", old, pending("t/2", "c/1", created="soon"))))

    _, changes = _changes(token, batch("b1", old, pending("t/3", "c/1", created="later")))

    assert (changes.before, changes.now, changes.new, changes.gone) == (2, 2, 0, 0)


def test_an_empty_tenant_gives_a_token_as_well() -> None:
    """Polling starts before anything waits; then every row is new."""
    row = pending("t/1", "c/1", created=1)

    _, changes = _changes(_token(_graph()), batch("b1", row))

    assert (changes.before, changes.now, changes.new, changes.gone, changes.same) == (0, 1, 1, 0, False)


@given(tenants(conflicts=False))
def test_any_token_is_short_reads_back_whole_and_finds_nothing_moved(
    batches: list[dict[str, Any]],
) -> None:
    """Whatever the data, a token fits an argument, and the same data is the same."""
    graph = _graph(*batches)
    result = explain(graph, EvidenceBuilder(), now=NOW_SECONDS, count=NAMED, question=QUESTION)
    token = write_token(result.snapshot)

    before = read_token(token, question=QUESTION)

    assert len(token) <= 600
    assert token.replace("-", "").replace("_", "").isalnum()
    assert (before.rows, before.roots, before.blockers) == (graph.rows, len(graph.roots), result.snapshot.blockers)
    again = compare(_graph(*batches, since=before.newest), before, new=0, now=NOW_SECONDS)
    assert (again.same, again.moved, again.gone) == (True, (), 0)


@given(st.text(max_size=60) | st.binary(max_size=200).map(bytes.hex))
def test_any_text_that_is_no_token_is_refused(text: str) -> None:
    """A token comes back from a language model: cut, changed or invented."""
    with pytest.raises(TokenRefused):
        read_token(text, question=QUESTION)


def test_a_token_of_another_question_is_refused() -> None:
    """Compared with another tenant's rows, everything would seem to have moved."""
    token = _token(_graph(batch("b1", pending("t/1", "c/1"))), question='["other"]')

    with pytest.raises(TokenRefused, match="another tenant or other filters"):
        read_token(token, question=QUESTION)


def test_a_snapshot_counts_what_expires_within_each_span() -> None:
    """These counts are what bounds the expired rows later on."""
    graph = _graph(batch("b1", *(pending(f"t/{n}", "c/1", expires=at) for n, at in enumerate((-1, 0.5, 3, 12, 40)))))

    snapshot = take_snapshot(graph, question="", now=NOW_SECONDS, waiting=[], expiry=sum_expiry(graph, NOW_SECONDS))

    assert (snapshot.expired, snapshot.within) == (1, (1, 2, 3))
    assert snapshot.as_of == int((NOW + timedelta(0)).timestamp())


def test_the_newest_row_is_found_among_times_of_several_zones() -> None:
    """Texts of one form sort as times do; others must not: an hour lost would hide new rows."""
    rows = [
        pending("t/1", "c/1", created="2026-11-23T13:00:00+02:00"),
        pending("t/2", "c/1", created="2026-11-23T12:00:00Z"),
    ]

    assert _graph(batch("b1", *rows)).newest == NOW_SECONDS


def test_a_token_costs_fifty_tokens_at_most_for_six_blockers() -> None:
    """It stands twice in every answer: each token of it is a blocker that is not shown."""
    rows = [pending(f"t/{n}", f"c/{n % 9}", created="2026-11-23T10:00:00.123Z") for n in range(900)]

    token = _token(_graph(batch("b1", *rows)))

    assert count_tokens(token) <= 50


@pytest.mark.parametrize("created", ["0001-01-02T00:00:00Z", "9999-12-30T23:59:59.999999Z", "2026-11-23T10:00:00.1Z"])
def test_the_newest_row_of_any_year_is_not_new_the_next_time(created: str) -> None:
    """A time that comes back rounded would show rows as new that are not, or hide those that are."""
    row = pending("t/1", "c/1", created=created)

    graph, changes = _changes(_token(_graph(batch("b1", row))), batch("b1", row))

    assert (changes.new, changes.same) == (0, True)
    assert graph.newest == read_token(_token(graph), question=QUESTION).newest


@pytest.mark.parametrize("digits", ["", "1" * 20, "0" * 25, "0" * 25 + "3", "0" * 25 + "912"])
def test_a_token_that_was_made_up_with_a_right_check_is_refused(digits: str) -> None:
    """The check is no secret: what passes it is read with the same care."""
    body = f"{VERSION}{digits}"

    with pytest.raises(TokenRefused, match="not a token that this server gave"):
        read_token(f"{body}{zlib.crc32(body.encode()) % 10**6:06}", question=QUESTION)


def test_a_token_with_one_digit_copied_wrongly_is_refused() -> None:
    """A model that copies a hundred digits may slip."""
    token = _token(_graph(batch("b1", pending("t/1", "c/1"))))
    place = len(token) // 2
    wrong = token[:place] + str((int(token[place]) + 1) % 10) + token[place + 1 :]

    assert read_token(token, question=QUESTION).rows == 1
    with pytest.raises(TokenRefused, match="or it was cut"):
        read_token(wrong, question=QUESTION)
