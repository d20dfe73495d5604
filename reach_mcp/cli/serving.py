"""`serve` and `demo-api`: programs that run until they are stopped."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio
import click

from reach_mcp.cli.session import Session, demo_option
from reach_mcp.settings import Settings

if TYPE_CHECKING:
    from reach_mcp.server import ReachServer

HINT = """\
embedreach-mcp is an MCP server and now waits for a host to speak JSON-RPC on stdin (Ctrl-C ends it).
Run `embedreach-mcp demo` to see what it does, or `embedreach-mcp --help` for the commands."""


def build(session: Session) -> ReachServer:
    """Build the server of these settings, with logging to stderr."""
    from reach_mcp.logs import configure_logging
    from reach_mcp.server import build_server

    configure_logging(session.settings)
    server = build_server(session.settings)
    # A page of 1,000 rows is some 10,000 objects without a cycle among them, and collecting garbage at the usual pace
    # takes as long as reading them.
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    return server


def serve_stdio(session: Session) -> None:
    """Serve MCP over stdin and stdout until the host closes them."""
    from reach_mcp.logs import log_configuration
    from reach_mcp.transports.observing import observed
    from reach_mcp.transports.stdio import run_stdio

    if sys.stdin.isatty():
        click.echo(HINT, err=True)
    server, settings = build(session), session.settings
    log_configuration(settings)
    with observed(server, settings, over_http=False):
        run_until_host_is_gone(partial(run_stdio, server, grace=settings.shutdown_seconds))


def run_until_host_is_gone(serve: Callable[[], Awaitable[None]]) -> None:
    """Run a server. A pipe that the host has closed shows as either of two exceptions, or as the end of stdin."""
    try:
        anyio.run(serve)
    except* (BrokenPipeError, anyio.BrokenResourceError):
        pass


@click.command("serve")
@click.option("--http", is_flag=True, help="Serve Streamable HTTP instead of stdio.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 8765]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that share the port.  [default: 1]")
@demo_option
@click.pass_context
def serve_command(ctx: click.Context, http: bool, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve MCP over stdio, or with --http over Streamable HTTP.

    \b
    Example:
      embedreach-mcp serve --demo --http --port 8765
    """
    session = ctx.ensure_object(Session)
    if not http:
        if {host, port, workers} != {None}:
            raise click.UsageError("--host, --port and --workers need --http.")
        serve_stdio(session)
        return
    from reach_mcp.transports.http import serve_http

    session.flags |= {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if workers is None or workers == 1:
        anyio.run(serve_http, build(session), session.settings)
    elif not hasattr(os, "fork"):
        raise click.UsageError("--workers needs a system that can fork a process.")
    else:
        serve_by_workers(session, workers)


def serve_by_workers(session: Session, count: int) -> None:
    """Serve one port by several processes. Each has its own metrics, on ports that follow one another."""
    from reach_mcp.transports.http import listen, serve_http
    from reach_mcp.transports.workers import run_workers

    server, settings = build(session), session.settings
    listening, first = listen(settings.host, settings.port), settings.metrics_port

    def serve(number: int) -> None:
        own = settings.model_copy(update={"metrics_port": first and first + number})
        anyio.run(serve_http, server, own, listening)

    run_workers(serve, count)


@click.command("demo-api")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
@demo_option
def demo_api_command(host: str, port: int) -> None:
    """Serve the demo's Reach API over HTTP, for other programs to test against.

    \b
    Example:
      embedreach-mcp demo-api --port 8766
    """
    from datetime import UTC, datetime

    from reach_mcp.demo.api import build_demo_api
    from reach_mcp.demo.story import DEFAULT_TENANT, build_story
    from reach_mcp.transports.http import listen, serve_app

    tenants = build_story(datetime.now(UTC))
    click.echo(
        f"Token `demo` reads tenant {DEFAULT_TENANT}; token `demo-partner` reads {', '.join(tenants)}.", err=True
    )
    listener, address = listen(host, port)
    click.echo(f"listening on {address}", err=True)
    defaults = Settings.model_construct(shutdown_seconds=1)  # the environment is that of the server under test
    anyio.run(serve_app, build_demo_api(tenants, default_tenant=DEFAULT_TENANT), listener, defaults)
