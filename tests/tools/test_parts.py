"""Everything that an answer leaves out can be brought: part by part, page by page, each thing once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.tenant import build_tenant
from tests import strategies
from tests.builders import NOW, Json, batch, pending
from tests.render.test_answer import WILD, wild
from tests.tools.harness import EXPLAIN, ask, follow, refused, serve, serve_demo

PARTS = ("blockers", "plan", "hours", "circles", "counters")


def things(part: str, content: Json) -> Iterator[Any]:
    """What one page of a part lists, by what tells one from another."""
    if part == "plan":
        for wave in content["send_first"]:
            yield from ((wave["place"], run["schema"], id) for run in wave["steps"] for id in run["adds"])
    elif part == "hours":
        yield from (hour["from"] for hour in content["expiry"]["hours"])
    elif part == "circles":
        yield from (circle["path"][0] for circle in content["circles"])
    elif part == "counters":
        yield from (one["batch"] for one in content["disagreements"])
    else:
        yield from ((blocker["schema"], blocker["id"]) for blocker in content["blockers"])


def bring(batches: list[Json], part: str, **flags: Any) -> list[Any]:
    """All of a part, by the next calls as they stand."""

    async def work() -> list[Any]:
        server = serve(batches, **flags)
        pages = await follow(server, await ask(server, EXPLAIN, part=part), "offset")
        for page in pages:
            page.check()
        return [thing for page in pages for thing in things(part, page.content)]

    return anyio.run(work)


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking would take minutes: each example is some dozens of calls."""


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(strategies.tenants(), st.sampled_from(PARTS))
def test_small_pages_of_any_part_bring_what_one_large_page_does(batches: list[Json], part: str) -> None:
    """Whoever follows the calls misses nothing and gets nothing twice."""
    found = bring(batches, part, answer_tokens=1500)

    assert found == bring(batches, part, answer_tokens=20_000)
    assert len(set(found)) == len(found)


def test_the_plan_of_a_large_tenant_names_every_root_blocker_once() -> None:
    """What is to be sent can be handed on whole, however much it is."""
    batches = build_tenant(60, 2000, now=NOW)
    plan, blockers = bring(batches, "plan"), bring(batches, "blockers")

    assert sorted((schema, id) for _, schema, id in plan) == sorted(blockers)
    assert len(set(blockers)) == len(blockers) > 100
    assert [place for place, _, _ in plan] == sorted(place for place, _, _ in plan)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", WILD)
def test_pages_come_to_an_end_whatever_the_names_are_like(kind: str, part: str) -> None:
    """A row that fits no budget must not hold up those behind it."""
    found = bring(wild(WILD[kind], schemas=6), part, answer_tokens=800)

    assert len(found) >= {"blockers": 12, "plan": 12, "hours": 1}.get(part, 0)


def test_pages_of_the_plan_say_what_each_record_adds_to_all_before_it() -> None:
    """They add up to what the wave frees, and begin as the answer does that led to them."""
    server = serve(build_tenant(60, 2000, now=NOW))

    async def work() -> tuple[Json, list[Json]]:
        first, plan = await ask(server, EXPLAIN), await ask(server, EXPLAIN, part="plan")
        return first.content, [
            wave for page in await follow(server, plan, "offset") for wave in page.content["send_first"]
        ]

    first, waves = anyio.run(work)
    for told in first["send_first"]:
        runs = [run["adds"] for wave in waves if wave["place"] == told["place"] for run in wave["steps"]]
        steps = [step for run in runs for step in run.items()]
        shown = [id for ids in told["ids"].values() for id in ids]
        assert {id for id, _ in steps[: len(shown)]} == set(shown)
        assert sum(adds for _, adds in steps) == told["frees"]


@pytest.mark.anyio
async def test_paths_of_a_focus_and_what_a_what_if_leaves_missing_are_paged() -> None:
    """A batch may wait for a hundred things: each has a way and a cause of its own."""
    server = serve([batch("b1", *[pending(f"t/{n}", f"c/{n:03}") for n in range(60)])])
    focus = await follow(server, await ask(server, EXPLAIN, focus="b1"), "offset")
    what_if = await follow(server, await ask(server, EXPLAIN, assume_arrived=["c:000"]), "offset")
    for reply in (*focus, *what_if):
        reply.check()

    assert [path["path"][-1] for page in focus for path in page.content["focus"]["paths"]] == [
        f"c:{n:03}" for n in range(60)
    ]
    assert [one["id"] for page in what_if for one in page.content["what_if"]["still_missing"]] == [
        f"{n:03}" for n in range(1, 60)
    ]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.anyio
async def test_page_behind_the_end_says_that_there_is_nothing(part: str) -> None:
    """An empty list alone would read as if nothing had been found."""
    reply = await ask(serve_demo(), EXPLAIN, part=part, offset=500)
    reply.check()

    assert list(things(part, reply.content)) == []
    assert "none of " in reply.text
    assert [call for call in reply.content["next_calls"] if "offset" in call["arguments"]] == []


@pytest.mark.parametrize("other", [{"focus": "bat_txn_0933"}, {"assume_arrived": ["customers:cust_4417"]}])
@pytest.mark.anyio
async def test_part_goes_with_the_general_answer_alone(other: dict[str, Any]) -> None:
    """A focus has no plan: rather than to leave one of the two out, the call is refused."""
    assert "part belongs to the general answer" in await refused(serve_demo(), EXPLAIN, part="plan", **other)
