"""Follow-up calls answer from what the call before has read: what agrees, what is told, and what is never shared."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from reach_mcp.server import StrictServer
from reach_mcp.tools.readings import Progress, Reading, Readings
from tests.builders import NOW, Json, batch, page, pending
from tests.tools.harness import EXPLAIN, LIST, Reply, answer_page, ask, follow, refused, serve
from tests.tools.test_turns import settle

pytestmark = pytest.mark.anyio

ROWS = [pending(f"visits/v{n}", f"people/p{n % 40}") for n in range(120)]
BATCHES = [batch("b1", *ROWS[:60]), batch("b2", *ROWS[60:], schema="visits")]


class Reach:
    """A Reach of one page that counts what it is asked, and a clock that is set by hand."""

    def __init__(self, *batches: Json) -> None:
        self.batches = batches or tuple(BATCHES)
        self.asked = 0
        self.now = NOW
        self.before: Callable[[], Awaitable[None]] | None = None

    async def answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.before is not None:
            await self.before()
        return answer_page(page(*self.batches, total=len(self.batches)))

    def server(self, **flags: Any) -> StrictServer:
        return serve(handler=self.answer, clock=lambda: self.now, **flags)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


WALKS = pytest.mark.parametrize(
    ("tool", "arguments"), [(EXPLAIN, {}), (LIST, {"scope": "all"}), (LIST, {"created_after": "7d"})]
)


@WALKS
async def test_call_asked_again_is_answered_from_the_same_reading(tool: str, arguments: Json) -> None:
    few = [pending(f"visits/v{n}", f"people/p{n % 3}") for n in range(12)]  # what says the age displaces no row
    reach = Reach(batch("b1", *few[:6]), batch("b2", *few[6:], schema="visits"))
    server = reach.server()
    first = await ask(server, tool, **arguments)
    asked = reach.asked
    reach.wait(12)
    second = await ask(server, tool, **arguments)

    assert reach.asked == asked
    assert second.content["as_of"] == first.content["as_of"] == "2026-11-23T12:00:00Z"
    assert "age_s" not in first.content["coverage"]
    second.check()
    assert second.content["coverage"].pop("age_s") == 12
    assert second.content == first.content
    assert "Read 2 of 2 batches in 1 page 12 s ago (fresh=true reads anew): complete." in second.text
    assert second.meta["reach/cost"]["upstream_calls"] == second.meta["reach/cost"]["bytes_read"] == 0


async def test_follow_ups_of_an_explanation_cost_no_walk_and_agree_with_it() -> None:
    """A conversation is about one state of things, not about as many as it has turns."""
    reach = Reach()
    server = reach.server()
    first = await ask(server, EXPLAIN)
    asked = reach.asked
    reach.batches = (batch("b9"),)
    reach.wait(5)
    every = [reply for reply in await follow(server, first, "offset") if reply is not first]
    detailed = await ask(server, EXPLAIN, response_format="detailed")
    focused = await ask(server, EXPLAIN, focus=first.content["blockers"][0]["handle"])
    freed = await ask(server, EXPLAIN, assume_arrived=[first.content["blockers"][0]["handle"]])

    assert reach.asked == asked
    assert len(every) >= 4
    replies = [*every, detailed, focused, freed]
    assert {reply.content["coverage"]["age_s"] for reply in replies} == {5}
    assert all(reply.content["pending"] == first.content["pending"] for reply in replies)


@WALKS
async def test_fresh_reads_anew_and_what_follows_is_about_that(tool: str, arguments: Json) -> None:
    reach = Reach()
    server = reach.server()
    await ask(server, tool, **arguments)
    asked, reach.batches = reach.asked, (BATCHES[0],)
    reach.wait(5)
    fresh = await ask(server, tool, **arguments, fresh=True)
    later = await ask(server, tool, **arguments)

    assert reach.asked == 2 * asked
    assert fresh.content["coverage"]["batches"] == later.content["coverage"]["batches"] == 1
    assert later.content["as_of"] == fresh.content["as_of"] == "2026-11-23T12:00:05Z"
    assert all("fresh" not in call["arguments"] for call in fresh.content["next_calls"])


@pytest.mark.parametrize(
    ("tool", "first", "second"),
    [
        (EXPLAIN, {}, {"tenant_id": "acme"}),
        (EXPLAIN, {"tenant_id": "other"}, {"tenant_id": "acme"}),
        (EXPLAIN, {}, {"status": "failure"}),
        (EXPLAIN, {}, {"schema": "visits"}),
        (EXPLAIN, {}, {"limit": 50}),
        (EXPLAIN, {}, {"created_after": "7d"}),
        (EXPLAIN, {"created_before": "1h"}, {"created_before": "2h"}),
        (LIST, {"scope": "all"}, {"scope": "all", "include_pending_details": True}),
        (LIST, {"scope": "all"}, {"scope": "all", "sort_direction": "asc"}),
        (LIST, {"scope": "all"}, {"scope": "all", "tenant_id": "acme"}),
        (LIST, {}, {}),
        (LIST, {"scope": "all"}, {}),
    ],
)
async def test_other_question_is_read_for_itself(tool: str, first: Json, second: Json) -> None:
    """Another tenant's most of all. One page of a list is always read: it is one request."""
    reach = Reach()
    server = reach.server()
    await ask(server, tool, **first)
    asked = reach.asked
    await ask(server, tool, **second)

    assert reach.asked > asked


