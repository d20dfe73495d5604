"""The oracle on examples small enough to work out by hand.

In the drawings `a -> b` means that a's row lists b as missing; a key in brackets is a root blocker.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given

from tests.builders import NOW, Json, batch, pending, split_key
from tests.oracle import Key, Oracle
from tests.strategies import reordered, tenants


def oracle(*rows: Json) -> Oracle:
    return Oracle([batch("b1", *rows)])


def key(text: str) -> Key:
    schema, external_id = split_key(text)
    return f"sd_{schema}", external_id


def ids(*keys: str) -> set[str]:
    """Ids that `pending` gives to rows of these keys."""
    return {f"pr_{text}" for text in keys}


def test_a_chain_waits_whole_and_clears_from_its_end() -> None:
    """t/1 -> o/1 -> c/1 -> [l/1]"""
    chain = oracle(pending("t/1", "o/1"), pending("o/1", "c/1"), pending("c/1", "l/1"))

    assert chain.root_blockers == {key("l/1")}
    assert chain.direct(key("l/1")) == ids("c/1")
    assert chain.waiting(key("l/1")) == ids("t/1", "o/1", "c/1")
    assert chain.clears([key("l/1")]) == (ids("t/1", "o/1", "c/1"), [ids("c/1"), ids("o/1"), ids("t/1")])
    assert [chain.chain_depth(f"pr_{text}") for text in ("c/1", "o/1", "t/1")] == [1, 2, 3]
    assert [chain.arrival(key(text)) for text in ("l/1", "c/1", "o/1", "t/1")] == [0, 1, 2, 3]
    assert (chain.stuck(), chain.circles()) == (set(), set())


def test_what_waits_for_two_keys_is_freed_by_neither_alone() -> None:
    r"""
    t/1 -> [c/1]
       \-> [l/1]
    """
    both = oracle(pending("t/1", "c/1", "l/1"))

    assert both.waiting(key("c/1")) == both.waiting(key("l/1")) == ids("t/1")
    assert both.frees(key("c/1")) == both.frees(key("l/1")) == set()
    assert both.frees(key("c/1"), sent=[key("l/1")]) == ids("t/1")
    assert both.best_next() == {key("c/1"), key("l/1")}
    assert both.best_next([key("l/1")]) == {key("c/1")}
    assert both.best_next([key("c/1"), key("l/1")]) == set()


def test_a_row_counts_once_however_many_paths_lead_to_it() -> None:
    r"""
    t/1 -> o/1 -> [c/1]
       \-> o/2 ---/
    """
    diamond = oracle(pending("t/1", "o/1", "o/2"), pending("o/1", "c/1"), pending("o/2", "c/1"))

    assert diamond.direct(key("c/1")) == ids("o/1", "o/2")
    assert diamond.waiting(key("c/1")) == diamond.frees(key("c/1")) == ids("t/1", "o/1", "o/2")


def test_depth_follows_the_dependency_that_arrives_last() -> None:
    r"""
    t/1 -> o/1 -> c/1 -> [l/1]
       \-> [l/2]
    """
    uneven = oracle(pending("t/1", "l/2", "o/1"), pending("o/1", "c/1"), pending("c/1", "l/1"))

    assert uneven.chain_depth("pr_t/1") == 3
    assert uneven.waiting(key("l/2")) == ids("t/1")
    assert uneven.frees(key("l/1")) == ids("o/1", "c/1")


def test_a_circle_has_no_root_and_holds_what_is_behind_it() -> None:
    r"""
    t/1 -> c/1 -> c/2 -> [l/1]
            ^------/
    """
    circle = oracle(pending("t/1", "c/1"), pending("c/1", "c/2"), pending("c/2", "c/1", "l/1"))

    assert circle.root_blockers == {key("l/1")}
    assert circle.waiting(key("l/1")) == ids("t/1", "c/1", "c/2")
    assert circle.frees(key("l/1")) == set()
    assert circle.stuck() == ids("t/1", "c/1", "c/2")
    assert circle.circles() == {frozenset({key("c/1"), key("c/2")})}
    assert circle.chain_depth("pr_t/1") is None


def test_what_waits_for_itself_is_a_circle_of_one() -> None:
    """c/1 -> c/1, and o/1 -> c/1 is stuck behind it without being part of it."""
    alone = oracle(pending("c/1", "c/1"), pending("o/1", "c/1"))

    assert alone.root_blockers == set()
    assert alone.best_next() == set()
    assert alone.stuck() == ids("c/1", "o/1")
    assert alone.circles() == {frozenset({key("c/1")})}


def test_circles_that_wait_for_each_other_one_way_are_two() -> None:
    """c/1 <-> c/2 -> o/1 <-> o/2"""
    two = oracle(pending("c/1", "c/2"), pending("c/2", "c/1", "o/1"), pending("o/1", "o/2"), pending("o/2", "o/1"))

    assert two.circles() == {frozenset({key("c/1"), key("c/2")}), frozenset({key("o/1"), key("o/2")})}


def test_a_key_arrives_with_the_first_of_its_rows() -> None:
    r"""
    t/1 -> c/1 (in b1) -> [l/1]
           c/1 (in b2) -> [l/2]
    """
    twice = Oracle(
        [
            batch("b1", pending("t/1", "c/1"), pending("c/1", "l/1", id="x1")),
            batch("b2", pending("c/1", "l/2", id="x2")),
        ]
    )

    assert twice.frees(key("l/1")) == {"x1", "pr_t/1"}
    assert twice.frees(key("l/2")) == {"x2", "pr_t/1"}
    assert twice.waiting(key("l/1")) == {"x1", "pr_t/1"}
    assert twice.frees(key("l/1"), sent=[key("l/2")]) == {"x1"}


def test_a_circle_opens_when_another_row_of_a_member_clears() -> None:
    r"""
    c/1 (in b1) -> c/2 -> c/1
    c/1 (in b2) -> [l/1]
    """
    opened = Oracle(
        [
            batch("b1", pending("c/1", "c/2", id="x1"), pending("c/2", "c/1")),
            batch("b2", pending("c/1", "l/1", id="x2")),
        ]
    )

    assert opened.clears([key("l/1")])[1] == [{"x2"}, ids("c/2"), {"x1"}]
    assert (opened.stuck(), opened.circles()) == (set(), set())


def test_a_stuck_row_of_a_key_that_arrives_belongs_to_no_circle() -> None:
    r"""
    c/1 (in b1) -> [l/1]
    c/1 (in b2) -> c/2 -> c/1
                    \-> c/2
    """
    half = Oracle(
        [
            batch("b1", pending("c/1", "l/1", id="x1")),
            batch("b2", pending("c/1", "c/2", id="x2"), pending("c/2", "c/1", "c/2")),
        ]
    )

    assert half.stuck() == {"x2", "pr_c/2"}
    assert half.stuck_keys() == {key("c/2")}
    assert half.circles() == {frozenset({key("c/2")})}


def test_a_row_that_lists_nothing_clears_whoever_arrives() -> None:
    """o/1 -> c/1 -> nothing. No key frees them, and none of them is stuck."""
    nothing = oracle(pending("c/1"), pending("o/1", "c/1"), pending("t/1", "l/1"))

    assert nothing.clears()[1] == [ids("c/1"), ids("o/1")]
    assert nothing.frees(key("l/1")) == ids("t/1")
    assert nothing.chain_depth("pr_o/1") == 2
    assert nothing.stuck() == set()


def test_equal_ids_in_different_schemas_are_different_keys() -> None:
    """t/1 -> o/1 -> [c/1]: three resources are called 1."""
    same = oracle(pending("t/1", "o/1"), pending("o/1", "c/1"))

    assert same.pending_keys == {key("t/1"), key("o/1")}
    assert same.root_blockers == {key("c/1")}


def test_a_batch_read_again_is_replaced_whole() -> None:
    """What the later reading no longer shows has gone."""
    again = Oracle([batch("b1", pending("t/1", "c/1"), pending("t/2", "c/1")), batch("b1", pending("t/2", "c/2"))])

    assert set(again.by_id) == ids("t/2")
    assert again.root_blockers == {key("c/2")}


def test_a_row_that_turns_up_again_counts_as_it_was_read_last() -> None:
    """b1 was read first and last, so its reading of the row holds."""
    first = batch("b1", pending("t/1", "c/1"))
    moved = Oracle([first, batch("b2", pending("t/1", "c/2")), first])

    assert moved.direct(key("c/1")) == ids("t/1")
    assert moved.root_blockers == {key("c/1")}
    assert moved.by_id["pr_t/1"].batch_id == "b1"


def test_ranking_goes_by_waiting_then_direct_then_expiry_then_key() -> None:
    r"""
    t/1 -> o/1 -> [c/1]      two wait, one directly
    t/2 -> [c/2]             two wait, both directly
    t/3 ---/
    t/4 -> [c/3]             one waits, until later
    t/5 -> [c/4], [c/5]      one waits, until sooner
    t/6 -> [c/0]             one waits, until nobody knows
    """
    ranked = oracle(
        pending("t/1", "o/1"),
        pending("o/1", "c/1"),
        pending("t/2", "c/2"),
        pending("t/3", "c/2"),
        pending("t/4", "c/3", expires=2.0),
        pending("t/5", "c/4", "c/5", expires=1.0),
        pending("t/6", "c/0", expires="soon"),
    )

    assert ranked.ranking() == [key(f"c/{place}") for place in (2, 1, 4, 5, 3, 0)]


def test_hours_begin_with_their_first_moment() -> None:
    """What expires now is in the first hour; a time that can't be read, or bears no zone, is in none."""
    times = oracle(
        pending("t/1", "c/1", expires=NOW - timedelta(microseconds=1000)),
        pending("t/2", "c/1", expires=NOW),
        pending("t/3", "c/1", expires=NOW + timedelta(hours=1)),
        pending("t/4", "c/1", expires="2026-11-23T15:30:00+02:00"),
        pending("t/5", "c/1", expires=24.0),
        pending("t/6", "c/1", expires="soon"),
        pending("t/7", "c/1", expires="2026-11-23T12:30:00"),
    )

    assert times.expired(NOW) == ids("t/1")
    assert times.by_hour(NOW, hours=3) == [ids("t/2"), ids("t/3", "t/4"), set()]
    assert times.later(NOW) == ids("t/5")
    assert times.without_time() == ids("t/6", "t/7")


