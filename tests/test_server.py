"""The server as a client sees it: lists, errors by the protocol's codes, MCP resources, prompts and completions."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents

from reach_mcp.api.deadline import Deadline
from reach_mcp.server import BATCH_URI, INSTRUCTIONS
from tests.builders import batch, page, pending
from tests.fakes import ScriptedTransport
from tests.helpers import LIST, api_of, ask, serve

pytestmark = pytest.mark.anyio

BATCHES = [batch("b1", status="success"), batch("b2", status="success")]


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_client_of_either_era_lists_and_calls(era: str) -> None:
    async with Client(serve(api_of(BATCHES)), mode=era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool(LIST, {"toolCallId": "x"})

    assert names == ["list_batches", "get_batch", "explain_pending_dependencies"]
    assert not result.is_error
    assert result.structured_content is not None


def test_instructions_are_short_and_use_the_words_that_people_use() -> None:
    assert len(INSTRUCTIONS) <= 900
    for word in (
        "pending",
        "blocked",
        "stuck",
        "waiting",
        "failed",
        "expired",
        "partial_success",
        "missing dependency",
    ):
        assert word in INSTRUCTIONS


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("call_tool", ("list_batch", {}), "Unknown tool: 'list_batch' (did you mean list_batches?)"),
        ("call_tool", ("x" * 9000, {}), "Unknown tool: 'xxx"),
        ("get_prompt", ("explain", {}), "Unknown prompt: 'explain' (did you mean explain_batch?)"),
        ("get_prompt", ("explain_batch", {}), "explain_batch: batch_id is missing"),
        ("read_resource", ("reach://batches/" + "x" * 2000,), "uri is longer than 1000 characters."),
    ],
)
async def test_wrong_request_is_invalid_params(method: str, arguments: tuple[object, ...], message: str) -> None:
    async with Client(serve(api_of([]))) as client:
        with pytest.raises(MCPError) as caught:
            await getattr(client, method)(*arguments)

    assert caught.value.error.code == -32602
    assert message in caught.value.error.message
    assert len(caught.value.error.message) < 250


async def test_prompt_is_filled_in_with_quoted_values() -> None:
    async with Client(serve(api_of([]))) as client:
        assert len((await client.list_prompts()).prompts) >= 3
        result = await client.get_prompt("explain_batch", {"batch_id": "b1"})

    content = result.messages[0].content
    assert isinstance(content, TextContent)
    assert '"b1"' in content.text


async def test_batch_is_read_as_an_mcp_resource(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reach_mcp")
    async with Client(serve(api_of(BATCHES))) as client:
        content = (await client.read_resource("reach://batches/b1")).contents[0]
        with pytest.raises(MCPError, match="no such batch"):
            await client.read_resource("reach://batches/nope")

    assert isinstance(content, TextResourceContents)
    assert "b1" in content.text
    outcomes = [record.facts["outcome"] for record in caplog.records if record.message == "call"]  # type: ignore[attr-defined]
    assert outcomes == ["ok", "error"]


async def test_resource_that_cannot_be_read_is_an_error() -> None:
    async with Client(serve(ScriptedTransport(403))) as client:
        with pytest.raises(MCPError, match="may not read"):
            await client.read_resource("reach://batches/b1")


@pytest.mark.parametrize(
    "ref",
    [
        PromptReference(type="ref/prompt", name="explain_batch"),
        ResourceTemplateReference(type="ref/resource", uri=BATCH_URI),
    ],
)
async def test_batch_ids_are_completed(ref: PromptReference | ResourceTemplateReference) -> None:
    odd = ["b" * 201, "b\u202e", "b\x07", "b\u2800", "c1"]
    named = [batch(name) for name in [*odd, *(f"b{number}" for number in range(90))]]
    async with Client(serve(ScriptedTransport(lambda _: page(*named)))) as client:
        found = (await client.complete(ref, {"name": "batch_id", "value": "b"})).completion

    assert found.values == [f"b{number}" for number in range(90)]


@pytest.mark.parametrize(
    ("count", "cursor", "completion"),
    [(150, None, (100, 150, True)), (100, "next", (100, None, True)), (100, None, (100, 100, False))],
)
async def test_completions_say_that_there_are_more(
    count: int, cursor: str | None, completion: tuple[int, int | None, bool]
) -> None:
    named = [batch(f"b{number}") for number in range(count)]
    ref = PromptReference(type="ref/prompt", name="explain_batch")
    async with Client(serve(ScriptedTransport(page(*named, cursor=cursor)))) as client:
        found = (await client.complete(ref, {"name": "batch_id", "value": ""})).completion

    assert (len(found.values), found.total, found.has_more) == completion


@pytest.mark.parametrize(
    ("name", "argument", "api"),
    [("explain_batch", "other", ScriptedTransport()), ("nope", "batch_id", ScriptedTransport()),
     ("explain_batch", "batch_id", ScriptedTransport(403))],
)  # fmt: skip
async def test_no_completion_is_an_empty_one(name: str, argument: str, api: ScriptedTransport) -> None:
    async with Client(serve(api)) as client:
        result = await client.complete(PromptReference(type="ref/prompt", name=name), {"name": argument, "value": ""})

    assert result.completion.values == []


async def test_resources_and_completions_take_slots_under_the_callers_name() -> None:
    server = serve(api_of(BATCHES), max_calls=1, deadline=0.05)

    async with server.context.limiter.slot("alice", Deadline(60)), Client(server) as client:
        with pytest.raises(MCPError, match="too many calls"):
            await client.read_resource("reach://batches/b1")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"api_token": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.eHh4"}, "expired"),
        ({"api_token": None, "partner_id": "p"}, "REACH_JWT_SECRET"),
    ],
)
async def test_readiness_names_a_wrong_credential_and_sends_nothing(flags: dict[str, object], reason: str) -> None:
    assert reason in await serve(ScriptedTransport(), **flags).readiness()


async def test_server_whose_callers_bring_their_credential_needs_none_to_be_ready() -> None:
    server = serve(ScriptedTransport(), api_token=None, credential="caller-required")

    assert await server.readiness() == ""


async def test_server_that_ends_is_not_ready() -> None:
    server = serve(ScriptedTransport())
    server.stop()
    assert await server.readiness() == "This server is shutting down."


async def test_readiness_asks_reach_rarely() -> None:
    answers: dict[str, bytes | int] = {"now": b"<html>"}
    api = ScriptedTransport(lambda _: answers["now"])
    server = serve(api)
    upstream = server.context.upstream

    reason = "Requests to Reach fail (last asked at 2026-11-23 12:00:00 UTC): The answer is an HTML page, not JSON."
    assert [await server.readiness() for _ in range(3)] == [reason] * 3
    assert api.queries == [{"limit": "1"}]
    for answer in (403, json.dumps(page()).encode()):  # a refusal comes from Reach itself
        answers["now"], upstream.next_probe = answer, 0.0
        assert await server.readiness() == ""
    assert len(api.requests) == 3


async def test_one_failed_probe_after_success_is_no_reason_yet() -> None:
    answers: dict[str, bytes | int] = {"now": json.dumps(page()).encode()}
    server = serve(ScriptedTransport(lambda _: answers["now"]))
    found = []
    for answer in (answers["now"], b"<html>", b"<html>", json.dumps(page()).encode()):
        answers["now"], server.context.upstream.next_probe = answer, 0.0
        found.append(bool(await server.readiness()))

    assert found == [False, False, True, False]


@pytest.mark.parametrize(("seconds", "reason"), [(0.0, "did not answer within"), (5.0, "")])
async def test_probe_that_takes_too_long_is_no_success_and_a_refused_one_is(seconds: float, reason: str) -> None:
    server = serve(ScriptedTransport(403))
    server.context.upstream.probe_seconds = seconds

    assert reason in (found := await server.readiness())
    assert bool(found) is bool(reason)


async def test_closing_drops_snapshots_and_ends_analyses() -> None:
    server = serve(api_of(BATCHES))
    async with Client(server) as client:
        await client.call_tool("explain_pending_dependencies", {})

    assert server.context.stopping.is_set()
    assert "client" not in vars(server.context)
    await server.context.close()


async def test_server_answers_in_each_of_its_sessions() -> None:
    server, found = serve(api_of([batch("b1", pending("a:1", "b:1"))])), []
    for _ in range(2):
        async with Client(server) as client:
            async with Client(server):
                pass  # a session that ends leaves the other one open
            found.append(await client.call_tool("explain_pending_dependencies", {}))

    assert found[0].structured_content == found[1].structured_content
    assert "b:1" in str(found[1].content)


def test_import_loads_little_more_than_that_of_the_sdk() -> None:
    """Hosts wait for the start: HTTP client, decoder and analysis are imported at the first call."""
    code = (
        "import sys, mcp.server.mcpserver; sdk = {*sys.modules}; import reach_mcp.server; print(*{*sys.modules} - sdk)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    packages = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names

    assert packages <= {"reach_mcp", "pydantic", "pydantic_settings", "dotenv"}
    assert len([name for name in loaded if name.startswith("reach_mcp.")]) <= 20


async def test_delimiter_is_drawn_at_random() -> None:
    context = serve(api_of([])).context
    context._draw_delimiter = None

    assert len({context.draw_delimiter() for _ in range(20)}) > 1


async def test_demo_answers_without_a_credential() -> None:
    from reach_mcp.server import build_server
    from reach_mcp.settings import load_settings

    assert "batches" in await ask(build_server(load_settings(demo=True)), LIST)
