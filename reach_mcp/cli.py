"""reach-mcp on the command line: serves MCP, and prints the tools' own answers to a person or to cron.

Exit codes: 0 nothing waits or failed, 1 something does, 2 bad usage or configuration, 3 Reach could not be asked.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import anyio
import click

from reach_mcp import __version__
from reach_mcp.settings import ConfigurationError, Settings, load_settings

HINT = """\
reach-mcp is an MCP server: it now waits for a host to speak JSON-RPC on stdin (Ctrl-C ends it).
To see what it does, run `reach-mcp demo`; for people there are `reach-mcp list`, `batch`, `explain`; see --help."""


class BadConfiguration(click.ClickException):
    """Ends the command as bad usage does."""

    exit_code = 2


class NoAnswer(click.ClickException):
    """Ends the command when Reach could not be asked."""

    exit_code = 3


class Session:
    """What a command works with: the settings under its flags, and the server built of them at first use."""

    def __init__(self, **flags: Any) -> None:
        self.flags = flags

    @cached_property
    def settings(self) -> Settings:
        return load_settings(**self.flags)

    @cached_property
    def server(self) -> Any:
        from reach_mcp.logs import configure_logging
        from reach_mcp.server import build_server

        configure_logging(self.settings)
        server = build_server(self.settings)
        # A page of 1,000 rows is some 10,000 objects without a circle among them: collecting them at the usual pace
        # costs as much time as reading them does. What is loaded by now stays.
        gc.freeze()
        gc.set_threshold(200_000, 20, 50)
        return server

    def for_people(self) -> Session:
        """Both parts of an answer are needed here, and a log of calls is not, unless it is asked for."""
        self.flags["answer_parts"] = "both"
        if "REACH_MCP_LOG_LEVEL" not in os.environ:
            self.flags["log_level"] = "WARNING"
        return self


COMMANDS = {"list": "list_batches", "batch": "get_batch", "explain": "explain_pending_dependencies"}
BAD_USAGE = ("InvalidArgument", "ConfigurationError", "CredentialMissing")


class QuietGroup(click.Group):
    """Reports what is wrong with the settings as bad usage, and ends on Ctrl-C without a word."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise BadConfiguration(str(error)) from error
        except KeyboardInterrupt:
            ctx.exit(130)


class ToolCommand(click.Command):
    """A command that calls a tool. Its options are the tool's arguments, read off the tool itself."""

    def __init__(self, name: str, tool: str) -> None:
        as_json = click.Option(["--json", "as_json"], is_flag=True, help="Print the structured content.")
        super().__init__(name, params=[as_json], help=f"Print what the tool {tool} answers.")
        self.tool = tool

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        session = ctx.ensure_object(Session).for_people()
        tools = anyio.run(session.server.list_tools)
        schema = next(tool.input_schema for tool in tools if tool.name == self.tool)
        return [*build_params(schema), *super().get_params(ctx)]

    def invoke(self, ctx: click.Context) -> None:
        session = ctx.ensure_object(Session)
        arguments = {name: value for name, value in ctx.params.items() if value not in (None, ())}
        as_json = arguments.pop("as_json")
        walks = self.name == "explain" or arguments.get("scope") == "all"
        ctx.exit(_report(anyio.run(_call, session.server, self.tool, arguments), as_json=as_json, walks=walks))


def _report(result: Any, *, as_json: bool, walks: bool) -> int:
    """Print an answer and give its exit code. Nothing found in a part of what there is, is no all-clear."""
    text, content = "\n".join(part.text for part in result.content), result.structured_content
    if result.is_error:
        raise (BadConfiguration if (result.meta or {}).get("reach/error") in BAD_USAGE else NoAnswer)(text)
    # Ids are exact in JSON, and may hold what a terminal obeys: it stands escaped, the delete sign of ASCII as well.
    click.echo(json.dumps(content, indent=2).replace("\x7f", "\\u007f") if as_json else text)
    if needs_attention(content):
        return 1
    if walks and not content["coverage"]["complete"]:
        raise NoAnswer("Not everything could be read, so that nothing waits or failed is not certain.")
    return 0


