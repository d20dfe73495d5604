"""The budget holds, whatever the data, the arguments and the budget: through the real tools, by the real tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.tenant import build_tenant
from reach_mcp.render.answer import DETAILED_LEVELS, EXACT, LARGEST, Level, keep_calls
from tests import strategies
from tests.builders import NOW, Json, batch, page, pending
from tests.tools.harness import EXPLAIN, GET, LIST, MARK, Reply, answer_page, ask, compact, serve

BUDGETS = st.integers(800, 4000)
FORMATS = st.sampled_from(("concise", "detailed"))
WIDE = "\U0001f9fe\u6f22\x00\u202e\"'\\"
"""Characters that cost most: several bytes each, or an escape in JSON."""

odd_names = st.text(st.sampled_from(WIDE + "aZ0 …(+"), max_size=40) | st.integers(1, 3000).map(lambda n: WIDE * n)


def within(reply: Reply, budget: int, batches: list[Json]) -> Reply:
    words, whole = reply.tokens
    assert whole <= budget, (words, whole)
    assert len(reply.text) + len(compact(reply.content)) <= LARGEST
    reply.check()
    known = set(texts(batches))
    assert [name for name in names(reply.content) if not is_exact(name, known) and not is_cut(name, reply)] == []
    return reply


def texts(value: Any) -> Iterator[str]:
    """Every text of a tenant, names of its fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from texts(inner)


NAMES = frozenset(
    {"id", "batch", "batches", "examples", "ids", "path", "paths", "chains", "assumed", "held_by", "most_pending"}
)


def names(value: Any, field: str = "") -> Iterator[str]:
    """Every id, and every name of a record, in structured content."""
    if isinstance(value, str) and field in NAMES:
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner, field)
    elif isinstance(value, dict):
        if field in ("held_by", "most_pending", "ids", "adds"):
            yield from value
        for name, inner in value.items():
            yield from names(inner, field if field == "ids" else name)


def is_exact(name: str, known: set[str]) -> bool:
    """Whether it is a name of the tenant's own, or `schema:id` of two; which names are twins stands behind them."""
    name = re.sub(r" \(\d+\)\Z", "", name)
    pairs = (name.split(":", place) for place in range(name.count(":") + 1))
    halves = [(":".join(parts[:place]), ":".join(parts[place:])) for parts in pairs for place in range(1, len(parts))]
    return name in known or any({schema, external} <= known for schema, external in halves)


def is_cut(name: str, reply: Reply) -> bool:
    """Whether it says that it was cut: when it is long, or when no other row is shown."""
    found = re.search(r"\A(?:.*:)?(.*?)…\(\+(\d+) (?:characters|more)\)", name, re.DOTALL)
    rows = max(len(reply.content.get(rows, ())) for rows in ("blockers", "batches", "circles", "disagreements"))
    return found is not None and (len(found[1]) + int(found[2]) > EXACT or rows <= 1)


@st.composite
def list_arguments(draw: st.DrawFn) -> dict[str, Any]:
    return draw(
        st.fixed_dictionaries(
            {"response_format": FORMATS},
            optional={
                "scope": st.sampled_from(("page", "all")),
                "limit": st.integers(1, 5),
                "status": st.sampled_from(("success", "failure", "processing")),
                "schema": st.sampled_from(("customers", "ORDERS", "nothing", WIDE * 20)),
                "created_after": st.sampled_from(("24h", "2026-11-20")),
                "include_pending_details": st.booleans(),
                "only_batches_with_pending_resources": st.booleans(),
                "sort_by": st.sampled_from(("createdAt", "completedAt")),
                "offset": st.integers(0, 3),
            },
        )
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.tenants(), list_arguments(), BUDGETS)
def test_a_listing_of_any_tenant_keeps_its_budget_and_its_counts(
    batches: list[Json], arguments: dict[str, Any], budget: int
) -> None:
    reply = within(anyio.run(lambda: ask(serve(batches, answer_tokens=budget), LIST, **arguments)), budget, batches)

    census, matched = reply.content["census"], reply.content["matched"]
    assert f" {matched} batch" in reply.text
    assert sum(census["status"].values()) == matched
    assert matched <= reply.content["coverage"]["batches"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.tenants(), FORMATS, BUDGETS, st.sampled_from(("general", "focus", "what_if", "batch")), st.data())
def test_an_explanation_of_any_tenant_keeps_its_budget_and_its_counts(
    batches: list[Json], form: str, budget: int, kind: str, data: st.DataObject
) -> None:
    arguments = data.draw(explain_arguments(batches, kind)) | {"response_format": form}
    server = serve(batches, answer_tokens=budget)
    reply = within(anyio.run(lambda: ask(server, EXPLAIN, **arguments)), budget, batches)

    for call in reply.content["next_calls"]:
        within(anyio.run(partial(ask, server, call["tool"], **call["arguments"])), budget, batches)
    waiting = reply.content["pending"]["rows"]
    assert f"{waiting} pending resource" in reply.text if waiting else "Nothing waits" in reply.text


