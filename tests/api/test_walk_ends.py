"""A list read from both its ends: the same answer as from one, or a plain word on what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.credentials import StaticToken
from reach_mcp.api.errors import BadRequest, BodyTooLarge, Forbidden, TimedOut
from reach_mcp.api.models import Batch
from reach_mcp.api.walk import Coverage, walk
from tests.builders import Json, batch, page

ASC, DESC = "asc", "desc"


@dataclass
class Tenant:
    """A Reach API over one list, with whatever may be wrong with it.

    `lists` holds the list in both directions. `arrivals` says before which requests a new batch comes in. `fails` are
    requests, by direction and number, that get a 403 and `hangs` such that never get an answer. `refuses` tells which
    parameters get a 400, `large` which get an answer that is too large.
    """

    lists: dict[str, list[Json]]
    size: int = 2
    more: int | None = 0
    """What the total says beyond the truth; None when it is not said."""

    arrivals: frozenset[int] = frozenset()
    fails: frozenset[tuple[str, int]] = frozenset()
    hangs: frozenset[tuple[str, int]] = frozenset()
    repeated: frozenset[int] = frozenset()
    """Places whose batch is given twice on its page."""

    refuses: Callable[[httpx.QueryParams], bool] = lambda _: False
    large: Callable[[httpx.QueryParams], bool] = lambda _: False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    folded: list[Batch] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [one["batchId"] for one in self.folded]

    @property
    def directions(self) -> list[str]:
        return [direction for direction, _, _ in self.asked]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        direction = params.get("sortDirection", DESC)
        self.asked.append((direction, params.get("cursor", ""), params.get("limit", "")))
        number = self.directions.count(direction)
        if (direction, number) in self.hangs:
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()
        if len(self.asked) in self.arrivals:
            fresh = batch(f"new{len(self.asked)}", created=float(len(self.asked)))
            self.lists[DESC].insert(0, fresh)
            self.lists[ASC].append(fresh)
        if (direction, number) in self.fails:
            return httpx.Response(403, stream=httpx.ByteStream(b""))
        if self.refuses(params):
            return httpx.Response(400, stream=httpx.ByteStream(b""))
        found, start = self.lists[direction], int(params.get("cursor", "0"))
        end = start + min(int(params.get("limit", self.size)), self.size)
        part = [
            found[place] for place in range(start, min(end, len(found))) for _ in range(1 + (place in self.repeated))
        ]
        total = None if self.more is None else len(found) + self.more
        body = page(*part, cursor=str(end) if end < len(found) else None, total=total)
        if self.large(params):
            body["padding"] = "x" * 100_000
        return httpx.Response(200, stream=httpx.ByteStream(httpx.Response(200, json=body).content))  # not read yet

    def walk(self, *, cursor: str | None = None, seconds: float = 30, **options: Any) -> Coverage:
        async def run() -> Coverage:
            transport = httpx.MockTransport(self.answer)
            token = StaticToken(SecretStr("token"))
            async with ReachClient("https://reach.test", token, transport=transport, max_body=50_000) as client:
                return await walk(
                    client,
                    BatchQuery(cursor=cursor),
                    tenant=None,
                    deadline=Deadline(seconds),
                    fold=self.folded.append,
                    **options,
                )

        return anyio.run(run)


def tenant_of(count: int, **facts: Any) -> Tenant:
    newest_first = [batch(f"b{number}", created=-float(number)) for number in range(count)]
    return Tenant({DESC: newest_first, ASC: newest_first[::-1]}, **facts)


def ids_of(count: int) -> list[str]:
    return [f"b{number}" for number in range(count)]


# Meeting


def test_two_ends_meet_in_the_middle() -> None:
    """Half of the round trips, and what lies beyond the meeting is not asked for twice over."""
    tenant = tenant_of(40)
    coverage = tenant.walk(both_ends=True)

    assert set(tenant.ids) == set(ids_of(40))
    assert (coverage.batches, coverage.complete, coverage.repeats, coverage.cursor) == (40, True, 0, None)
    assert 8 <= tenant.directions.count(ASC) <= 12
    assert 20 <= len(tenant.asked) <= 24


def test_request_in_flight_is_cancelled_when_the_ends_have_met() -> None:
    """The page after the last that is needed may take for ever: nobody waits for it."""
    tenant = tenant_of(12, hangs=frozenset({(DESC, 4)}))
    coverage = tenant.walk(both_ends=True)

    assert (coverage.complete, coverage.stop, set(tenant.ids)) == (True, "", set(ids_of(12)))


def test_batches_come_in_the_order_of_the_api_where_that_is_wanted() -> None:
    """What is listed is listed newest first, whichever end it was read from."""
    tenant = tenant_of(40)
    coverage = tenant.walk(both_ends=True, ordered=True)

    assert tenant.ids == ids_of(40)
    assert (coverage.complete, ASC in tenant.directions) == (True, True)


@pytest.mark.parametrize(("count", "total"), [(2, 0), (4, 0), (40, None)])
def test_short_list_or_one_without_a_total_is_read_from_one_end(count: int, total: int | None) -> None:
    """What the next page holds anyway needs no second request, and without a total a meeting could not be checked."""
    tenant = tenant_of(count, more=total)

    assert tenant.walk(both_ends=True).complete
    assert ASC not in tenant.directions


@pytest.mark.parametrize("cursor", [None, "4"])
def test_list_in_part_is_read_from_one_end(cursor: str | None) -> None:
    """A cursor, a bound and a point where it is enough all count from the front."""
    tenant = tenant_of(40)
    tenant.walk(both_ends=True, cursor=cursor, pages=None if cursor else 3)
    tenant.walk(both_ends=True, cursor=cursor, enough=lambda page: page.batches[0]["batchId"] == "b8")

    assert ASC not in tenant.directions


def test_batch_that_both_ends_read_counts_once_and_as_it_was_read_last() -> None:
    """Where the ends meet, a page of the one may hold what the other has read already."""
    tenant = tenant_of(10, size=4)
    tenant.lists[ASC] = [{**one, "status": "success"} for one in tenant.lists[ASC]]
    coverage = tenant.walk(both_ends=True)

    assert (coverage.batches, coverage.complete, coverage.repeats, ASC in tenant.directions) == (10, True, 0, True)
    assert (sorted(set(tenant.ids)), len(tenant.ids)) == (sorted(ids_of(10)), 12)


# What proves nothing


@pytest.mark.parametrize("created", [None, "yesterday", "2026-11-23T12:00:00", "9999-12-31T23:59:59-14:00"])
def test_time_that_cant_be_read_leaves_the_walk_to_one_end(created: str | None) -> None:
    """Where such a batch stands in the order is anybody's guess."""
    tenant = tenant_of(20)
    odd = batch("odd", created=created)
    tenant.lists[ASC].insert(3, odd)
    tenant.lists[DESC].append(odd)
    coverage = tenant.walk(both_ends=True, ordered=True)

    assert tenant.ids == [*ids_of(20), "odd"]
    assert (coverage.complete, coverage.repeats) == (True, 0)


