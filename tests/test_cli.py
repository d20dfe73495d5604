"""The command line: the tools' own answers, exit codes that cron can use, and servers that start."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import click
import httpx
import pytest
from click.testing import CliRunner, Result
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

from reach_mcp import __version__
from reach_mcp.cli import (
    COMMANDS,
    HINT,
    QuietGroup,
    Session,
    ToolCommand,
    build_params,
    cli,
    main,
    needs_attention,
    serve_stdio,
)
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings

pytestmark = pytest.mark.usefixtures("restored_logging", "without_waits")

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}},
}


def reach(*arguments: str, stdin: Any = None, **environment: str) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin, env=environment, prog_name="reach-mcp")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["list"], 1, "20 batches matched"),
        (["list", "--status", "failure", "--batch-type", "PARTNER_RESOURCE_JSON_INGEST"], 1, "1 batch matched"),
        (["list", "--schema", "nosuch"], 0, "Nothing matched"),
        (["list", "--limit", "1", "--no-include-pending-details"], 0, "1 batch matched"),
        (["batch", "bat_cus_0912"], 1, "bat_cus_0912"),
        (["batch", "bat_cus_0918"], 1, "Payload could not be read"),
        (["batch", "bat_cus_0950"], 0, "bat_cus_0950"),
        (["explain"], 1, "loc_harbor_12"),
        (["explain", "--assume-arrived", "locations:loc_harbor_12", "--assume-arrived", "customers:cust_4417"], 1, ""),
    ],
)
def test_command_prints_the_tools_answer_and_ends_by_what_it_says(arguments: list[str], code: int, text: str) -> None:
    """cron mails what is printed and acts on the code."""
    result = reach("--demo", *arguments)

    assert (result.exit_code, result.stderr) == (code, "")
    assert text in result.stdout


@pytest.mark.parametrize("command", [["list"], ["explain"], ["batch", "bat_ok_0001"]])
def test_tenant_without_trouble_ends_with_zero(command: list[str]) -> None:
    assert reach("--demo", *command, REACH_MCP_DEMO_TENANT="healthy").exit_code == 0


def test_json_is_the_structured_content_whatever_a_host_was_set_to() -> None:
    result = reach("--demo", "explain", "--json", REACH_MCP_ANSWER_PARTS="text")

    assert json.loads(result.stdout)["pending"]["rows"] == 730


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["list"], {}, "No Reach credential is set. Set REACH_API_TOKEN"),
        (["list"], {"REACH_API_TOKEN_FILE": "/nowhere"}, "REACH_API_TOKEN_FILE can't be read"),
        (["list"], {"REACH_API_URL": "nonsense"}, "Wrong setting: REACH_API_URL: must be an http or https URL"),
        (["--demo", "list", "--limit", "0"], {}, "0 is not in the range"),
        (["--demo", "list", "--status", "bad"], {}, "'bad' is not one of"),
        (["--demo", "list", "--schema", "x" * 201], {}, "schema must be a text of 0 to 200 characters"),
        (["--demo", "batch"], {}, "Missing argument 'BATCH_ID'"),
        (["serve", "--port", "1"], {}, "--host and --port go with --http"),
        (["--demo", "serve", "--http", "--host", "0.0.0.0"], {}, "Listening on 0.0.0.0 needs REACH_MCP_AUTH_TOKEN"),
        (["nosuch"], {}, "No such command"),
    ],
)
def test_bad_usage_or_configuration_ends_with_two(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = reach(*arguments, **environment)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["list"], {"REACH_API_TOKEN": "t", "REACH_API_URL": "http://127.0.0.1:9"}, "The Reach API can't be reached"),
        (["--demo", "batch", "nosuch"], {}, "Reach knows no such thing (404)."),
        (["--demo", "list", "--tenant-id", "other"], {}, "(403)"),
    ],
)
def test_reach_that_can_not_be_asked_ends_with_three(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = reach(*arguments, **environment)

    assert (result.exit_code, result.stdout) == (3, "")
    assert message in result.stderr


def with_answer(document: dict[str, Any], *arguments: str, command: str = "explain") -> Result:
    """A command before a server whose tool answers so."""
    session, server = Session(demo=True), MCPServer("small")

    async def answer(scope: str = "page") -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text="text")], structured_content=document)

    server.add_tool(answer, name=COMMANDS[command], description="Answers.")
    session.server = server
    return CliRunner().invoke(cli.commands[command], arguments, obj=session)


NOTHING_FOUND: dict[str, dict[str, Any]] = {
    "explain": {"pending": {"rows": 0}},
    "list": {"census": {"status": {"success": 1}, "records": {"failed": 0, "pending": 0}}},
}


@pytest.mark.parametrize(("command", "arguments"), [("explain", []), ("list", ["--scope", "all"])])
def test_nothing_found_in_a_part_is_no_all_clear(command: str, arguments: list[str]) -> None:
    """Reading ended early: a job that took this for 0 would sleep on."""
    found = NOTHING_FOUND[command]
    part = with_answer(found | {"coverage": {"complete": False}}, *arguments, command=command)
    whole = with_answer(found | {"coverage": {"complete": True}}, *arguments, command=command)

    assert (part.exit_code, whole.exit_code) == (3, 0)
    assert "Not everything could be read" in part.stderr


@pytest.mark.parametrize(
    ("content", "attention"),
    [
        ({"pending": {"rows": 0}}, False),
        ({"pending": {"rows": 1}}, True),
        ({"batch": {"status": "success", "failed": 0}}, False),
        ({"batch": {"status": "processing", "pending": 1}}, True),
        ({"batch": {"status": "partial_success", "failed": 1}}, True),
        ({"batch": {"status": "failure"}}, True),
        ({"census": {"status": {"success": 2}, "records": {"failed": 0, "pending": 0}}}, False),
        ({"census": {"status": {"success": 2}, "records": {"failed": 0, "pending": 3}}}, True),
        ({"census": {"status": {"success": 2}, "records": {"failed": 3, "pending": 0}}}, True),
        ({"census": {"status": {"failure": 1}, "records": {}}}, True),
        ({}, False),
    ],
)
def test_attention_is_due_to_what_waits_or_failed(content: dict[str, Any], attention: bool) -> None:
    assert needs_attention(content) is attention


def test_every_argument_of_a_tool_can_be_given_on_the_command_line() -> None:
    """The options are read off the tools, so the two can't drift apart; --json alone is ours."""
    tools = {tool.name: tool for tool in anyio.run(build_server(load_settings(demo=True)).list_tools)}
    for command, tool in COMMANDS.items():
        names = {param.name for param in build_params(tools[tool].input_schema)}
        assert names == tools[tool].input_schema["properties"].keys()
        result = reach("--demo", command, "--help")
        assert result.exit_code == 0
        assert "--json" in result.stdout


