"""The server from outside: an MCP client in both protocol eras, the demo API behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, PromptReference, ResourceTemplateReference, TextContent
from pydantic import AfterValidator, BaseModel, Field

from reach_mcp import __version__
from reach_mcp.api.client import asgi_transport
from reach_mcp.demo.api import build_demo_api
from reach_mcp.render.glossary import GLOSSARY
from reach_mcp.server import BATCH_URI, StrictServer, build_server
from reach_mcp.settings import Settings, load_settings
from tests.builders import NOW, batch, pending
from tests.tools.harness import text_of

pytestmark = pytest.mark.anyio

TOOLS = ["list_batches", "get_batch", "explain_pending_dependencies"]
PROMPTS = ["explain_batch", "ingest_health_report", "triage_stuck_batches"]
INVALID_PARAMS = -32602


@pytest.fixture(params=["legacy", "2026-07-28"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both protocol eras: hosts of either kind are connected."""
    return str(request.param)


@asynccontextmanager
async def connected(server: StrictServer, mode: str = "legacy") -> AsyncIterator[Client]:
    with anyio.fail_after(30):
        async with Client(server, mode=mode) as client:
            yield client


@pytest.fixture
def demo(demo_settings: Settings) -> StrictServer:
    return build_server(demo_settings, clock=lambda: NOW, mark=lambda: "m")


def refusal(result: CallToolResult) -> str:
    """The text of an error result, which must hold nothing else: some hosts check error content against the schema."""
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)


async def test_server_says_who_it_is_and_what_it_offers(demo: StrictServer, mode: str) -> None:
    async with connected(demo, mode) as client:
        tools = await client.list_tools()
        prompts = await client.list_prompts()
        templates = await client.list_resource_templates()
        resources = await client.list_resources()

    assert [tool.name for tool in tools.tools] == TOOLS
    assert [prompt.name for prompt in prompts.prompts] == PROMPTS
    assert [template.uri_template for template in templates.resource_templates] == [BATCH_URI]
    assert [resource.uri for resource in resources.resources] == ["reach://glossary"]


async def test_handshake_names_version_instructions_and_no_streams(demo: StrictServer) -> None:
    """A client that is told of list changes would hold a stream open for news that never come."""
    async with connected(demo) as client:
        info, capabilities, instructions = client.server_info, client.server_capabilities, client.instructions

    assert info is not None
    assert (info.name, info.title, info.version, info.icons) == ("reach-mcp", "Reach batches", __version__, None)
    assert instructions is not None
    assert all(tool in instructions for tool in TOOLS)
    assert capabilities is not None
    assert capabilities.completions is not None
    assert capabilities.tools is not None
    assert not capabilities.tools.list_changed
    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe


async def test_lists_may_be_kept_by_hosts_and_answers_may_not(demo: StrictServer) -> None:
    """The lists are the same for everybody; what is read from Reach is a tenant's own and changes."""
    async with connected(demo, "2026-07-28") as client:
        lists: list[Any] = [
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resources(),
            await client.list_resource_templates(),
        ]
        read = await client.read_resource("reach://batches/bat_cus_0912")

    assert {(found.ttl_ms, found.cache_scope) for found in lists} == {(300_000, "public")}
    assert (read.ttl_ms, read.cache_scope) == (0, "private")


@pytest.mark.parametrize(
    ("tool", "arguments", "fact"),
    [
        ("list_batches", {}, "20 batches matched"),
        ("get_batch", {"batch_id": "bat_cus_0912"}, 'm"bat_cus_0912"'),
        ("explain_pending_dependencies", {}, 'm"loc_harbor_12"'),
    ],
)
async def test_each_tool_answers_from_the_demo(
    demo: StrictServer, mode: str, tool: str, arguments: dict[str, Any], fact: str
) -> None:
    async with connected(demo, mode) as client:
        result = await client.call_tool(tool, arguments)

    assert not result.is_error
    assert fact in text_of(result)
    assert result.structured_content is not None