async def test_other_credential_is_another_question(tmp_path: Path) -> None:
    """What one credential may read is not shown to the bearer of another."""
    reach, file = Reach(), tmp_path / "token"
    file.write_text("one")
    server = reach.server(api_token=None, api_token_file=file)
    await ask(server, EXPLAIN)
    asked = reach.asked
    file.write_text("another")
    await ask(server, EXPLAIN)
    assert reach.asked == 2 * asked

    file.write_text(" ")
    assert (await refused(server, EXPLAIN)).startswith("REACH_API_TOKEN_FILE names an empty file.")


@pytest.mark.parametrize("flags", [{"reuse_seconds": 0}, {"reuse_mb": 0}])
async def test_reuse_can_be_switched_off(flags: Json) -> None:
    reach = Reach()
    server = reach.server(**flags)
    for _ in range(2):
        reply = await ask(server, EXPLAIN)
        reach.wait(1)

    assert reach.asked == 4
    assert "age_s" not in reply.content["coverage"]


async def test_reading_ends_with_its_time() -> None:
    reach = Reach()
    server = reach.server(reuse_seconds=20)
    await ask(server, EXPLAIN)
    reach.wait(19.5)
    assert (await ask(server, EXPLAIN)).content["coverage"]["age_s"] == 19
    assert reach.asked == 2
    reach.wait(0.5)
    assert "age_s" not in (await ask(server, EXPLAIN)).content["coverage"]
    assert reach.asked == 4


async def test_what_changed_since_is_always_read_and_never_left_behind() -> None:
    """Whoever polls wants news; and what is read for it lacks what others need."""
    reach = Reach()
    server = reach.server()
    since = (await ask(server, EXPLAIN)).content["since"]
    reach.wait(5)
    for _ in range(2):
        asked = reach.asked
        changes = await ask(server, EXPLAIN, since=since)
        assert reach.asked == asked + 1
        assert "age_s" not in changes.content["coverage"]
    assert (await ask(server, EXPLAIN)).content["coverage"]["age_s"] == 5


async def test_error_is_not_kept() -> None:
    answers = [answer_page({"success": False}, 403), answer_page(page(*BATCHES))]
    server = serve(handler=lambda _: answers.pop(0))

    assert "403" in await refused(server, LIST, scope="all")
    assert (await ask(server, LIST, scope="all")).content["coverage"]["complete"]


def two_pages(second: Callable[[], Awaitable[httpx.Response]]) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """A Reach whose second page of batches with pending rows is what `second` makes of it."""

    async def answer(request: httpx.Request) -> httpx.Response:
        if "onlyBatchesWithPendingResources" not in request.url.params:
            return answer_page(page(*BATCHES))
        if "cursor" not in request.url.params:
            return answer_page(page(BATCHES[0], cursor="c1", total=2))
        return await second()

    return answer