def test_lost_batch_is_named_once_though_both_ends_met_it() -> None:
    """It is one batch that could not be read; and nobody knows when it was created."""
    tenant = tenant_of(9, size=4)
    tenant.lists = {name: [{**one, "status": 7} if one["batchId"] == "b6" else one for one in found]
                    for name, found in tenant.lists.items()}  # fmt: skip
    coverage = tenant.walk(both_ends=True)

    assert (coverage.malformed, coverage.lost, coverage.batches, coverage.disagrees) == (["b6"], 1, 8, False)


def test_direction_that_is_ignored_costs_a_page_or_two() -> None:
    """An API that gives its newest batches either way is read from one end."""
    tenant = tenant_of(20)
    tenant.lists[ASC] = tenant.lists[DESC]
    coverage = tenant.walk(both_ends=True)

    assert (coverage.complete, set(tenant.ids)) == (True, set(ids_of(20)))
    assert tenant.directions.count(ASC) <= 2


def test_batches_of_one_moment_are_all_read() -> None:
    """Ties may stand in the same order in both directions: those in the middle would be passed over."""
    ties = [batch(f"b{number}", created=-1.0) for number in range(20)]
    tenant = Tenant({DESC: ties, ASC: list(ties)})

    assert tenant.walk(both_ends=True).complete
    assert set(tenant.ids) == set(ids_of(20))