@pytest.mark.parametrize("value", [None, ""])
async def test_null_or_empty_optional_argument_counts_as_absent(
    demo: StrictServer, mode: str, value: str | None
) -> None:
    """Models fill in every argument that they see; "" would otherwise be sent as a filter that nothing matches."""
    async with connected(demo, mode) as client:
        result = await client.call_tool("list_batches", {"schema": value, "limit": value, "tenant_id": value})
        plain = await client.call_tool("list_batches", {})

    assert result.structured_content == plain.structured_content


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("list_batches", {"limit": 0}, "list_batches: limit must be a whole number from 1 to 1000."),
        ("list_batches", {"limit": "many"}, "list_batches: limit must be a whole number from 1 to 1000."),
        ("list_batches", {"sort_by": "age"}, "list_batches: sort_by must be one of createdAt, startedAt, completedAt."),
        (
            "list_batches",
            {"filter_status": "failure"},
            "list_batches: unknown argument 'filter_status' (did you mean status?).",
        ),
        ("get_batch", {}, "get_batch: batch_id is missing: a text of 1 to 500 characters."),
        ("get_batch", {"batch_id": ""}, "get_batch: batch_id must be a text of 1 to 500 characters."),
        (
            "get_batch",
            {"batch_id": "b", "qqqq": 1},
            "get_batch: unknown argument 'qqqq' "
            "(there is batch_id, include_pending_details, tenant_id, offset, response_format).",
        ),
        (
            "get_batch",
            {"response_format": "long", "include_pending_details": "maybe", "batch_id": 1},
            "get_batch: batch_id must be a text of 1 to 500 characters; "
            "include_pending_details must be true or false; response_format must be one of concise, detailed.",
        ),
    ],
)
async def test_wrong_arguments_are_all_named_with_what_would_be_right(
    demo: StrictServer, mode: str, tool: str, arguments: dict[str, Any], text: str
) -> None:
    """A model mends its call from this text alone."""
    async with connected(demo, mode) as client:
        assert refusal(await client.call_tool(tool, arguments)) == text