@pytest.mark.parametrize(
    ("schema", "option"),
    [
        ({"type": "string", "enum": ["a", "b"]}, "--an-x [a|b]"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "--an-x INTEGER RANGE"),
        ({"type": "number", "default": 0.5}, "--an-x FLOAT RANGE"),
        ({"type": "boolean"}, "--an-x / --no-an-x"),
        ({"type": "array", "items": {"type": "string"}}, "--an-x TEXT"),
        ({"type": "string"}, "--an-x TEXT"),
    ],
)
def test_option_is_of_the_kind_that_the_schema_says(schema: dict[str, Any], option: str) -> None:
    params = build_params({"properties": {"an_x": schema | {"description": "Does."}}})
    shown = click.Context(click.Command("c", params=params)).get_help()

    assert option in shown
    assert "Does." in shown
    assert ("[default: 0.5]" in shown) is ("default" in schema)


def test_log_of_calls_stays_out_of_a_persons_way_unless_it_is_asked_for() -> None:
    assert "tool=list_batches" not in reach("--demo", "list").stderr
    assert "tool=list_batches" in reach("--demo", "list", REACH_MCP_LOG_LEVEL="INFO").stderr


def test_demo_shows_each_tool_at_work_and_how_to_connect() -> None:
    result = reach("demo")

    assert (result.exit_code, result.stderr) == (0, "")
    calls = re.findall(r"^--- a model calls (\w+) ", result.stdout, re.MULTILINE)
    assert calls == ["explain_pending_dependencies", "list_batches", "get_batch"]
    for words in ("loc_harbor_12", "142 batches", "bat_cus_0912", "claude_desktop_config.json", "claude mcp add reach"):
        assert words in result.stdout
    config = result.stdout[result.stdout.index("{\n") : result.stdout.index("\n}\n") + 2]
    assert json.loads(config)["mcpServers"]["reach"]["args"] == ["-m", "reach_mcp"]


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_stdio_is_served_without_a_word(arguments: list[str]) -> None:
    result = reach("--demo", *arguments, stdin=json.dumps(INITIALIZE) + "\n")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["result"]["serverInfo"]["version"] == __version__