@pytest.mark.parametrize("ending", ["deadline", "error"])
async def test_part_that_the_deadline_left_is_kept_and_as_loud_the_second_time(ending: str) -> None:
    """Its follow-ups would each cost a deadline and end elsewhere. What ended in an error may go well at once."""
    asked: list[str] = []

    async def second() -> httpx.Response:
        asked.append("second")
        if ending == "deadline":
            await anyio.sleep_forever()
        return answer_page({"success": False, "message": "no"}, 400)

    now = [NOW]
    server = serve(handler=two_pages(second), deadline=0.5, clock=lambda: now[0])
    first = await ask(server, EXPLAIN)
    now[0] += timedelta(seconds=3)
    again = await ask(server, EXPLAIN, focus=first.content["blockers"][0]["handle"])

    assert len(asked) == (1 if ending == "deadline" else 2)
    for reply in (first, again):
        assert reply.content["coverage"]["complete"] is False
        assert "NOT complete, all counts are of what was read. Reason: " in reply.text
    assert ("3 s ago (fresh=true reads anew): NOT complete" in again.text) == (ending == "deadline")


async def test_identical_calls_that_arrive_together_walk_once() -> None:
    reach, go_on, replies = Reach(), anyio.Event(), list[Reply]()
    reach.before = go_on.wait
    server = reach.server()

    async def call(**arguments: Any) -> None:
        replies.append(await ask(server, EXPLAIN, **arguments))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for arguments in ({}, {"focus": "people:p1"}, {"response_format": "detailed"}):
                tasks.start_soon(partial(call, **arguments))
                await settle()
            go_on.set()

    assert reach.asked == 2
    assert sorted(reply.meta["reach/cost"]["upstream_calls"] for reply in replies) == [0, 0, 2]
    assert len({reply.content["pending"]["rows"] for reply in replies}) == 1


async def test_one_that_is_cancelled_leaves_the_walk_to_the_others() -> None:
    reach, go_on, replies = Reach(), anyio.Event(), list[Reply]()
    reach.before = go_on.wait
    server = reach.server()

    async def call() -> None:
        replies.append(await ask(server, EXPLAIN))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(call)
                await settle()
                tasks.start_soon(call)
                await settle()
                leaving.cancel_scope.cancel()
            go_on.set()

    assert len(replies) == 1
    assert reach.asked == 2


async def test_walk_that_nobody_waits_for_any_more_ends_at_once() -> None:
    reach, ended = Reach(), list[str]()

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("request")

    reach.before = hang
    server = reach.server()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as leaving:
            for _ in range(2):
                leaving.start_soon(ask, server, EXPLAIN)
            await settle()
            leaving.cancel_scope.cancel()
        assert ended == ["request"] * 2

        reach.before = None
        assert (await ask(server, EXPLAIN)).content["coverage"]["complete"]


async def test_calls_on_one_reading_at_once_say_what_they_would_say_alone() -> None:
    """A graph fills small caches while it is looked at, and each call looks at it in a thread."""
    asks: list[Json] = [{}, {"offset": 5}, {"response_format": "detailed"}]
    asks += [{"focus": f"people:p{n}"} for n in range(6)] + [{"assume_arrived": [f"people:p{n}"]} for n in range(6)]
    alone = [await ask(Reach().server(), EXPLAIN, **arguments) for arguments in asks]
    server, together = Reach().server(max_calls=20), dict[int, str]()

    async def call(place: int, arguments: Json) -> None:
        together[place] = (await ask(server, EXPLAIN, **arguments)).text

    async with anyio.create_task_group() as tasks:
        for place, arguments in enumerate(asks):
            tasks.start_soon(call, place, arguments)

    assert [together[place] for place in range(len(asks))] == [reply.text for reply in alone]


# The store by itself


class Thing:
    """Something that was read."""