def test_total_beyond_what_both_ends_hold_sends_the_front_on_to_its_end() -> None:
    """A batch that neither end has shown may stand in the middle; when it doesn't, the disagreement is told as ever."""
    tenant = tenant_of(20, more=1)
    coverage = tenant.walk(both_ends=True)

    assert (coverage.disagrees, coverage.complete, coverage.batches) == (True, False, 20)
    assert tenant.directions.count(DESC) == 10


def test_front_that_goes_on_for_a_missing_batch_ends_where_it_has_found_it() -> None:
    """Then everything is there that the total promises; the rest has been read from the other end."""
    tenant = tenant_of(20)
    tenant.lists[ASC] = [one for one in tenant.lists[ASC] if one["batchId"] != "b13"]
    coverage = tenant.walk(both_ends=True)

    assert (coverage.complete, set(tenant.ids)) == (True, set(ids_of(20)))
    assert tenant.directions.count(DESC) == 8  # the eighth was on its way


def test_batch_that_came_while_reading_and_that_the_back_alone_has_met_is_folded() -> None:
    """It is counted as read; an answer that counts one batch more than it lists contradicts itself."""
    ties = [batch("b0", created=-1.0), batch("b1", created=-1.0)]
    tenant = Tenant({DESC: ties, ASC: ties[::-1]}, size=1, more=1, arrivals=frozenset({2, 5}))
    coverage = tenant.walk(both_ends=True, ordered=True)

    assert coverage.batches == len(set(tenant.ids)) == 3


def test_back_end_that_has_read_all_by_itself_is_enough() -> None:
    """The front may be slow: what was asked for is there."""
    tenant = tenant_of(10, hangs=frozenset({(DESC, 2)}))
    coverage = tenant.walk(both_ends=True)

    assert (coverage.complete, set(tenant.ids), coverage.stop) == (True, set(ids_of(10)), "")


# Ends that break off


@pytest.mark.parametrize("number", [1, 2, 3])
def test_back_end_that_fails_leaves_the_walk_to_the_front(number: int) -> None:
    """It was there for speed alone."""
    tenant = tenant_of(20, fails=frozenset({(ASC, number)}))
    coverage = tenant.walk(both_ends=True)

    assert (coverage.complete, coverage.error, set(tenant.ids)) == (True, None, set(ids_of(20)))


def test_front_end_that_fails_leaves_what_lies_between_to_be_read() -> None:
    """The cursor of the front, down to what the back has come up to: two facts that any replica can go on from."""
    tenant = tenant_of(40, fails=frozenset({(DESC, 4)}))
    coverage = tenant.walk(both_ends=True, ordered=True)

    assert (coverage.stop, coverage.cursor, type(coverage.error)) == ("error", "6", Forbidden)
    assert tenant.ids[:6] == ids_of(6)
    assert tenant.ids == sorted(tenant.ids, key=lambda name: int(name[1:]))
    assert coverage.read_back_to == datetime.fromisoformat(str(tenant.folded[6]["createdAt"]))


def test_deadline_of_both_ends_leaves_what_was_read() -> None:
    """A bare time-out would throw away what both have read."""
    tenant = tenant_of(40, hangs=frozenset({(DESC, 3), (ASC, 3)}))
    coverage = tenant.walk(both_ends=True, seconds=0.5)

    assert (coverage.stop, coverage.batches, coverage.cursor, coverage.complete) == ("deadline", 8, "4", False)
    assert isinstance(coverage.error, TimedOut)
    assert coverage.read_back_to is not None


# The size of pages


def test_page_that_is_refused_for_its_size_is_asked_for_in_less() -> None:
    """How many the API gives at once is found out, at the cost of one request."""
    tenant = tenant_of(250, size=100, refuses=lambda asked: int(asked["limit"]) > 100)

    assert tenant.walk(sizes=(500, 100, 20)).complete
    assert [(cursor, limit) for _, cursor, limit in tenant.asked] == [
        ("", "500"), ("", "100"), ("100", "100"), ("200", "100"),
    ]  # fmt: skip


