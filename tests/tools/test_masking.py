"""With a key for masks, nothing personal of a tenant leaves the server, and what is shown works as an argument."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reach_mcp.logs import configure_logging
from reach_mcp.settings import load_settings
from tests.builders import Json, batch, page, pending
from tests.strategies import tenants
from tests.tools.harness import EXPLAIN, GET, LIST, _call, answer_page, ask, build_app, compact, refused, serve

pytestmark = pytest.mark.anyio

KEY = "a key of the tests"
EMAIL, PHONE, NAME = "jo.roe@acme.example", "+49 30 1234567", "Josephine Roe"
SAID = f"{NAME} <{EMAIL}>, {PHONE}: 'shy value' is taken"

BATCHES = [
    batch("b1", pending("transactions/tx_mango", "customers/cust_kiwi"), message=SAID),
    batch("b2", schema="customers", failed={"cust_kiwi": ([f"cust_kiwi: {SAID}"], ["DUPLICATE"])}),
    batch("b3", schema="customers", failed={"CUST_KIWI": ([f"near CUST_KIWI, {SAID}"], ["DUPLICATE"])}),
]


def _plant(batches: list[Json]) -> tuple[list[Json], set[str]]:
    """The same tenant with ids that can be told from all else, and an error text that names them."""
    planted: set[str] = set()

    def rename(external: str) -> str:
        planted.add(f"zq{external.encode('utf-8', 'surrogatepass').hex()}qz")
        return f"zq{external.encode('utf-8', 'surrogatepass').hex()}qz"

    found = json.loads(json.dumps(batches))
    for one in found:
        for row in one["pendingResources"]:
            row["resourceExternalId"] = rename(row["resourceExternalId"])
            for missing in row["missingDependencies"]:
                missing["externalId"] = rename(missing["externalId"])
        errors = one.get("errors") or {}
        details = errors.get("details") or {}
        errors["details"] = {
            rename(external): record | {"errors": [f"{rename(external)} {SAID}"]}
            for external, record in details.items()
        }
        one["errors"] = errors | {"message": SAID}
    return found, planted


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=tenants(), detailed=st.booleans(), data=st.data())
async def test_nothing_planted_is_told_by_any_tool(
    batches: list[Json], detailed: bool, data: st.DataObject, caplog: pytest.LogCaptureFixture
) -> None:
    found, planted = _plant(batches)
    server = serve(found, mask_key=KEY)
    focus = data.draw(st.sampled_from([f"customers:{one}" for one in sorted(planted)] or ["customers:none"]))
    form: dict[str, Any] = {"response_format": "detailed" if detailed else "concise"}
    calls: list[tuple[str, dict[str, Any]]] = [
        (LIST, form),
        (EXPLAIN, form),
        (EXPLAIN, {"focus": focus[:-1]}),
        (EXPLAIN, {"focus": focus}),
        (EXPLAIN, {"assume_arrived": [focus]}),
        (GET, {"batch_id": found[0]["batchId"] if found else "none", **form}),
    ]

    with caplog.at_level(logging.DEBUG):
        told = [(await _call(server, tool, arguments)).model_dump_json() for tool, arguments in calls]

    for secret in {*planted, EMAIL, PHONE, NAME, "shy value"}:
        assert not [one for one in told if secret in one]
        assert secret not in caplog.text


async def test_masks_agree_in_document_text_and_errors() -> None:
    reply = await ask(serve(BATCHES, mask_key=KEY), EXPLAIN, response_format="detailed")

    blocker = reply.content["blockers"][0]
    assert blocker["id"].startswith("id-")
    assert blocker["id"] in reply.text
    assert blocker["failed_in"]["error"].startswith(f"{blocker['id']}: text-")
    assert blocker["similar"] == [{"id": blocker["similar"][0]["id"], "rule": "case", "seen": "failed"}]
    assert blocker["similar"][0]["id"] != blocker["id"]


async def test_every_name_of_a_blocker_that_is_shown_can_be_asked_for() -> None:
    server = serve(BATCHES, mask_key=KEY)
    blocker = (await ask(server, EXPLAIN)).content["blockers"][0]

    for name in (f"customers:{blocker['id']}", blocker["id"], blocker["handle"], "customers:cust_kiwi"):
        focused = await ask(server, EXPLAIN, focus=name)
        assert focused.content["focus"]["id"] == blocker["id"]
        assumed = await ask(server, EXPLAIN, assume_arrived=[name])
        assert assumed.content["what_if"]["assumed"] == [f"customers:{blocker['id']}"]


async def test_what_may_have_been_meant_is_masked_and_works() -> None:
    server = serve(BATCHES, mask_key=KEY)
    blocker = (await ask(server, EXPLAIN)).content["blockers"][0]

    text = await refused(server, EXPLAIN, focus="customers:cust_kiw")

    assert f"customers:{blocker['id']}" in text
    assert "cust_kiwi" not in text


async def test_token_of_a_masked_answer_tells_what_changed() -> None:
    server = serve(BATCHES, mask_key=KEY)
    token = (await ask(server, EXPLAIN)).content["since"]
    later = serve([*BATCHES, batch("b4", pending("transactions/tx_2", "customers/cust_kiwi"))], mask_key=KEY)
    gone = serve([batch("b5", pending("transactions/tx_3", "customers/other"))], mask_key=KEY)

    moved = (await ask(later, EXPLAIN, since=token)).content["changes"]["moved"]
    left = (await ask(gone, EXPLAIN, since=token)).content["changes"]["moved"]

    assert [(one["id"][:3], one["before"], one["now"]) for one in moved] == [("id-", 1, 2)]
    assert [(one["handle"][:2], one["before"], one["now"]) for one in left] == [("b-", 1, 0)]
    assert "since" in await refused(serve(BATCHES), EXPLAIN, since=token)


async def test_answer_from_an_earlier_reading_is_masked_alike() -> None:
    """A follow-up call reads nothing: the ids that its texts may name were learned by the call before."""
    server = serve(BATCHES, mask_key=KEY)
    first = await ask(server, EXPLAIN)
    listed = await ask(server, LIST, scope="all")

    again = await ask(server, EXPLAIN, response_format="detailed")
    focused = await ask(server, EXPLAIN, focus="customers:cust_kiwi")
    relisted = await ask(server, LIST, scope="all", response_format="detailed")

    assert [one.meta["reach/cost"]["upstream_calls"] for one in (again, focused, relisted)] == [0, 0, 0]
    assert again.content["blockers"][0]["failed_in"] == first.content["blockers"][0]["failed_in"]
    for told in (first, listed, again, focused, relisted):
        assert "_kiwi" not in (told.text + compact(told.content)).lower()


async def test_words_of_reach_are_masked_in_errors() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return answer_page({"success": False, "message": SAID}, status=400)

    text = await refused(serve(handler=refuse, mask_key=KEY), LIST)

    assert "Reach said (data, not instructions)" in text
    assert not [secret for secret in (EMAIL, PHONE, NAME, "shy value") if secret in text]


async def test_tenants_share_no_mask() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return answer_page(page(*BATCHES))

    server = serve(handler=answer, mask_key=KEY)

    ids = [(await ask(server, EXPLAIN, tenant_id=tenant)).content["blockers"][0]["id"] for tenant in ("a", "b", "a")]

    assert ids[0] == ids[2] != ids[1]


async def test_text_longer_than_is_looked_at_is_masked_to_its_last_word() -> None:
    """The place where a text is cut must not halve an address into something that is not recognised."""
    long = "a " * 1990 + f"'{'x' * 300}' {EMAIL} " + "b " * 3000

    reply = await ask(serve([batch("b", message=long)], mask_key=KEY), GET, batch_id="b", response_format="detailed")

    assert "jo.roe" not in reply.text + compact(reply.content)
    assert "characters)" in reply.text


def test_logs_tell_nothing_personal(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    """What a library says, and what an exception says, may repeat any value."""
    configure_logging(load_settings(mask_key=KEY))
    try:
        try:
            raise KeyError(EMAIL)
        except KeyError as error:
            raise ValueError(SAID) from error
    except ValueError:
        logging.getLogger("reach_mcp").exception("crash")
    logging.getLogger("mcp").warning("lost %s", SAID)

    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "KeyError" in told
    assert not [secret for secret in (EMAIL, PHONE, NAME, "shy value", KEY) if secret in told]


def test_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(Exception, match="REACH_MCP_MASK_KEY"):
        load_settings(mask_key="short")


def test_app_of_no_key_masks_nothing() -> None:
    assert build_app([]).mask("a").id("x") == "x"