def store(*, seconds: float = 600, largest: int = 100) -> Readings:
    return Readings(seconds=seconds, largest=largest, clock=lambda: datetime.now(UTC))


async def get(
    readings: Readings, question: str | None, size: int = 1, *, fresh: bool = False, error: Exception | None = None
) -> Any:
    async def read(_: Progress) -> Reading:
        if error is not None:
            raise error
        return Reading(Thing(), 0.0, size)

    return (await readings.get(question, read, fresh=fresh, report=None)).found


def tell_when_freed(thing: Any) -> anyio.Event:
    event = anyio.Event()
    weakref.finalize(thing, event.set)
    return event


async def test_memory_is_freed_without_waiting_for_another_call() -> None:
    """A server that was asked about a large tenant once must not hold it until somebody asks again."""
    readings = store(seconds=0.01)
    freed = tell_when_freed(await get(readings, "q"))

    with anyio.fail_after(5):
        await freed.wait()


async def test_graph_is_freed_without_the_collector() -> None:
    """Large graphs are rarely looked at by it: a circle in one would hold a hundred megabytes for minutes."""
    kinds = {"DependencyGraph", "_Index", "EvidenceBuilder", "Coverage"}

    def find() -> list[Any]:
        return [thing for thing in gc.get_objects() if type(thing).__name__ in kinds]

    gc.collect()
    others = {id(thing) for thing in find()}
    gc.disable()
    try:
        await ask(Reach().server(reuse_seconds=0.2), EXPLAIN)
        freed = [tell_when_freed(thing) for thing in find() if id(thing) not in others]
        assert len(freed) >= len(kinds)
        with anyio.fail_after(5):
            for event in freed:
                await event.wait()
    finally:
        gc.enable()


async def test_store_holds_no_more_bytes_than_it_may() -> None:
    readings = store(largest=100)
    first, second = await get(readings, "1", 60), await get(readings, "2", 40)
    assert await get(readings, "1") is first
    assert await get(readings, "2") is second

    await get(readings, "3", 101)
    assert await get(readings, "1") is first

    third = await get(readings, "4", 30)
    assert [await get(readings, name) is kept for name, kept in (("2", second), ("4", third))] == [True, True]
    assert await get(readings, "1", 200) is not first


async def test_store_can_be_emptied() -> None:
    readings = store()
    first = await get(readings, "q")
    readings.clear()

    assert await get(readings, "q") is not first


@pytest.mark.parametrize("question", ["q", None])
async def test_error_reaches_everybody_who_waited_and_nobody_after(question: str | None) -> None:
    readings = store()
    with pytest.raises(ValueError, match="broken"):
        await get(readings, question, error=ValueError("broken"))

    assert isinstance(await get(readings, question), Thing)


async def test_fresh_reading_does_not_wait_for_an_older_one_nor_is_replaced_by_it() -> None:
    readings, go_on, found = store(), anyio.Event(), dict[str, Any]()

    async def slow(_: Progress) -> Reading:
        await go_on.wait()
        return Reading("old", 0.0, 1)

    async def wait() -> None:
        found["slow"] = (await readings.get("q", slow, fresh=False, report=None)).found

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await settle()
        fresh = await get(readings, "q", fresh=True)
        go_on.set()

    assert found == {"slow": "old"}
    assert await get(readings, "q") is fresh


async def test_call_that_comes_while_an_abandoned_walk_ends_has_one_of_its_own() -> None:
    readings, ending, go_on = store(), anyio.Event(), anyio.Event()

    async def stubborn(_: Progress) -> Reading:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                ending.set()
                await go_on.wait()
        raise AssertionError

    async with anyio.create_task_group() as tasks, anyio.create_task_group() as leaving:
        leaving.start_soon(partial(readings.get, "q", stubborn, fresh=False, report=None))
        await settle()

        async def meanwhile() -> None:
            await ending.wait()
            assert isinstance(await get(readings, "q"), Thing)
            go_on.set()

        tasks.start_soon(meanwhile)
        leaving.cancel_scope.cancel()

    assert isinstance(await get(readings, "q"), Thing)