@pytest.mark.parametrize("sizes", [(100, 20), (500,), ()])
def test_refusal_that_is_not_for_size_is_raised(sizes: tuple[int, ...]) -> None:
    """A hundred is no odd thing to ask for; and who has nothing smaller to ask for has no second question."""
    tenant = tenant_of(5, refuses=lambda _: True)
    with pytest.raises(BadRequest):
        tenant.walk(sizes=sizes)

    assert len(tenant.asked) == 1


def test_page_that_is_too_large_is_asked_for_in_less_from_the_same_cursor() -> None:
    """Forty pages are not read again for the forty-first."""
    tenant = tenant_of(12, size=5, large=lambda asked: asked.get("cursor") == "5" and asked["limit"] == "5")
    coverage = tenant.walk(sizes=(5, 2, 1))

    assert (coverage.complete, tenant.ids, coverage.repeats) == (True, ids_of(12), 0)
    assert [(cursor, limit) for _, cursor, limit in tenant.asked] == [
        ("", "5"), ("5", "5"), ("5", "2"), ("7", "2"), ("9", "2"), ("11", "2"),
    ]  # fmt: skip


def test_cursor_that_is_bound_to_its_limit_is_left_for_the_start() -> None:
    """Whether it is, nobody documents; what is read again is no repeat."""
    tenant = tenant_of(
        7,
        size=5,
        large=lambda asked: asked.get("cursor") == "5" and asked["limit"] == "5",
        refuses=lambda asked: asked.get("cursor") == "5" and asked["limit"] == "2",
    )
    coverage = tenant.walk(sizes=(5, 2))

    assert [(cursor, limit) for _, cursor, limit in tenant.asked] == [
        ("", "5"), ("5", "5"), ("5", "2"), ("", "2"), ("2", "2"), ("4", "2"), ("6", "2"),
    ]  # fmt: skip
    assert (coverage.complete, coverage.batches, coverage.repeats, set(tenant.ids)) == (True, 7, 0, set(ids_of(7)))


def test_batch_that_is_lost_on_a_page_that_comes_again_is_one() -> None:
    """Counted twice, it would stand for another one that never came."""
    tenant = tenant_of(
        7,
        more=1,
        size=5,
        large=lambda asked: asked.get("cursor") == "5" and asked["limit"] == "5",
        refuses=lambda asked: asked.get("cursor") == "5" and asked["limit"] == "2",
    )
    tenant.lists[DESC][1] = {"batchId": "b1"}
    coverage = tenant.walk(sizes=(5, 2))

    assert (coverage.malformed, coverage.lost, coverage.batches, coverage.disagrees) == (["b1"], 1, 6, True)


def test_cursor_that_is_bound_to_a_limit_which_the_other_end_found_too_large_is_left_as_well() -> None:
    """Both ends ask for pages of one size, so what one learns takes the cursor of the other from it."""
    issued: dict[tuple[str, str], str] = {}

    def refuses(asked: httpx.QueryParams) -> bool:
        direction, cursor, limit = asked.get("sortDirection", DESC), asked.get("cursor", "0"), asked["limit"]
        if issued.get((direction, cursor), limit) != limit:
            return True
        issued[direction, str(int(cursor) + int(limit))] = limit
        return False

    def large(asked: httpx.QueryParams) -> bool:
        return asked.get("sortDirection") == ASC and asked["limit"] == "5" and "cursor" in asked

    tenant = tenant_of(40, size=5, large=large, refuses=refuses)
    coverage = tenant.walk(sizes=(5, 2), both_ends=True)

    assert (coverage.complete, coverage.repeats, set(tenant.ids)) == (True, 0, set(ids_of(40)))
    assert [direction for direction, cursor, _ in tenant.asked if not cursor].count(DESC) == 2