class Terminal(io.BytesIO):
    """A stdin that a person sits at."""

    def isatty(self) -> bool:
        return True


def test_person_at_a_terminal_is_told_what_this_is() -> None:
    """Otherwise it would look as if it hung."""
    result = reach(stdin=Terminal())

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", HINT + "\n")


def test_host_that_is_gone_is_no_error() -> None:
    @asynccontextmanager
    async def broken(_: MCPServer[None]) -> AsyncIterator[None]:
        yield
        raise BrokenPipeError

    session = Session(demo=True)
    session.server = MCPServer("small", lifespan=broken)
    result = CliRunner().invoke(click.Command("serve", callback=lambda: serve_stdio(session)))

    assert (result.exit_code, result.output) == (0, "")


def test_interrupt_is_quiet() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(QuietGroup("g", commands=[click.Command("c", callback=interrupt)]), ["c"])

    assert (result.exit_code, result.output) == (130, "")


def test_console_script_tells_the_packages_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["reach-mcp", "--version"])

    with pytest.raises(SystemExit, match="0"):
        main()
    assert capsys.readouterr().out == f"reach-mcp, version {__version__}\n"


def test_tool_command_works_by_itself() -> None:
    """Click asks for options before any group has run, for completion in a shell for instance."""
    command = ToolCommand("list", "list_batches")

    assert "--limit" in command.get_help(click.Context(command))


def test_serving_stdio_loads_neither_the_demo_nor_the_http_side() -> None:
    """Hosts wait half a second for the first answer."""
    script = """
import sys
from reach_mcp.cli import cli
try:
    cli.main([])
finally:
    print(*sorted(name for name in sys.modules if name.startswith(("reach_mcp.demo", "reach_mcp.http"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input="", capture_output=True, text=True, encoding="utf-8", timeout=60
    )

    assert (done.stdout.strip(), done.stderr, done.returncode) == ("", "", 0)


def test_demo_api_is_served_over_real_http() -> None:
    command = [sys.executable, "-m", "reach_mcp", "demo-api", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stderr is not None
        try:
            tokens, address = process.stderr.readline(), process.stderr.readline()
            url = address.removeprefix("listening on ").strip()
            response = httpx.get(f"{url}/api/batches", headers={"Authorization": "Bearer demo"}, timeout=30)
        finally:
            process.kill()

    assert tokens == "token `demo`: tenant northwind; token `demo-partner`: northwind, healthy, hostile, empty\n"
    assert response.json()["data"]["pagination"]["total"] == 142


def test_demo_api_on_a_taken_port_is_bad_configuration() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = reach("demo-api", "--port", str(taken.getsockname()[1]))

    assert result.exit_code == 2
    assert "Can't listen on 127.0.0.1" in result.stderr