def build_params(schema: Mapping[str, Any]) -> list[click.Parameter]:
    """A tool's arguments for the command line: what is required by place, the rest as options."""
    required = schema.get("required", ())
    return [
        click.Argument([name]) if name in required else _build_option(name, part)
        for name, part in schema["properties"].items()
    ]


def _build_option(name: str, part: Mapping[str, Any]) -> click.Option:
    kind, flag, default = part.get("type"), name.replace("_", "-"), part.get("default", "")
    bounds = part.get("minimum"), part.get("maximum")
    types = {"integer": click.IntRange(*bounds), "number": click.FloatRange(*bounds), "boolean": bool}
    return click.Option(
        [f"--{flag}/--no-{flag}" if kind == "boolean" else f"--{flag}", name],
        type=click.Choice(part["enum"]) if "enum" in part else types.get(str(kind), str),
        default=None,
        multiple=kind == "array",
        help=part.get("description", "") + ("" if default == "" else f" [default: {default}]"),
    )


def needs_attention(content: Mapping[str, Any]) -> bool:
    """Whether an answer tells of records that wait or failed, or of a batch that failed as a whole."""
    batch, census = content.get("batch", {}), content.get("census", {})
    counts = [part.get(name) for part in (batch, census.get("records", {})) for name in ("failed", "pending")]
    whole = batch.get("status") == "failure" or "failure" in census.get("status", {})
    return whole or any([*counts, content.get("pending", {}).get("rows")])


async def _call(server: Any, tool: str, arguments: dict[str, Any]) -> Any:
    from mcp import Client

    async with Client(server) as client:
        return await client.call_tool(tool, arguments)


def serve_stdio(session: Session) -> None:
    from reach_mcp.stdio import run_stdio

    try:
        anyio.run(run_stdio, session.server)
    except* BrokenPipeError:
        pass  # the host is gone


@click.group(cls=QuietGroup, invoke_without_command=True)
@click.option("--demo", is_flag=True, default=None, help="Serve the embedded demo API; no credential needed.")
@click.version_option(__version__, prog_name="reach-mcp")
@click.pass_context
def cli(ctx: click.Context, demo: bool | None) -> None:
    """MCP server over Reach's batch API: what is stuck, why, what is lost first, what to send.

    Without a command it serves MCP over stdio. Settings come from the environment (REACH_API_TOKEN and others; see the
    README). Exit codes of list, batch and explain: 0 nothing waits or failed, 1 something does, 2 bad usage or
    configuration, 3 Reach could not be asked.
    """
    ctx.obj = Session(demo=demo)
    if ctx.invoked_subcommand is None:
        if sys.stdin.isatty():
            click.echo(HINT, err=True)
        serve_stdio(ctx.obj)


@cli.command()
@click.option("--http", is_flag=True, help="Serve Streamable HTTP instead of stdio.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.pass_obj
def serve(session: Session, http: bool, host: str | None, port: int | None) -> None:
    """Serve MCP over stdio, or with --http over Streamable HTTP."""
    if not http:
        if host is not None or port is not None:
            raise click.UsageError("--host and --port go with --http.")
        serve_stdio(session)
        return
    from reach_mcp.http import serve_http

    session.flags |= {"host": host, "port": port}
    anyio.run(serve_http, session.server, session.settings)


for _name, _tool in COMMANDS.items():
    cli.add_command(ToolCommand(_name, _tool))


@cli.command()
def demo() -> None:
    """Show the tools at work: the real server over the demo API, called by a real MCP client."""
    from reach_mcp.tour import show

    session = Session(demo=True).for_people()
    click.echo(anyio.run(show, session.server))


@cli.command("demo-api")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
def demo_api(host: str, port: int) -> None:
    """Serve the demo's Reach API over HTTP, for other programs to test against."""
    from datetime import UTC, datetime

    from reach_mcp.demo.api import build_demo_api
    from reach_mcp.demo.story import DEFAULT_TENANT, build_story
    from reach_mcp.http import serve_app

    tenants = build_story(datetime.now(UTC))
    click.echo(f"token `demo`: tenant {DEFAULT_TENANT}; token `demo-partner`: {', '.join(tenants)}", err=True)
    anyio.run(lambda: serve_app(build_demo_api(tenants, default_tenant=DEFAULT_TENANT), host, port, grace=1))


def main() -> None:
    """The console script."""
    cli(prog_name="reach-mcp")