def test_page_that_can_get_no_smaller_ends_the_walk() -> None:
    """One batch may be larger than what is accepted."""
    tenant = tenant_of(4, large=lambda asked: asked.get("cursor") == "2")
    coverage = tenant.walk(sizes=(2, 1))

    assert (coverage.stop, type(coverage.error), coverage.cursor) == ("error", BodyTooLarge, "2")


def test_both_ends_learn_from_one_another_what_is_too_large() -> None:
    """The back begins with what the front has found to fit, and neither skips a size that the other left."""
    tenant = tenant_of(30, size=4, large=lambda asked: asked["limit"] == "4" and "cursor" in asked)
    coverage = tenant.walk(sizes=(4, 2, 1), both_ends=True)

    assert (coverage.complete, set(tenant.ids)) == (True, set(ids_of(30)))
    assert "1" not in {limit for _, _, limit in tenant.asked}


# Whatever comes

times = st.sampled_from((-1.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0))
odd_times = st.one_of(times, st.sampled_from((None, "yesterday")))
requests = st.tuples(st.sampled_from((ASC, DESC)), st.integers(2, 6))


@st.composite
def tenants(draw: st.DrawFn) -> Tenant:
    created = draw(st.lists(draw(st.sampled_from((times, times, odd_times))), max_size=16))
    batches = [batch(f"b{number}", created=moment) for number, moment in enumerate(created)]
    newest_first = sorted(batches, key=lambda one: str(one.get("createdAt", "")), reverse=True)
    order = draw(st.sampled_from(("reversed", "reversed", "ties kept", "ignored", "any")))
    oldest_first = {
        "reversed": newest_first[::-1],
        "ties kept": sorted(newest_first, key=lambda one: str(one.get("createdAt", ""))),
        "ignored": list(newest_first),
        "any": draw(st.permutations(newest_first)),
    }[order]
    return Tenant(
        {DESC: newest_first, ASC: oldest_first},
        size=draw(st.integers(1, 3)),
        more=draw(st.sampled_from((0, 0, 0, None, 1))),
        arrivals=draw(st.sampled_from((frozenset(), frozenset({3}), frozenset({2, 5})))),
        fails=draw(st.frozensets(requests, max_size=1)),
        repeated=draw(st.frozensets(st.integers(0, 15), max_size=2)),
    )


@settings(max_examples=300, deadline=None)
@given(tenants(), st.booleans())
def test_both_ends_answer_as_one_does_and_complete_means_all(tenant: Tenant, ordered: bool) -> None:
    """Ties, odd times, an order that is none, repeats, arrivals, failures: never fewer batches, never a false word."""
    held = {one["batchId"] for one in tenant.lists[DESC]}
    alone = Tenant(**{**vars(tenant), "lists": {name: list(found) for name, found in tenant.lists.items()},
                      "asked": [], "folded": []})  # fmt: skip
    single, both = alone.walk(), tenant.walk(both_ends=True, ordered=ordered)
    event(f"from {len(set(tenant.directions))} ends, {'complete' if both.complete else 'in part'}")

    assert both.batches == len(set(tenant.ids))
    if both.complete or not tenant.fails:
        assert set(tenant.ids) >= held
    if not tenant.arrivals:
        assert set(tenant.ids) >= set(alone.ids)
        assert both.complete >= single.complete
        assert both.disagrees == single.disagrees or both.stop != single.stop
        assert both.repeats <= 2 * len(tenant.repeated)
        if both.read_back_to is not None and _in_order(tenant):
            _check_rest(tenant, both.read_back_to, both.cursor, held)


def _check_rest(tenant: Tenant, moment: datetime, cursor: str | None, held: set[str]) -> None:
    """What the cursor and the time lead to, with what was read, is all; where the list is what its name says."""
    rest = Tenant(tenant.lists, size=tenant.size)
    assert rest.walk(cursor=cursor).stop == ""
    between = {one["batchId"] for one in rest.folded if datetime.fromisoformat(str(one["createdAt"])) >= moment}

    assert set(tenant.ids) | between >= held


def _in_order(tenant: Tenant) -> bool:
    """Whether the list of the oldest first is what its name says."""
    found = [str(one.get("createdAt")) for one in tenant.lists[ASC]]
    return found == sorted(found) and all("T" in moment for moment in found)