async def test_unknown_tool_is_a_protocol_error(demo: StrictServer, mode: str) -> None:
    async with connected(demo, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("get_batches\n", {})

    assert caught.value.code == INVALID_PARAMS
    assert caught.value.message == "Unknown tool: 'get_batches\\n' (did you mean get_batch?)"


class Counted(BaseModel):
    n: int


async def crash() -> Annotated[CallToolResult, Counted]:
    """Crashes."""
    raise RuntimeError("s3cret inside")


async def mismatch() -> Annotated[CallToolResult, Counted]:
    """Answers what its schema does not allow."""
    return CallToolResult(content=[], structured_content={"n": "s3cret"})


def refuse_odd(value: int) -> int:
    if value % 2:
        raise ValueError("odd numbers are not taken")
    return value


async def pick(
    even: Annotated[int, AfterValidator(refuse_odd)] = 0, share: Annotated[float, Field(ge=0)] = 0.5
) -> CallToolResult:
    """Takes numbers."""
    return CallToolResult(content=[TextContent(type="text", text=f"{even} {share}")])


def small_server(*functions: Callable[..., Any]) -> StrictServer:
    return StrictServer("small", tools=[Tool.from_function(function) for function in functions])


@pytest.mark.parametrize("function", [crash, mismatch])
async def test_unexpected_error_is_masked_for_the_caller_and_logged(
    function: Callable[..., Any], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a bug of ours: its text may hold anything. An answer that misses its own schema is one as well, not a
    wrong argument of the caller's."""
    async with connected(small_server(function), mode) as client:
        text = refusal(await client.call_tool(function.__name__, {}))

    assert text == f"Error executing tool {function.__name__}"
    crashes = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(crashes) == 1
    assert crashes[0].exc_info


async def test_check_of_our_own_speaks_for_itself(mode: str) -> None:
    async with connected(small_server(pick), mode) as client:
        assert refusal(await client.call_tool("pick", {"even": 3})) == "pick: even: odd numbers are not taken."
        assert refusal(await client.call_tool("pick", {"share": -1})) == "pick: share must be a number of 0 or more."
        assert text_of(await client.call_tool("pick", {"even": 0})) == "0 0.5"


async def test_prompt_is_rendered_with_its_argument(demo: StrictServer, mode: str) -> None:
    async with connected(demo, mode) as client:
        result = await client.get_prompt("explain_batch", {"batch_id": "bat_cus_0912"})

    assert [message.role for message in result.messages] == ["user"]
    content = result.messages[0].content
    assert isinstance(content, TextContent)
    assert content.text.startswith('Explain to a support engineer what became of the batch "bat_cus_0912".')


async def test_prompts_are_listed_with_their_arguments(demo: StrictServer, mode: str) -> None:
    async with connected(demo, mode) as client:
        prompts = (await client.list_prompts()).prompts

    told = {prompt.name: [(a.name, a.required) for a in prompt.arguments or []] for prompt in prompts}
    assert told == {
        "explain_batch": [("batch_id", True)],
        "ingest_health_report": [("since", False)],
        "triage_stuck_batches": [("tenant_id", False)],
    }
    assert all(prompt.title and prompt.description for prompt in prompts)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("explain_batch", {}, "explain_batch: batch_id is missing (The batch's id, as list_batches shows it.)."),
        (
            "explain_batch",
            {"batch_id": "b", "batch": "b"},
            "explain_batch: unknown argument 'batch' (did you mean batch_id?).",
        ),
        ("explain_batches", {}, "Unknown prompt: 'explain_batches' (did you mean explain_batch?)"),
    ],
)
async def test_bad_prompt_request_is_a_protocol_error_that_says_why(
    demo: StrictServer, mode: str, name: str, arguments: dict[str, str], message: str
) -> None:
    """The SDK alone would answer "internal error" in one era and code 0 in the other."""
    async with connected(demo, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt(name, arguments)

    assert (caught.value.code, caught.value.message) == (INVALID_PARAMS, message)


@pytest.mark.parametrize(
    "reference",
    [
        PromptReference(type="ref/prompt", name="explain_batch"),
        ResourceTemplateReference(type="ref/resource", uri=BATCH_URI),
    ],
)
async def test_batch_id_is_completed_from_recent_batches(
    demo: StrictServer, mode: str, reference: PromptReference | ResourceTemplateReference
) -> None:
    async with connected(demo, mode) as client:
        result = await client.complete(reference, {"name": "batch_id", "value": "bat_cus_09"})

    assert result.completion.values[:2] == ["bat_cus_0952", "bat_cus_0950"]
    assert all(value.startswith("bat_cus_09") for value in result.completion.values)


@pytest.mark.parametrize(
    ("reference", "argument"),
    [
        (PromptReference(type="ref/prompt", name="ingest_health_report"), "since"),
        (PromptReference(type="ref/prompt", name="explain_batch"), "other"),
        (ResourceTemplateReference(type="ref/resource", uri="reach://other/{batch_id}"), "batch_id"),
    ],
)
async def test_nothing_else_is_completed(
    demo: StrictServer, mode: str, reference: PromptReference | ResourceTemplateReference, argument: str
) -> None:
    async with connected(demo, mode) as client:
        result = await client.complete(reference, {"name": argument, "value": ""})

    assert result.completion.values == []


async def test_completion_without_a_credential_is_empty(mode: str) -> None:
    """A host asks at every keystroke: an error each time would bury the one that the call itself gives."""
    async with connected(build_server(load_settings()), mode) as client:
        reference = PromptReference(type="ref/prompt", name="explain_batch")
        result = await client.complete(reference, {"name": "batch_id", "value": ""})

    assert result.completion.values == []


def resource_text(result: Any) -> str:
    [content] = result.contents
    return str(content.text)


async def test_mcp_resources_are_the_glossary_and_each_batch(demo: StrictServer, mode: str) -> None:
    async with connected(demo, mode) as client:
        glossary = await client.read_resource("reach://glossary")
        read = await client.read_resource("reach://batches/bat_cus_0912")
        called = await client.call_tool("get_batch", {"batch_id": "bat_cus_0912"})

    assert resource_text(glossary) == GLOSSARY
    assert resource_text(read).partition("\nNext:")[0] == text_of(called).partition("\nNext:")[0]


@pytest.mark.parametrize(
    ("settings", "uri", "code", "words"),
    [
        ({"demo": True}, "reach://batches/nosuch", INVALID_PARAMS, "Reach knows no such thing (404)."),
        ({"demo": True}, "reach://nosuch", INVALID_PARAMS, "Unknown resource"),
        ({}, "reach://batches/b1", -32603, "No Reach credential is set."),
        ({"api_token_file": Path("/nowhere")}, "reach://batches/b1", -32603, "REACH_API_TOKEN_FILE can't be read"),
    ],
)
async def test_mcp_resource_that_can_not_be_read_says_why(
    settings: dict[str, Any], uri: str, code: int, words: str, mode: str
) -> None:
    async with connected(build_server(load_settings(**settings)), mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)

    assert caught.value.code == code
    assert words in caught.value.message


async def test_without_a_credential_tools_are_listed_and_each_call_says_what_to_set(mode: str) -> None:
    """A host that shows a dead server leaves its user nothing to go by."""
    async with connected(build_server(load_settings()), mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        texts = [
            refusal(await client.call_tool(name, {"batch_id": "b"} if name == "get_batch" else {})) for name in names
        ]

    assert names == TOOLS
    assert all("Set REACH_API_TOKEN or REACH_API_TOKEN_FILE" in text for text in texts)


@pytest.mark.parametrize(("tenant", "text"), [("healthy", "12 batches matched"), ("empty", "Nothing matched")])
async def test_another_tenant_of_the_demo_is_served_and_pinned(tenant: str, text: str, mode: str) -> None:
    async with connected(build_server(load_settings(demo=True, demo_tenant=tenant)), mode) as client:
        result = await client.call_tool("list_batches", {})
        other = await client.call_tool("list_batches", {"tenant_id": "northwind"})

    assert text in text_of(result)
    assert "pinned to another tenant" in refusal(other)


async def test_demo_ignores_the_tenant_and_the_credential_of_the_real_api(mode: str) -> None:
    """Who tries the demo on a machine that is set up for the real thing gets the demo."""
    settings = load_settings(demo=True, tenant_id="acme", api_token="s3cret")
    async with connected(build_server(settings), mode) as client:
        result = await client.call_tool("list_batches", {})

    assert "20 batches matched" in text_of(result)


class Recorded(httpx.AsyncBaseTransport):
    """The network to Reach: an API with one batch, which keeps what it was asked."""

    def __init__(self) -> None:
        one = batch("b1", pending("transactions/t1", "customers/c1"))
        self._inner = asgi_transport(build_demo_api({"acme": [one]}, default_tenant="acme", tenant_token="real"))
        self.requests: list[httpx.Request] = []
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        self.closed = True


async def test_settings_reach_the_network_and_the_lifespan_closes_it(mode: str) -> None:
    network = Recorded()
    settings = load_settings(api_url="https://reach.example/base", api_token="real", tenant_id="acme")
    server = build_server(settings, transport=network)
    assert network.requests == []

    async with connected(server, mode) as client:
        await client.call_tool("list_batches", {})
        assert not network.closed

    request = network.requests[0]
    assert str(request.url).startswith("https://reach.example/base/api/batches")
    assert request.headers["authorization"] == "Bearer real"
    assert request.headers["reach-tenant-id"] == "acme"
    assert network.closed


async def test_call_is_one_log_line_without_values(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """Batch ids, tenants and URLs are a customer's; the log goes where logs go."""
    caplog.set_level(logging.DEBUG, "reach_mcp")
    settings = load_settings(api_url="https://reach.example", api_token="real")
    async with connected(build_server(settings, transport=Recorded()), mode) as client:
        await client.call_tool("get_batch", {"batch_id": "b-secret"})
        await client.call_tool("get_batch", {"batch_id": "b1"})
        await client.call_tool("get_batch", {"secret": "b-secret"})

    lines = [record for record in caplog.records if record.name == "reach_mcp.server"]
    facts: list[dict[str, Any]] = [vars(record)["facts"] for record in lines]
    assert [record.getMessage() for record in lines] == ["call"] * 3
    assert [(fact["tool"], fact["outcome"]) for fact in facts] == [
        ("get_batch", "error"),
        ("get_batch", "ok"),
        ("get_batch", "error"),
    ]
    assert all(set(fact) == {"tool", "ms", "outcome", "request"} and fact["request"] for fact in facts)
    assert "secret" not in str(facts)


async def test_crash_and_cancellation_are_outcomes_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    started = anyio.Event()

    async def wait() -> CallToolResult:
        """Waits."""
        started.set()
        await anyio.sleep_forever()
        raise AssertionError

    caplog.set_level(logging.INFO, "reach_mcp")
    server = small_server(crash, wait)
    with pytest.raises(Exception, match="Error executing tool crash"):
        await server.call_tool("crash", {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.call_tool, "wait", {})
        await started.wait()
        tasks.cancel_scope.cancel()

    facts = [vars(record)["facts"] for record in caplog.records if record.name == "reach_mcp.server"]
    assert [(fact["outcome"], fact["request"]) for fact in facts] == [("crash", ""), ("cancelled", "")]


async def test_clock_and_mark_default_to_now_and_to_a_mark_that_can_not_be_known(demo_settings: Settings) -> None:
    async with connected(build_server(demo_settings)) as client:
        first, second = [await client.call_tool("list_batches", {"limit": 1}) for _ in range(2)]

    assert first.structured_content is not None
    assert (
        abs((datetime.fromisoformat(first.structured_content["as_of"]) - datetime.now().astimezone()).total_seconds())
        < 60
    )
    assert text_of(first) != text_of(second)


async def test_sdk_still_has_the_private_parts_that_are_leaned_on() -> None:
    """An upgrade that changes one of these changes what callers are told."""
    server = small_server(pick)
    tool = server._tool_manager.get_tool("pick")
    assert tool is not None
    assert server._tool_manager.list_tools() == [tool]
    assert tool.parameters["properties"].keys() == {"even", "share"}
    with pytest.raises(Exception, match="Error executing tool pick") as caught:
        await super(StrictServer, server).call_tool("pick", {"even": 3})
    assert type(caught.value).__name__ == "ToolError"
    assert type(caught.value.__cause__).__name__ == "ValidationError"