def explain_arguments(batches: list[Json], kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments that name what is there."""
    listed = [one for one in batches if one["progress"]["pendingRecords"]]
    rows = [row for one in {one["batchId"]: one for one in listed}.values() for row in one["pendingResources"]]
    names = [f"{row['schemaDefinitionId']}:{row['resourceExternalId']}" for row in rows if row["resourceExternalId"]]
    if kind == "batch" and listed:
        return st.sampled_from([{"focus": one["batchId"]} for one in listed])
    if len({one["batchId"] for one in listed}) < len(listed):
        return st.just({})  # which of two readings comes last is up to the API's order
    if kind == "focus" and len(set(names)) == len({row["id"] for row in rows}) == len(rows) > 0:
        return st.sampled_from([{"focus": name} for name in names])
    if kind == "what_if" and len(set(names)) == len({row["id"] for row in rows}) == len(rows) > 0:
        return st.lists(st.sampled_from(names), min_size=1, max_size=9).map(lambda some: {"assume_arrived": some})
    return st.just({})


def wild(name: Callable[[int], str], *, schemas: int = 30) -> list[Json]:
    """A tenant all of whose names are of a kind: ids, schemas, statuses, types, categories and messages."""
    found = []
    for number in range(schemas):
        here, there = f"{number}{name(number)}".replace("/", ""), f"{number + 1}{name(number)}".replace("/", "")
        row = pending(f"{here}/{name(number)}", f"{there}/{name(number + 1)}", f"x{there}/{name(number + 2)}")
        body = batch(
            f"{name(number)}{number}",
            row,
            status=name(number) or "s",
            type=name(number) + str(number % 7),
            schema=here,
            failed={name(number + 1): ([name(3)], [f"{name(4)}{number}"]), f"{number}": ([], [])},
            message=name(5),
            pendingRecords=number + 1,
        )
        found.append(body)
    return found


WILD: dict[str, Callable[[int], str]] = {
    "long ids": lambda number: f"{number:05}" + "Xq7" * 3000,
    "wide ids": lambda number: f"{WIDE}{number}" * 400,
    "escapes": lambda number: f"\x00\x01{number}" * 200,
    "digits": lambda number: f"{number}" * 300,
    "cut notes": lambda number: "A" * 160 + "…(+" + "Z" * 5000 + f"{number}…(+99999999999999 characters)",
    "short ids": lambda number: f"id_{number}",
}


@pytest.mark.parametrize("form", ["concise", "detailed"])
@pytest.mark.parametrize("budget", [800, 4000])
@pytest.mark.parametrize("kind", WILD)
def test_no_name_is_long_or_odd_enough_to_break_the_budget(kind: str, budget: int, form: str) -> None:
    """Statuses, schemas, categories and ids are Reach's: nothing bounds how many there are, or how long."""
    batches = wild(WILD[kind])
    server = serve(batches, answer_tokens=budget)
    first = batches[0]["batchId"]

    async def work() -> list[Reply]:
        replies = [
            await ask(server, LIST, scope="all", response_format=form, include_pending_details=True),
            await ask(server, EXPLAIN, response_format=form),
        ]
        if len(first) <= 500:
            replies.append(await ask(server, EXPLAIN, focus=first, response_format=form))
            replies.append(await ask(server, GET, batch_id=first, response_format=form))
        return replies

    for reply in anyio.run(work):
        within(reply, budget, batches)


@pytest.mark.parametrize("budget", [800, 4000])
def test_one_batch_with_nothing_but_kinds_of_errors_keeps_its_budget(budget: int) -> None:
    failed = {f"{WIDE}{number}" * 20: ([f"{number} " + WIDE * 300], [f"{WIDE * 90}{number}"]) for number in range(300)}
    body = batch("b", *[pending(f"s/{n}", f"{WIDE * 30}{n}/{WIDE * 90}{n}") for n in range(90)], failed=failed)

    for form in ("concise", "detailed"):
        reply = anyio.run(
            lambda form: ask(serve([body], answer_tokens=budget), GET, batch_id="b", response_format=form), form
        )
        within(reply, budget, [body])
        assert sum(reply.content["categories"].values()) + reply.content["more_categories"] == 300


def test_hundreds_of_waves_and_a_chain_as_long_are_counted_where_they_are_not_shown() -> None:
    """Each schema refers to the next one: as many waves as schemas, one chain through them all."""
    rows = [pending(f"s{number}/1", f"s{number + 1}/1", f"s{number}/root") for number in range(300)]

    batches = [batch("b", *rows)]

    async def work() -> list[Reply]:
        server = serve(batches)
        return [
            await ask(server, EXPLAIN),
            await ask(server, EXPLAIN, focus="s0:1"),
            await ask(server, EXPLAIN, assume_arrived=["s300:1", *(f"s{number}:root" for number in range(199))]),
        ]

    general, focus, what_if = anyio.run(work)
    for reply in (general, focus, what_if):
        within(reply, 4000, batches)
    assert len(general.content["send_first"]) + general.content["more_waves"] == 301
    assert general.content["pending"]["deeper"] == 288
    assert "more)" in general.content["chains"][0][len(general.content["chains"][0]) // 2]
    assert focus.content["focus"]["root_blockers"] == 301
    assert len(what_if.content["what_if"]["assumed"]) + what_if.content["what_if"]["more_assumed"] == 200


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(odd_names, min_size=1, max_size=8), BUDGETS, FORMATS)
def test_odd_names_of_any_length_keep_the_budget(names: list[str], budget: int, form: str) -> None:
    batches = wild(lambda number: names[number % len(names)], schemas=len(names))
    server = serve(batches, answer_tokens=budget)

    async def work() -> list[Reply]:
        return [await ask(server, tool, response_format=form) for tool in (LIST, EXPLAIN)]

    for reply in anyio.run(work):
        within(reply, budget, batches)


@pytest.mark.parametrize("form", ["concise", "detailed"])
def test_least_budget_still_names_what_blocks_most_and_counts_the_rest(form: str) -> None:
    batches = build_tenant(400, 3000, now=NOW)
    server = serve(batches, answer_tokens=800)

    reply = within(anyio.run(lambda: ask(server, EXPLAIN, response_format=form)), 800, batches)

    most = anyio.run(lambda: ask(serve(batches), EXPLAIN)).content["blockers"][0]
    named = ("handle", "schema", "id", "waiting", "direct", "frees", "causes")
    assert [reply.content["blockers"][0][name] for name in named] == [most[name] for name in named]
    assert set(reply.content["more"]) == {"hours", "circles", "plan", "counters"}


def test_name_is_exact_up_to_a_fixed_length_and_rows_make_room_for_it() -> None:
    """A call needs the id as it is: better one that works than five that don't."""
    batches = [batch("b", *[pending(f"t/{n}", f"c/{n:0{EXACT}}") for n in range(9)], pending("t/x", f"c/{'y' * 161}"))]
    server = serve(batches, answer_tokens=1100)

    reply = within(anyio.run(lambda: ask(server, EXPLAIN)), 1100, batches)

    shown = [blocker["id"] for blocker in reply.content["blockers"]]
    assert 1 <= len(shown) < 5
    assert shown == [f"{n:0{EXACT}}" for n in range(len(shown))]
    assert Level(9, 9, 9).name("y" * EXACT * 2) == "y" * EXACT + f"…(+{EXACT} characters)"
    assert Level(0, 0, 0, names=4).name("a short id") == "a short id", "the note would be longer than what it is about"


def test_counts_of_names_that_read_alike_once_cut_stay_apart() -> None:
    """Two long names that differ behind the cut are two: their counts must neither merge nor vanish."""
    level = Level(0, 0, 0, names=4)

    assert level.first({"abcd" + "x" * 40: 2, "abcd" + "y" * 40: 1, "abcd": 7}, 3) == {
        "abcd…(+40 characters)": 2,
        "abcd…(+40 characters) (2)": 1,
        "abcd": 7,
    }


def test_no_documented_status_is_ever_cut() -> None:
    assert DETAILED_LEVELS[-1].name("partial_success") == "partial_success"


def test_call_too_long_to_repeat_is_counted_and_said() -> None:
    """A cursor is Reach's and may be of any length; cut, it would be no cursor."""
    call: Json = {"tool": LIST, "arguments": {"cursor": "x" * 5000}}

    assert keep_calls([call], Level(0, 0, 0)) == {"next_calls": [], "too_long_calls": 1}


@pytest.mark.parametrize("budget", [800, 4000])
def test_endless_cursor_and_arguments_leave_the_rest_of_the_answer_whole(budget: int) -> None:
    server = serve(handler=lambda _: answer_page(page(batch("b1"), cursor="c!" * 9000, total=9)), answer_tokens=budget)

    reply = within(anyio.run(lambda: ask(server, LIST, tenant_id="t" * 3000)), budget, [{"batchId": "b1"}])

    assert "left out: too long to repeat" in reply.text
    assert f'{MARK}"b1"' in reply.text