@given(tenants())
def test_what_the_definitions_promise_of_one_another(batches: list[Json]) -> None:
    """Relations that follow from the definitions, whatever the tenant looks like."""
    found = Oracle(batches)
    everything = set(found.by_id)
    cleared, rounds = found.clears(found.root_blockers)

    assert cleared | found.stuck() == everything
    assert sum(map(len, rounds)) == len(cleared)
    assert all(found.frees(blocker) <= found.waiting(blocker) for blocker in found.root_blockers)
    assert all(found.direct(blocker) for blocker in found.root_blockers)
    assert bool(found.stuck()) == bool(found.circles())
    assert len([member for circle in found.circles() for member in circle]) == len(set().union(*found.circles()))
    hours = [*found.by_hour(NOW), found.expired(NOW), found.later(NOW), found.without_time()]
    assert set().union(*hours) == everything
    assert sum(map(len, hours)) == len(everything)


@given(tenants(conflicts=False).flatmap(lambda batches: reordered(batches).map(lambda other: (batches, other))))
def test_without_conflicts_the_order_of_reading_is_nothing(orders: tuple[list[Json], list[Json]]) -> None:
    """The strategies keep what they promise, so that the product can be held to it."""
    one, other = map(Oracle, orders)

    assert one.by_id == other.by_id
