"""Each kind of question that people ask gets a complete answer from one call that costs little."""

from __future__ import annotations

from functools import cache
from typing import Any

import anyio
import pytest

from benchmarks.tenant import build_tenant
from tests.builders import NOW, Json
from tests.tools.harness import EXPLAIN, GET, LIST, Reply, ask, serve, serve_demo

MOST_TEXT = 900
MOST = 2000
"""Real tokens of the text, and of the text with the structured content."""


@cache
def big_tenant() -> list[Json]:
    return build_tenant(400, 3000, now=NOW)


def asked(tool: str, arguments: Json, *, tenant: str) -> Reply:
    server = serve_demo() if tenant == "demo" else serve(big_tenant())
    reply = anyio.run(lambda: ask(server, tool, **arguments))
    words, whole = reply.tokens
    print(f"{tenant:5} {words:5} {whole:5} {tool} {arguments}")
    assert (words, whole) <= (MOST_TEXT, whole)
    assert whole <= MOST
    reply.check()
    return reply


def holder(tenant: str) -> Json:
    """The batch that most rows wait in."""
    if tenant == "demo":
        return {"batchId": "bat_txn_0921", "pendingResources": [{"resourceExternalId": "txn_20001"}]}
    return max(big_tenant(), key=lambda body: len(body["pendingResources"]))


TENANTS = pytest.mark.parametrize("tenant", ["demo", "big"])
GENERAL = [
    ("how many batches, in which state", LIST, {"scope": "all"}, ["Status: ", "Type: ", "Schema: "]),
    ("which failed since a date", LIST, {"status": "failure", "created_after": "3d"}, ["Status: ", "Batches ("]),
    ("which are running, since when", LIST, {"status": "processing"}, ["processing", "started "]),
    (
        "what became of the latest ingest",
        LIST,
        {"limit": 1, "batch_type": "PARTNER_RESOURCE_JSON_INGEST"},
        ["Batches (all 1):", " records"],
    ),
    (
        "which hold most pending",
        LIST,
        {"only_batches_with_pending_resources": True, "scope": "all"},
        ["Most pending: "],
    ),
    (
        "commonest errors of one type",
        LIST,
        {"batch_type": "PARTNER_RESOURCE_JSON_INGEST", "scope": "all"},
        ["Error categories: ", "VALIDATION_ERROR"],
    ),
    ("what blocks most", EXPLAIN, {}, ["Root blockers (", " wait (", "frees "]),
    ("is there a circle", EXPLAIN, {}, ["Circle of ", "never clears by itself"]),
    ("what expires when", EXPLAIN, {}, ["within the hour", "by hour", "next "]),
    ("what to send first", EXPLAIN, {}, ["Send first", "wave 1: "]),
]


@TENANTS
@pytest.mark.parametrize(("question", "tool", "arguments", "facts"), GENERAL, ids=[one[0] for one in GENERAL])
def test_question_is_answered_by_one_call(
    tenant: str, question: str, tool: str, arguments: dict[str, Any], facts: list[str]
) -> None:
    reply = asked(tool, arguments, tenant=tenant)

    assert [fact for fact in facts if fact not in reply.text and not none_there(reply, fact)] == []
    assert "complete" in reply.text or "limit" in arguments


def none_there(reply: Reply, fact: str) -> bool:
    """Nothing matched, and the answer says so of all that there is."""
    return reply.content.get("matched") == 0 and "Nothing matched." in reply.text and fact != ""


@TENANTS
def test_state_of_one_batch(tenant: str) -> None:
    batch_id = holder(tenant)["batchId"]
    reply = asked(GET, {"batch_id": batch_id}, tenant=tenant)

    assert reply.content["batch"]["id"] == batch_id
    assert "Pending resources: " in reply.text
    assert "Missing, with how many list each: " in reply.text


@TENANTS
def test_why_one_record_waits_down_to_the_root(tenant: str) -> None:
    record = holder(tenant)["pendingResources"][0]["resourceExternalId"]
    reply = asked(EXPLAIN, {"focus": record}, tenant=tenant)

    for path in reply.content["focus"]["paths"]:
        assert len(path["path"]) >= 2
        assert path["causes"]
    assert " waits for " in reply.text


@TENANTS
def test_why_one_batch_waits(tenant: str) -> None:
    reply = asked(EXPLAIN, {"focus": holder(tenant)["batchId"]}, tenant=tenant)

    assert "Focus batch" in reply.text
    assert reply.content["focus"]["root_blockers"] > 0


@TENANTS
def test_what_would_clear_if_a_blocker_arrived(tenant: str) -> None:
    first = asked(EXPLAIN, {}, tenant=tenant).content["blockers"][0]
    reply = asked(EXPLAIN, {"assume_arrived": [first["handle"]]}, tenant=tenant)

    assert reply.content["what_if"]["clears"] == first["frees"]
    assert f"{first['frees']} clear" in reply.text


def test_demo_names_what_its_story_planted() -> None:
    """The hub, the failed parents, the chain, the circle: an answer without them is no answer."""
    reply = asked(EXPLAIN, {}, tenant="demo")

    hub = reply.content["blockers"][0]
    assert (hub["schema"], hub["id"], hub["direct"]) == ("locations", "loc_harbor_12", 426)
    assert reply.content["circles"][0]["members"] == 6
    assert reply.content["expiry"]["expired"] == 38
    assert reply.content["expiry"]["within_hour"] == 29
